"""Parses TwiML into elements and lists everything that is wrong in it. No I/O.

A document that cannot be parsed raises. A violation of the grammar is one of the document's
problems (Twilio's schema warnings), and the document runs as far as it can.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from hookflash_local.carrier import alerts
from hookflash_local.carrier.twiml import grammar

MAX_BYTES = 64 * 1024


class TwimlError(Exception):
    """The text is not TwiML at all. `code` is Twilio's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Element:
    name: str
    attributes: dict[str, str]
    children: tuple[Element, ...]
    text: str

    def get(self, name: str, otherwise: str = "") -> str:
        return self.attributes.get(name, otherwise)

    def true(self, name: str, otherwise: bool = False) -> bool:
        return self.get(name, "true" if otherwise else "false") == "true"

    def number(self, name: str, otherwise: float) -> float:
        value = self.get(name)
        return float(value) if value.isdecimal() else otherwise

    def children_named(self, *names: str) -> list[Element]:
        return [child for child in self.children if child.name in names]


@dataclass(frozen=True)
class Document:
    """`problems` are (code, text), in the order of the document."""

    verbs: tuple[Element, ...]
    problems: tuple[tuple[int, str], ...]


def parse(body: bytes | str) -> Document:
    """Read TwiML. Raises TwimlError (12100, 11750) if `body` is not a TwiML document."""
    data = body.encode() if isinstance(body, str) else body
    if len(data) > MAX_BYTES:
        raise TwimlError(alerts.TOO_LARGE, f"the document has {len(data)} bytes, 64 kB is the most")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise TwimlError(alerts.PARSE_FAILED, f"not XML: {error}") from None
    if root.tag != "Response":
        raise TwimlError(alerts.PARSE_FAILED, f"expected <Response>, got <{root.tag}>")
    problems: list[tuple[int, str]] = []
    response = _element(root, problems)
    return Document(response.children, tuple(problems))


def relative_urls(document: Document) -> list[str]:
    """Name the attributes (`Dial action`) whose URL is relative: wrong in TwiML sent by REST."""
    found: list[str] = []

    def look(element: Element) -> None:
        for name, value in element.attributes.items():
            if name in grammar.ACTIONS and value and "://" not in value:
                found.append(f"{element.name} {name}")
        if element.name == "Redirect" and "://" not in element.text:
            found.append("Redirect")
        for child in element.children:
            look(child)

    for verb in document.verbs:
        look(verb)
    return found


def _element(node: ElementTree.Element, problems: list[tuple[int, str]]) -> Element:
    rule = grammar.RULES[node.tag]
    for name, value in node.attrib.items():
        check = rule.attributes.get(name)
        if check is None:
            problems.append((alerts.SCHEMA, f"<{node.tag}> has no attribute {name!r}"))
        elif not check(value):
            problems.append((alerts.SCHEMA, f"<{node.tag} {name}={value!r}> is not allowed"))
        elif name in grammar.NOT_SIMULATED_ATTRIBUTES.get(node.tag, ()):
            problems.append((alerts.NOT_SIMULATED, f"<{node.tag} {name}> has no effect here"))
    text = (node.text or "") + "".join(child.tail or "" for child in node)
    text = text.strip()
    if text and not rule.text:
        problems.append((alerts.SCHEMA, f"<{node.tag}> cannot hold text: {text[:40]!r}"))
    children = []
    for child in node:
        if child.tag in rule.children:
            children.append(_element(child, problems))
        else:
            problems.append(_misplaced(child.tag, node.tag))
    return Element(node.tag, dict(node.attrib), tuple(children), text)


def _misplaced(name: str, parent: str) -> tuple[int, str]:
    verbs, nouns = grammar.NOT_SIMULATED_VERBS, grammar.NOT_SIMULATED_NOUNS
    if (parent == "Response" and name in verbs) or (parent != "Response" and name in nouns):
        return alerts.NOT_SIMULATED, f"<{name}> in <{parent}> is not simulated by this stand-in"
    if name in grammar.RULES:
        return alerts.SCHEMA, f"<{name}> is not allowed inside <{parent}>"
    return alerts.SCHEMA, f"<{name}> is unknown (names are case-sensitive)"
