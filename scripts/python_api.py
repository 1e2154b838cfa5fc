"""The Python API as Markdown, from the docstrings: `docs/reference/python.md`.

Griffe reads the source without running it, so fields keep the docstrings that stand behind them.
A public name that has no docstring, a field without one and a parameter that its class does not
explain are errors.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import griffe

from hookflash.settings import SETTINGS

SRC = Path(__file__).resolve().parent.parent / "packages" / "hookflash" / "src"
WIDTH = 92

GROUPS = {
    "Agents": (
        "Agent",
        "Directory",
        "Interruption",
        "Frustration",
        "ServerVad",
        "SemanticVad",
        "Phrases",
    ),
    "Hand-offs": ("Cold", "Warm", "Consult", "Refer", "Queue", "Target"),
    "In a call": ("CallContext", "CallView", "Utterance"),
    "Calls that the line places": ("RunningLine", "PlacedCall"),
    "What hooks are told": ("CallStarted", "TranscriptLine", "HandoffEnded"),
    "What a call leaves": (
        "CallRecord",
        "Disposition",
        "HandoffAttempt",
        "ToolUse",
        "AgentTransfer",
        "Delivery",
    ),
    "Inside your application": ("asgi_app", "LineApp", "bring_human", "HumanOutcome"),
    "Configuration": ("Settings", "__version__"),
    "Errors": (
        "HookflashError",
        "ConfigError",
        "ProtocolError",
        "CarrierProtocolError",
        "ModelProtocolError",
        "CallNotPlaced",
        "CarrierError",
        "ModelError",
        "ToolError",
        "IllegalTransition",
    ),
}
PUBLIC = {name for names in GROUPS.values() for name in names}

OF_THE_SERVER = {
    "Agent": {
        "call_setup",
        "model_setup",
        "consult_setup",
        "with_plans",
        "address_functions",
        "text_functions",
        "tool_conditions",
        "check_policies",
        "destinations",
        "colleagues",
    },
    "Directory": {"of", "named"},
    "Target": {"keys"},
    "Settings": {"settings_customise_sources", "unsigned_allowed"},
}
"""What the server and the tests call, and users need not: it may change without a notice."""


class Undocumented(Exception):
    """Names what a public name must say and does not."""


def page(exported: list[str]) -> str:
    """Return the reference of these names of `hookflash`, or raise `Undocumented`."""
    if wrong := sorted(PUBLIC.symmetric_difference(exported)):
        raise Undocumented(f"GROUPS in scripts/python_api.py and hookflash.__all__ differ: {wrong}")
    package = griffe.load("hookflash", search_paths=[SRC], resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    sections = [section(package, title, names) for title, names in GROUPS.items()]
    return "\n".join([surface(package), *sections])


def surface(package: griffe.Module) -> str:
    """Return the table of all public names, each with the first sentence of its docstring."""
    rows = ["## All names\n", "| Name | What it is |", "| --- | --- |"]
    for names in GROUPS.values():
        for name in names:
            found = package.members[name]
            target = found.final_target if isinstance(found, griffe.Alias) else found
            about = " ".join(text_of(target).partition("\n\n")[0].split()).replace("|", "\\|")
            anchor = name.lower()
            rows.append(f"| [`{name}`](#{anchor}) | {about} |")
    return "\n".join(rows) + "\n"


def section(package: griffe.Module, title: str, names: tuple[str, ...]) -> str:
    parts = [f"## {title}\n"]
    for name in names:
        found = package.members[name]
        target = found.final_target if isinstance(found, griffe.Alias) else found
        parts.append(f"### {name.replace('_', chr(92) + '_')}\n")
        if isinstance(target, griffe.Class):
            parts += of_class(target)
        elif isinstance(target, griffe.Function):
            explained(target, target)
            awaited = "async " if "async" in target.labels else ""
            parts += [f"```py\n{awaited}{signature(name, target)}\n```\n", text_of(target)]
        else:
            assert isinstance(target, griffe.Attribute)
            parts += [f"```text\n{name} = {target.value}\n```\n", text_of(target)]
    return "\n".join(parts)


def text_of(owner: griffe.Object) -> str:
    """Return a docstring as it stands, dedented, or raise `Undocumented`."""
    if owner.docstring is None or not owner.docstring.value.strip():
        raise Undocumented(f"{owner.path} has no docstring")
    return owner.docstring.value.strip() + "\n"


# --- classes --------------------------------------------------------------------------------------


def of_class(owner: griffe.Class) -> Iterator[str]:
    kinds = {str(base).rpartition(".")[2] for base in bases_of(owner)}
    if owner.name == "Settings":
        yield text_of(owner)
        yield settings(owner)
    elif "Struct" in kinds:
        yield text_of(owner)
        yield f"It never changes. {how_given(owner)}:\n"
        yield from fields(owner)
    else:
        if (init := owner.all_members.get("__init__")) and isinstance(init, griffe.Function):
            yield f"```py\n{signature(owner.name, init, returns=False)}\n```\n"
            explained(owner, init)
        bases = ", ".join(f"`{base}`" for base in kinds if base not in ("Exception", "Hooked"))
        if bases:
            yield f"A kind of {bases}.\n"
        yield text_of(owner)
        if (code := owner.members.get("code")) and isinstance(code, griffe.Attribute):
            yield f"Its code is `{str(code.value)[1:-1]}`.\n"
    yield from members(owner)


def bases_of(owner: griffe.Class) -> list[str | griffe.Expr]:
    """Return the bases of a class, and the bases of those of them that are private."""
    bases = list(owner.bases)
    for base in owner.mro():
        if base.name.startswith("_"):
            bases += base.bases
    return bases


def how_given(owner: griffe.Class) -> str:
    if first := positional(owner):
        return f"`{first[0]}` is given first or by keyword, the other fields by keyword"
    given = "by keyword" if "kw_only" in owner.keywords else "in this order or by keyword"
    return f"Its fields are given {given}"


def positional(owner: griffe.Class) -> list[str]:
    """Return the fields that a private base declares without `kw_only`."""
    return [
        name
        for base in owner.mro()
        if base.name.startswith("_") and "kw_only" not in base.keywords
        for name in base.members
        if not name.startswith("_")
    ]


def settings(owner: griffe.Class) -> str:
    """Return the table of settings; their purposes are those of the page on settings."""
    rows = ["| Setting | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    for row in SETTINGS:
        if not row.hidden:
            section = owner.module[str(owner[row.section].annotation)]
            kind = cell(spelled(section, section[row.name].annotation))
            rows.append(f"| `{row.section}.{row.name}` | {kind} | {row.default} | {row.purpose} |")
    return "\n".join(rows) + "\n"


def fields(owner: griffe.Class) -> Iterator[str]:
    rows = ["| Field | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    long: list[str] = []
    for name, field in every_member(owner):
        if not isinstance(field, griffe.Attribute) or name.startswith("_"):
            continue
        if "property" in field.labels:
            continue
        about, _, rest = text_of(field).strip().partition("\n\n")
        if rest:
            long.append(f"`{name}`:\n\n{rest}\n")
        rows.append(
            f"| `{name}` | {cell(spelled(owner, field.annotation))} | {default(field.value)} |"
            f" {' '.join(about.split())} |"
        )
    yield "\n".join(rows) + "\n"
    yield from long


def every_member(owner: griffe.Class) -> Iterator[tuple[str, griffe.Object | griffe.Alias]]:
    """Yield the positional fields, then the class's own members, then those of private bases."""
    private = [base for base in owner.mro() if base.name.startswith("_")]
    first = positional(owner)
    members = {name: found for each in (owner, *private) for name, found in each.members.items()}
    yield from ((name, members[name]) for name in first)
    yield from ((name, found) for name, found in members.items() if name not in first)


