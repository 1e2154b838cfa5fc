"""How callers ask for a human, and how they complain, in English, German, Spanish and French.

Patterns over lower-case text with straight apostrophes. The first group of a pattern in `_HUMANS`
is the word that the reason names. A word does not count if the caller says that no human is wanted,
asks whether the agent is one, or tells of somebody. For an unknown language, the patterns of all
languages apply. How often this is right is measured in `tests/core/test_asks_for_a_human.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_HUMANS = {
    "en": (
        r"\b(human)\b",
        r"\b(representative|operator|(?:real|live|actual) (?:person|agent))\b",
        r"\b(?:speak|speaking|talk|talking|connect me|put me through|transfer me|get me|give me"
        r"|i want|i need|i'd like)"
        r" (?:to|with)?\s*(?:a|an|the|your|some)?\s*"
        r"(person|someone|somebody|anyone|anybody|agent|manager|supervisor|colleague)\b",
        r"\b(?:is there|isn't there) (?:an? )?(person|someone|somebody|anyone|anybody|agent|manager"
        r"|supervisor)\b.{0,20}\b(?:talk|speak)\b",
    ),
    "de": (
        r"\b(menschen|mensch|mitarbeiterin|mitarbeiter|sachbearbeiterin|sachbearbeiter"
        r"|kundenberaterin|kundenberater|vorgesetzten|vorgesetzte)\b",
        r"\b((?:echte|echten|richtige|richtigen) person)\b",
        r"\bmit (jemandem|jemand|irgendjemandem|irgendjemand)\b.{0,30}\b(?:sprechen|reden)\b",
        r"\b(?:geben sie mir|gib mir|verbinden sie mich mit|verbinde mich mit) (jemandem|jemanden"
        r"|jemand)\b",
    ),
    "es": (
        r"\b(humano|humana|persona real|representante|operadora|operador|supervisora|supervisor)\b",
        r"\b(?:hablar con|comunicarme con|páseme con|pásame con|comuníqueme con|comunícame con"
        r"|póngame con|ponme con|quiero|necesito) (?:una |un |el |la |su )?"
        r"(persona|alguien|agente|encargado|encargada|gerente|responsable)\b",
    ),
    "fr": (
        r"\b(humain|vraie personne|conseillère|conseiller|opératrice|opérateur|représentant"
        r"|responsable)\b",
        r"\b(?:parler (?:à|avec)|passez-moi|passe-moi|mettez-moi en relation avec|je veux) "
        r"(?:une |un )?(personne|quelqu'un|agent)\b",
    ),
}

_OTHER_MEANINGS = {
    "en": r"\bhuman (?:error|nature|rights|resources|race|body|touch|voice)\b"
    r"|\b(?:network|mobile|phone|cell|tour|cable|machine) operators?\b"
    r"|\b(?:my|our|his|her) operator(?: is|'s)\b|\bis (?:my|our) operator\b|\boperators? of\b"
    r"|\bwith (?:another|a different|the same) operator\b"
    r"|\b(?:change|changed|switch|switched) operators?\b"
    r"|\b(?:sales|legal|travel) (?:representative|agent)\b",
    "de": r"(?:^|[.!?] )(?:oh )?mensch[,!](?! bitte)",
    "es": r"\b(?:error|cuerpo|derecho|derechos) humanos?\b"
    r"|\b(?:mi|nuestro|nuestra) operadora? (?:es|móvil|de)\b|\bde operadora?\b"
    r"|\boperadora? (?:móvil|telefónic[oa]|de telefonía)\b",
    "fr": r"\b(?:mon|notre|d') ?opérateur\b|\bopérateur (?:mobile|téléphonique|internet)\b"
    r"|\bresponsable (?:de (?:ce|cette|ces|cet)|des achats)\b",
}
"""Phrases with such a word that mean something else. They are taken out of the text first."""

_COMPLAINTS = {
    "en": (
        r"\b(?:ridiculous|useless|stupid|unacceptable|terrible|frustrating|frustrated|fed up)\b",
        r"\byou(?:'re| are) not (?:listening|helping|understanding)\b",
        r"\byou (?:don't|do not|never) (?:understand|listen|get it)\b",
        r"\bwaste of (?:my )?time\b",
        r"\bi(?:'ve| have)? already (?:told|said|gave|given|explained)\b",
        r"\bthis (?:isn't|is not|doesn't|does not) (?:work|help)",
    ),
    "de": (
        r"\b(?:lächerlich|unverschämt|nutzlos|unmöglich|frustrierend|zeitverschwendung)\b",
        r"\bsie (?:verstehen|hören) (?:mich|mir)? ?nicht\b",
        r"\bhab(?:e|')? ich (?:\w+ ){0,3}(?:schon|bereits) (?:\w+ )?(?:gesagt|erklärt)\b",
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
        r"\bj'en ai marre\b",
        r"\bvous ne (?:me |m')?(?:comprenez|écoutez) (?:pas|rien)\b",
        r"\bje (?:vous )?l'ai déjà dit\b",
    ),
}

_NOT_WANTED_BEFORE = {
    "en": (
        r"\b(?:(?:do not|don't|didn't|did not) (?:want|need|wish|require|transfer|connect|put|pass"
        r"|send|have to)|no need (?:for|of|to)|never asked|do i (?:have|need) to)"
        r" (?:(?!(?:i|you|give|get|just|but)\b)[\w']+ ){0,5}$",
        r"\bnot (?:(?:a|an|any|the|your|to|with|for|really|real|actual|live|talk|talking|speak"
        r"|speaking|want|wanting|need|looking|asking) ){0,6}$",
        r"\b(?:do not|don't|no) $",
        # Whether the agent is one.
        r"(?:are|aren't|is|isn't) (?:you|this|that|it) (?:(?:really|actually|even|just|like) )*"
        r"(?:an? )?(?:(?:real|actual|live) )?$",
        r"\b(?:am i|i'm|i am) (?:(?:really|actually|now|even) )*(?:(?:speaking|talking) (?:to"
        r"|with) )?(?:an? )?$",
        r"\bdid (?:an? )?$|\bby an? $",
        r"\byou(?:'re| are) (?:(?:really|almost|just|like) )*(?:an? )?$",
        r"\b(?:sound|look|talk|speak|act|seem)s? (?:\w+ ){0,2}like (?:an? )?$",
        # What was, and what somebody is.
        r"\b(?:was|were|been|spoke|talked) (?:(?:to|with) )?(?:an? )?$",
        r"\b(?:i'm|i am|we're|we are|he is|he's|she is|she's|i work as) (?:(?:only|just) )?"
        r"(?:an? (?:\w+ )?)?$",
    ),
    "de": (
        r"\b(?:kein|keine|keinen|keinem|nicht) (?:\w+ ){0,2}$",
        r"\b(?:sind sie|bist du|ist das|ist dies|sie sind|du bist|sie wären|du wärst) (?:\w+ )?"
        r"(?:ein|eine|kein|keine) (?:\w+ )?$",
        r"\bich bin (?:\w+ )?(?:ein |eine )?$",
        r"\b(?:rede|spreche|bin) ich (?:\w+ ){0,3}mit (?:einem|einer) (?:\w+ )?$",
        r"\bwie (?:ein|eine) (?:\w+ )?$",
    ),
    "es": (
        r"\bno (?:quiero|necesito|deseo|me|hace falta) (?:(?!(?:quiero|necesito|deme|páseme)\b)\w+"
        r" ){0,5}$",
        r"(?:\b(?:eres|usted es|es usted|es esto|esto es|soy)|(?:^|¿)es) (?:un |una )?$",
        r"\b(?:estoy hablando|hablo) con (?:un |una )?$",
        r"\b(?:parece|pareces|suena|suenas|como) (?:usted )?(?:a )?(?:un |una )?$",
        r"\bes (?:mi|nuestro|nuestra) $",
        r"\b(?:robot|máquina) o (?:un |una )?$",
    ),
    "fr": (
        r"\b(?:pas|jamais|inutile) (?:besoin )?(?:d'|(?!(?:je|passez|donnez|mais)\b)[\w']+ ){0,5}$",
        r"(?:êtes-vous|vous êtes|es-tu|tu es|(?:^|[.!?] )c'est|est-ce|je suis) (?:bien |vraiment"
        r" )?(?:un |une"
        r" |le |la |votre )?(?:être )?$",
        r"\b(?:suis-je|je suis) (?:\w+ ){0,3}avec (?:un |une )?(?:être )?$",
        r"(?:on dirait|l'air d'|semblez|comme) ?(?:être )?(?:un |une )?(?:être )?$",
        r"\bje parle (?:bien |vraiment )?(?:à|avec) (?:un |une )?(?:être )?$",
    ),
}
"""What stands before such a word when the caller does not ask for a human."""

_NOT_WANTED_AFTER = {
    "en": (
        r"\W*(?:no,? thank|(?:(?:is|are|it's|that's) )?not (?:needed|necessary|required)"
        r"|(?:isn't|won't be) (?:needed|necessary|required))",
        r" (?:said|told|came|called|was|were|had|did|promised|helped)\b",
        r" or an? (?:robot|machine|computer|bot|recording)\b",
    ),
    "de": (
        r"\W*nein,? danke|[^.,!?]{0,40}\bnicht (?:sprechen|reden|nötig|notwendig|erforderlich)\b",
        r" (?:\w+ ){0,3}(?:war|hat|hatte|sagte|meinte|kam|gesprochen|geredet|telefoniert)\b",
        r"[^.,!?]{0,20}\boder (?:ein|eine) (?:roboter|maschine|computer|bot)\b",
    ),
    "es": (
        r"\W*(?:no,? gracias|no hace falta|no es necesario|no lo necesito)",
        r" (?:me )?(?:vino|dijo|llamó|estuvo|era|fue|atendió|prometió)\b",
    ),
    "fr": (
        r"\W*(?:non,? merci|ce n'est pas (?:la peine|nécessaire)|pas besoin)",
        r" (?:m'a|m'avait|nous a|a|avait|était) \w+",
        r" ou une? (?:robot|machine|ordinateur)\b",
    ),
}
"""What stands after it then."""


class Phrases(msgspec.Struct, frozen=True):
    """The compiled patterns of one language, or of all."""

    humans: tuple[re.Pattern[str], ...]
    complaints: tuple[re.Pattern[str], ...]
    other_meanings: tuple[re.Pattern[str], ...]
    not_wanted_before: tuple[re.Pattern[str], ...]
    not_wanted_after: tuple[re.Pattern[str], ...]

    def human(self, text: str) -> str | None:
        """Return the word by which `text` asks for a human, or None if it does not ask."""
        text = _plain(text)
        for other in self.other_meanings:
            text = other.sub("-", text)
        for pattern in self.humans:
            for found in pattern.finditer(text):
                before, after = text[: found.start()], text[found.end() :]
                if any(each.search(before) for each in self.not_wanted_before):
                    continue
                if not any(each.match(after) for each in self.not_wanted_after):
                    return found[1]
        return None

    def complains(self, text: str) -> bool:
        """Return whether `text` complains."""
        return any(pattern.search(_plain(text)) for pattern in self.complaints)


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").split())


def phrases(language: str | None, words: Iterable[str] = ()) -> Phrases:
    """Return the patterns of a language (ISO 639-1); `words` are the owner's own for a human."""
    known = (language or "").lower()[:2]
    chosen = (known,) if known in _HUMANS else tuple(_HUMANS)
    own = [rf"(?<!\w)({re.escape(_plain(word))})(?!\w)" for word in words]
    return Phrases(
        humans=(*_compiled(_HUMANS, chosen), *map(re.compile, own)),
        complaints=_compiled(_COMPLAINTS, chosen),
        other_meanings=tuple(re.compile(_OTHER_MEANINGS[one]) for one in chosen),
        not_wanted_before=_compiled(_NOT_WANTED_BEFORE, chosen),
        not_wanted_after=_compiled(_NOT_WANTED_AFTER, chosen),
    )


def _compiled(
    patterns: dict[str, tuple[str, ...]], chosen: Iterable[str]
) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(each) for language in chosen for each in patterns[language])
