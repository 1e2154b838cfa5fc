"""The prepared lines: what callers hear while the live model cannot speak.

    filler           something to say while the caller waits; has variants, which are said in turn
    still-there      asks a silent caller whether they are there
    still-there-2    asks a second time
    goodbye-silent   ends the call of a caller who stays silent
    sorry            a technical problem: the caller is connected with a colleague
    apology          a technical problem, and nobody to connect the caller with
    back             the connection was cut off, and is there again
    tone, ringing    sounds; they need no text

A line's text comes from the owner (`Agent(prepared={...})`), else from the table of the agent's
language, else from the English one. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hookflash.core.phrases import PHRASES
from hookflash.errors import ConfigError

SPOKEN: Final = (
    "filler",
    "still-there",
    "still-there-2",
    "goodbye-silent",
    "sorry",
    "apology",
    "back",
)
"""The lines that have a text."""

TONES: Final = ("tone", "ringing")
"""The lines that are sounds."""

LONGEST_TEXT: Final = 400
"""Characters of one text: about half a minute of speech."""

MOST_VARIANTS: Final = 8

DEFAULT_LANGUAGE: Final = "en"

_Texts = dict[str, tuple[str, ...]]

TEXTS: Final[dict[str, _Texts]] = {
    "en": {
        "filler": ("One moment, please.", "Let me see.", "Just a second.", "I am on it."),
        "still-there": ("Hello, are you still there?",),
        "still-there-2": ("I cannot hear you. Are you still on the line?",),
        "goodbye-silent": ("I still cannot hear you, so I will end the call now. Goodbye.",),
        "sorry": (
            "I am sorry, we have a technical problem. I am connecting you with a colleague.",
        ),
        "apology": (PHRASES["en"].apology,),
        "back": ("Sorry, we were cut off. I am back.",),
    },
    "de": {
        "filler": (
            "Einen Moment, bitte.",
            "Ich sehe kurz nach.",
            "Einen kleinen Augenblick.",
            "Ich bin gleich so weit.",
        ),
        "still-there": ("Hallo, sind Sie noch da?",),
        "still-there-2": ("Ich kann Sie nicht hören. Sind Sie noch in der Leitung?",),
        "goodbye-silent": (
            "Ich kann Sie leider nicht hören und beende jetzt das Gespräch. Auf Wiederhören.",
        ),
        "sorry": (
            "Es tut mir leid, wir haben ein technisches Problem."
            " Ich verbinde Sie mit einer Kollegin oder einem Kollegen.",
        ),
        "apology": (PHRASES["de"].apology,),
        "back": ("Entschuldigung, wir wurden unterbrochen. Jetzt bin ich wieder da.",),
    },
    "fr": {
        "filler": (
            "Un instant, s'il vous plaît.",
            "Je regarde.",
            "Juste une seconde.",
            "Je m'en occupe.",
        ),
        "still-there": ("Allô, êtes-vous toujours là ?",),
        "still-there-2": ("Je ne vous entends pas. Êtes-vous toujours en ligne ?",),
        "goodbye-silent": (
            "Je ne vous entends toujours pas, je mets donc fin à l'appel. Au revoir.",
        ),
        "sorry": (
            "Toutes nos excuses, nous avons un problème technique."
            " Je vous mets en relation avec un collègue.",
        ),
        "apology": (PHRASES["fr"].apology,),
        "back": ("Excusez-moi, nous avons été coupés. Je suis de nouveau là.",),
    },
    "es": {
        "filler": (
            "Un momento, por favor.",
            "Déjeme ver.",
            "Solo un segundo.",
            "Enseguida estoy con usted.",
        ),
        "still-there": ("Hola, ¿sigue ahí?",),
        "still-there-2": ("No le oigo. ¿Sigue en la línea?",),
        "goodbye-silent": ("Sigo sin oírle, así que voy a terminar la llamada. Adiós.",),
        "sorry": ("Lo siento, tenemos un problema técnico. Le paso con un compañero.",),
        "apology": (PHRASES["es"].apology,),
        "back": ("Disculpe, se ha cortado. Ya estoy de vuelta.",),
    },
    "it": {
        "filler": (
            "Un momento, per favore.",
            "Vediamo.",
            "Solo un secondo.",
            "Sono subito da lei.",
        ),
        "still-there": ("Pronto, è ancora lì?",),
        "still-there-2": ("Non la sento. È ancora in linea?",),
        "goodbye-silent": ("Continuo a non sentirla, quindi chiudo la chiamata. Arrivederci.",),
        "sorry": (
            "Mi dispiace, abbiamo un problema tecnico. La metto in contatto con un collega.",
        ),
        "apology": (PHRASES["it"].apology,),
        "back": ("Mi scusi, è caduta la linea. Eccomi di nuovo.",),
    },
    "pt": {
        "filler": (
            "Um momento, por favor.",
            "Deixe-me ver.",
            "Só um segundo.",
            "Já lhe respondo.",
        ),
        "still-there": ("Olá, ainda está aí?",),
        "still-there-2": ("Não consigo ouvir. Ainda está na linha?",),
        "goodbye-silent": ("Continuo sem ouvir, por isso vou terminar a chamada. Até logo.",),
        "sorry": ("Lamento, temos um problema técnico. Vou transferir a chamada para um colega.",),
        "apology": (PHRASES["pt"].apology,),
        "back": ("Desculpe, a ligação caiu. Já estou de volta.",),
    },
    "nl": {
        "filler": (
            "Een ogenblik, alstublieft.",
            "Ik kijk even.",
            "Een seconde.",
            "Ik ben er zo mee klaar.",
        ),
        "still-there": ("Hallo, bent u er nog?",),
        "still-there-2": ("Ik hoor u niet. Bent u nog aan de lijn?",),
        "goodbye-silent": ("Ik hoor u nog steeds niet en beëindig nu het gesprek. Tot ziens.",),
        "sorry": (
            "Het spijt me, we hebben een technisch probleem. Ik verbind u door met een collega.",
        ),
        "apology": (PHRASES["nl"].apology,),
        "back": ("Sorry, de verbinding viel weg. Ik ben er weer.",),
    },
}
"""The texts of each language (ISO 639-1), by line."""


def own_texts(prepared: Mapping[str, Any] | None, *, where: str) -> Mapping[str, tuple[str, ...]]:
    """Return an owner's texts by line, checked. A value is one text, or several variants.

    Raises `ConfigError` for an unknown line and for a value that is not a text. Its message begins
    with `where`.
    """
    if prepared is None:
        return MappingProxyType({})
    if not isinstance(prepared, Mapping):
        raise ConfigError(
            f"{where}: prepared must map lines to texts, such as {{'filler': 'One moment.'}}; got"
            f" {type(prepared).__name__}"
        )
    found: _Texts = {}
    for line, given in prepared.items():
        if line not in SPOKEN:
            sound = " is a sound and has no text;" if line in TONES else " is no prepared line;"
            raise ConfigError(f"{where}: prepared: {line!r}{sound} use {', '.join(SPOKEN)}")
        found[line] = checked_texts(given, f"{where}: prepared[{line!r}]")
    return MappingProxyType(found)


def checked_texts(given: Any, what: str, *, otherwise: str = "") -> tuple[str, ...]:
    """Return one text, or several variants, as they are spoken.

    Raises a `ConfigError` that begins with `what` for any other value. `otherwise` says what else
    would be accepted.
    """
    variants = (given,) if isinstance(given, str) else given
    if not isinstance(variants, list | tuple) or not 1 <= len(variants) <= MOST_VARIANTS:
        raise ConfigError(
            f"{what} must be a text or a list of 1 to {MOST_VARIANTS} texts{otherwise}, got"
            f" {given!r}"
        )
    for text in variants:
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
            raise ConfigError(
                f"{what} must be a text of 1 to {LONGEST_TEXT} characters{otherwise}, got {text!r}"
            )
    return tuple(" ".join(text.split()) for text in variants)


def has_language(language: str) -> bool:
    """Whether there are texts in `language` (ISO 639-1)."""
    return language in TEXTS


def texts_of(
    line: str, *, language: str | None, own: Mapping[str, tuple[str, ...]]
) -> tuple[str, tuple[str, ...]]:
    """Return the language in which a line is spoken, and its texts, the variants in turn.

    `own` are the owner's texts. Without a language, or in one that has no table, the agent's own
    texts are spoken in `language` and the others in English. `line` is one of `SPOKEN`.
    """
    if line in own:
        return language or DEFAULT_LANGUAGE, own[line]
    spoken = language if language is not None and has_language(language) else DEFAULT_LANGUAGE
    return spoken, TEXTS[spoken][line]