class _Spelled(ast.NodeTransformer):
    """Writes the module's own names for types out, and leaves the checks of `Annotated` away."""

    def __init__(self, module: griffe.Module) -> None:
        self._module = module

    def visit_Name(self, node: ast.Name) -> ast.expr:
        named: griffe.Object | griffe.Alias | None = self._module.members.get(node.id)
        if isinstance(named, griffe.Alias) and named.target_path.startswith("hookflash."):
            named = named.final_target
        if node.id in PUBLIC or not isinstance(named, griffe.Attribute) or named.value is None:
            return node
        written: ast.expr = self.visit(ast.parse(str(named.value), mode="eval").body)
        return written

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "Annotated":
            assert isinstance(node.slice, ast.Tuple)
            return node.slice.elts[0]
        return node


def spelled(owner: griffe.Class, annotation: object) -> str:
    """Return the type of a field as its user reads it: `int` for an `Annotated` one."""
    tree = ast.parse(str(annotation), mode="eval")
    return ast.unparse(_Spelled(owner.module).visit(tree))


def cell(code: object) -> str:
    """Return code for a cell of a table, where a bar must be escaped."""
    return "`" + str(code).replace("|", "\\|") + "`"


def default(value: object) -> str:
    if value is None:
        return "required"
    text = str(value)
    joined = re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
    if text.startswith(("'", '"')) and len(joined) > 1:
        text = '"' + "".join(first or second for first, second in joined) + '"'
    return cell(text)


