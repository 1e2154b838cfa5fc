"""A tool's function, read: the JSON schema the model gets, and the model's arguments decoded.

The schema comes from the signature and the docstring, and the same types decode what the model
sends, so the two cannot disagree. Every type that msgspec knows will do: str, int, float, bool,
Literal, Enum, Optional, list, dict, date and time, dataclasses, Structs, TypedDicts, and
`Annotated[..., "description"]` of any of them. Definitions are written out in place: some
models do not follow references.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union

import msgspec

from hookflash.agents.context import CallContext
from hookflash.errors import ConfigError, ToolError

_NO_DEFAULT = inspect.Parameter.empty


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter that the model fills in. `annotation` is what msgspec decodes it to."""

    annotation: Any
    schema: dict[str, Any]
    required: bool


class ToolSignature(msgspec.Struct, frozen=True, kw_only=True):
    """What a function asks for. `context_parameter` is the one that takes the `CallContext`."""

    description: str
    parameters: dict[str, Parameter]
    context_parameter: str | None = None

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema (type object) of the arguments."""
        return {
            "type": "object",
            "properties": {name: each.schema for name, each in self.parameters.items()},
            "required": [name for name, each in self.parameters.items() if each.required],
            "additionalProperties": False,
        }

    def decode(self, arguments: str) -> dict[str, Any]:
        """Turn the model's `arguments` (JSON text) into keyword arguments of the function.

        Lenient where the meaning is plain ("5" for an int). Raises `ToolError` with a text for
        the model that names every argument that is wrong, what was expected and what came.
        """
        try:
            given = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError as error:
            raise ToolError(f"The arguments are not valid JSON ({error}).") from error
        if not isinstance(given, dict):
            raise ToolError(f"The arguments must be a JSON object, but {_shown(given)} came.")
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for name, parameter in self.parameters.items():
            if name not in given:
                if parameter.required:
                    wrong.append(f"{name}: missing")
                continue
            try:
                values[name] = msgspec.convert(given[name], parameter.annotation, strict=False)
            except msgspec.ValidationError as error:
                wrong.append(f"{name}: {_complaint(error, parameter.schema, given[name])}")
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                wrong.append(f"{name}: there is no such argument (arguments: {known})")
        if wrong:
            raise ToolError("Wrong arguments. " + "; ".join(wrong) + ".")
        return values


def read_signature(function: Callable[..., Any], where: str) -> ToolSignature:
    """Read a tool's function. `where` begins the text of the `ConfigError` of one that cannot be.

    Refused: `*args`, `**kwargs`, positional-only parameters, parameters without an annotation,
    annotations that cannot be resolved or have no JSON form, two `CallContext`s.
    """
    annotations = _annotations(function, where)
    documentation, described = _documentation(function)
    context_parameter: str | None = None
    parameters: dict[str, Parameter] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"{where}: {parameter} cannot be described to a model; name each parameter"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(
                f"{where}: parameter {name!r} is positional-only; tools are called by keyword,"
                " so remove the `/`"
            )
        if name not in annotations:
            raise ConfigError(
                f"{where}: parameter {name!r} has no annotation; write what the model is to"
                f" send, such as `{name}: str`"
            )
        if _is_context(annotations[name]):
            if context_parameter is not None:
                raise ConfigError(
                    f"{where}: both {context_parameter!r} and {name!r} take the CallContext;"
                    " one is enough"
                )
            context_parameter = name
            continue
        parameters[name] = _parameter(
            name, annotations[name], parameter.default, described.get(name, ""), where
        )
    return ToolSignature(
        description=documentation, parameters=parameters, context_parameter=context_parameter
    )


def _annotations(function: Callable[..., Any], where: str) -> dict[str, Any]:
    try:
        # CallContext is often imported for type checking alone, so its name is always known.
        return typing.get_type_hints(
            function, localns={"CallContext": CallContext}, include_extras=True
        )
    except NameError as error:
        raise ConfigError(
            f"{where}: an annotation cannot be resolved ({error}); define or import its type at"
            " the top level of the file, outside `if TYPE_CHECKING`"
        ) from error
    except (TypeError, SyntaxError, AttributeError) as error:
        raise ConfigError(f"{where}: its annotations cannot be read ({error})") from error


def _is_context(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return any(_is_context(each) for each in typing.get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, CallContext)


def _parameter(name: str, annotation: Any, default: Any, text: str, where: str) -> Parameter:
    try:
        (schema,), definitions = msgspec.json.schema_components([annotation])
    except TypeError as error:
        reason = str(error).splitlines()[-1]
        raise ConfigError(
            f"{where}: parameter {name!r} has no JSON form ({reason}); use str, int, float, bool,"
            " Literal, Enum, list, dict, a dataclass or a TypedDict"
        ) from error
    written = written_out(schema, definitions, (), f"{where}: parameter {name!r}")
    if isinstance(written.get("description"), str) and "$ref" not in schema:
        text = written["description"]
    else:
        text = _annotated_text(annotation) or text
    if text:
        written["description"] = text
    if default is not _NO_DEFAULT:
        try:
            written["default"] = msgspec.to_builtins(default)
        except TypeError:
            # A default without a JSON form is the function's own affair: the model leaves the
            # argument out, and the function sees its default.
            written.pop("default", None)
    return Parameter(annotation=annotation, schema=written, required=default is _NO_DEFAULT)


def _annotated_text(annotation: Any) -> str:
    """Return the text of `Annotated[T, "text"]`, also of one inside `... | None`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return next((each for each in arguments[1:] if isinstance(each, str)), "")
    if origin in (Union, types.UnionType):
        return next(filter(None, map(_annotated_text, arguments)), "")
    return ""


def written_out(
    schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...], where: str
) -> Any:
    """Return `schema` with every reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [written_out(each, definitions, inside, where) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        key = schema["$ref"].rpartition("/")[2]
        if key in inside:
            raise ConfigError(f"{where}: type {key} contains itself, which models cannot fill in")
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        target = written_out(definitions[key], definitions, (*inside, key), where)
        return {**{name: value for name, value in target.items() if name != "title"}, **rest}
    written = {
        name: written_out(value, definitions, inside, where) for name, value in schema.items()
    }
    if "type" not in written and _all_texts(written.get("enum")):
        written["type"] = "string"
    return written


def _all_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _documentation(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the docstring's description, and its texts about parameters by name."""
    # Imported here: nobody who only runs `hookflash --help` should wait for it.
    import docstring_parser

    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    parts = (parsed.short_description, parsed.long_description)
    described = {each.arg_name: (each.description or "").strip() for each in parsed.params}
    return "\n\n".join(part.strip() for part in parts if part), described


def _complaint(error: msgspec.ValidationError, schema: Mapping[str, Any], given: Any) -> str:
    """Say what is wrong with one argument, in words that a model can act on."""
    text = str(error).replace("`", "").rstrip(".")
    if "enum" in schema:
        allowed = ", ".join(str(each) for each in schema["enum"])
        return f"expected one of {allowed}, got {_shown(given)}"
    return f"{text} ({_shown(given)})"


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."
