"""How callers ask for a human, and how they complain, in the languages that are known here.

Patterns over lower-case text. Of what asks for a human the word that is caught in the pattern is
named in the reason. A language that is not known gets all of them together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_HUMANS = {
    "en": (
        r"\b(human)\b(?! error| being| nature| rights| resources)",
        r"\b(representative|operator|(?:real|live|actual) (?:person|agent))\b",
        r"\b(?:speak|speaking|talk|talking|connect me|put me through|transfer me|get me)"
        r" (?:to|with)?\s*(?:a|an|the|your|some)?\s*"
        r"(person|someone|somebody|anyone|anybody|agent|manager|supervisor|colleague)\b",
    ),
    "de": (
        r"\b(menschen|mensch|mitarbeiterin|mitarbeiter|sachbearbeiterin|sachbearbeiter"
        r"|kundenberaterin|kundenberater|vorgesetzten|vorgesetzte)\b",
        r"\b((?:echte|echten|richtige|richtigen) person)\b",
        r"\bmit (jemandem|jemand|irgendjemandem|irgendjemand)\b.{0,20}\b(?:sprechen|reden)\b",
    ),
    "es": (
        r"\b(humano|humana|persona real|representante|operadora|operador|supervisora|supervisor)\b",
        r"\b(?:hablar|comunicarme) con (?:una |un )?(persona|alguien|agente|encargado)\b",
    ),
    "fr": (
        r"\b(humain|vraie personne|conseillère|conseiller|opératrice|opérateur|représentant"
        r"|responsable)\b",
        r"\bparler (?:à|avec) (?:une |un )?(personne|quelqu['\u2019]un|agent)\b",
    ),
}

_COMPLAINTS = {
    "en": (
        r"\b(?:ridiculous|useless|stupid|unacceptable|terrible|frustrating|frustrated|fed up)\b",
        r"\byou(?:['\u2019]re| are) not (?:listening|helping|understanding)\b",
        r"\byou (?:don['\u2019]t|do not|never) (?:understand|listen|get it)\b",
        r"\bwaste of (?:my )?time\b",
        r"\bi(?:['\u2019]ve| have)? already (?:told|said|gave|given|explained)\b",
        r"\bthis (?:isn['\u2019]t|is not|doesn['\u2019]t|does not) (?:work|help)",
    ),
    "de": (
        r"\b(?:lächerlich|unverschämt|nutzlos|unmöglich|frustrierend|zeitverschwendung)\b",
        r"\bsie (?:verstehen|hören) (?:mich|mir)? ?nicht\b",
        r"\bhab(?:e|['\u2019])? ich (?:\w+ ){0,3}(?:schon|bereits) (?:\w+ )?(?:gesagt|erklärt)\b",
        r"\b(?:mir reicht|das bringt nichts|das hilft mir nicht)\b",
    ),
    "es": (
        r"\b(?:ridículo|inútil|inaceptable|frustrante|estoy hart[oa])\b",
        r"\bno me (?:entiende|entiendes|escucha|escuchas)\b",
        r"\bya (?:se )?(?:te )?lo (?:dije|he dicho|expliqué)\b",
        r"\bp[eé]rdida de tiempo\b",
    ),
    "fr": (
        r"\b(?:ridicule|inutile|inacceptable|frustrant|ras le bol|perte de temps)\b",
        r"\bj['\u2019]en ai marre\b",
        r"\bvous ne (?:me |m['\u2019])?(?:comprenez|écoutez) (?:pas|rien)\b",
        r"\bje (?:vous )?l['\u2019]ai déjà dit\b",
    ),
}

_NEVERS = {
    "en": r"(?:do(?: not|n['\u2019]t) (?:want|need)|no need (?:for|of)|not) (?:\w+ ){0,3}$",
    "de": r"(?:kein|keine|keinen|nicht) (?:\w+ ){0,2}$",
    "es": r"no (?:quiero|necesito) (?:\w+ ){0,4}$",
    "fr": r"(?:pas|jamais) (?:besoin )?(?:d['\u2019]|\w+ ){0,3}$",
}
"""What says, before such a word, that no human is wanted."""


class Phrases(msgspec.Struct, frozen=True):
    """The compiled patterns of one language, or of all."""

    humans: tuple[re.Pattern[str], ...]
    complaints: tuple[re.Pattern[str], ...]
    nevers: tuple[re.Pattern[str], ...]

    def human(self, text: str) -> str | None:
        """Return the word by which `text` asks for a human, if it does."""
        text = text.lower()
        for pattern in self.humans:
            for found in pattern.finditer(text):
                before = text[: found.start()]
                if not any(never.search(before) for never in self.nevers):
                    return found[1]
        return None

    def complains(self, text: str) -> bool:
        """Say whether `text` complains."""
        return any(pattern.search(text.lower()) for pattern in self.complaints)


def phrases(language: str | None, words: Iterable[str] = ()) -> Phrases:
    """Return the patterns of a language (ISO 639-1); `words` are the owner's own for a human."""
    known = (language or "").lower()[:2]
    chosen = (known,) if known in _HUMANS else tuple(_HUMANS)
    own = [rf"(?<!\w)({re.escape(word.lower())})(?!\w)" for word in words]
    return Phrases(
        humans=tuple(map(re.compile, [*(each for one in chosen for each in _HUMANS[one]), *own])),
        complaints=tuple(re.compile(each) for one in chosen for each in _COMPLAINTS[one]),
        nevers=tuple(re.compile(_NEVERS[one]) for one in chosen),
    )