def explained(owner: griffe.Class | griffe.Function, init: griffe.Function) -> None:
    """Raise `Undocumented` unless the owner's docstring names each parameter of `init`."""
    for parameter in init.parameters:
        if parameter.name in ("self", "message"):
            continue
        if f"`{parameter.name}`" not in text_of(owner):
            raise Undocumented(f"{owner.path}: its docstring does not explain `{parameter.name}`")


def members(owner: griffe.Class) -> Iterator[str]:
    hidden = OF_THE_SERVER.get(owner.name, set())
    for name, found in sorted(owner.all_members.items(), key=lambda item: order(owner, item[0])):
        member = found.final_target if isinstance(found, griffe.Alias) else found
        if name.startswith("_") or name in hidden or "hookflash" not in member.path:
            continue
        if isinstance(member, griffe.Function):
            yield f"#### {owner.name}.{name}\n"
            named = f"{owner.name}.{name}" if "classmethod" in member.labels else name
            shapes = member.overloads or [member]
            shown = "\n".join(signature(named, shape) for shape in shapes)
            awaited = "async " if "async" in member.labels else ""
            yield f"```py\n{awaited}{shown}\n```\n"
            yield text_of(member)
        elif "property" in member.labels:
            assert isinstance(member, griffe.Attribute)
            yield f"#### {owner.name}.{name}\n"
            yield f"```py\n{name}: {member.annotation}\n```\n"
            yield text_of(member)


def order(owner: griffe.Class, name: str) -> tuple[bool, int]:
    """Own members first, as written; then the inherited ones."""
    names = list(owner.members)
    return (name not in names, names.index(name) if name in names else 0)


# --- signatures -----------------------------------------------------------------------------------


def signature(name: str, function: griffe.Function, *, returns: bool = True) -> str:
    """Return a signature on one line, or with one parameter a line where it is too long."""
    parts = []
    kinds = griffe.ParameterKind
    shown = [each for each in function.parameters if each.name not in ("self", "cls")]
    bare = True
    for place, parameter in enumerate(shown):
        if parameter.kind is kinds.keyword_only and bare:
            parts.append("*")
            bare = False
        text = parameter.name
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None:
            text += f" = {parameter.default}" if parameter.annotation else f"={parameter.default}"
        parts.append(text)
        following = shown[place + 1].kind if place + 1 < len(shown) else None
        if parameter.kind is kinds.positional_only and following is not kinds.positional_only:
            parts.append("/")
    end = f" -> {function.returns}" if returns and function.returns is not None else ""
    line = f"{name}({', '.join(parts)}){end}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{inner}){end}"
