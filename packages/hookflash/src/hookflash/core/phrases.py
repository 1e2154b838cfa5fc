"""Every sentence that a caller or a human hears from the carrier's own voice, in seven languages.

The model speaks the caller's language by itself. These are said without it: by the carrier, to
callers who wait and to humans who are asked. A text in {braces} is filled in. No I/O.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from hookflash.errors import ConfigError

_FIELD = re.compile(r"{([^{}]*)}")


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences that callers and humans hear from the carrier, in polite telephone language.

    A phrase that you leave out is that of the agent's language. `{fields}` are filled in, and each
    phrase knows those of its default. Raises `ConfigError` for a field that is not known.
    """

    whisper: str = ""
    """What a human hears first."""
    caller: str = ""
    """How a caller without a number is called in the whisper."""
    caller_number: str = ""
    """How a caller is called whose number ends in {digits}."""
    no_reason: str = ""
    """What the whisper has as the reason where none is known."""
    learned: str = ""
    """What the caller has {said} since the hand-off was asked for."""
    accept_prompt: str = ""
    """What a human hears who is asked for a key."""
    taken: str = ""
    """What a human hears who is too late."""
    no_caller: str = ""
    """What a human hears if the caller has hung up."""
    on_hold: str = ""
    """What anybody hears who has to wait."""
    parting: str = ""
    """What a human hears who has pressed `*`."""
    given_back: str = ""
    """What a human hears who has given the caller back."""
    next_in_queue: str = ""
    """What the first caller in a queue hears."""
    queue_position: str = ""
    """What a caller in a queue hears, at the position {number}."""
    wait_minute: str = ""
    """What follows if the wait is about a minute."""
    wait_minutes: str = ""
    """What follows if the wait is about {minutes} minutes."""
    leave_queue: str = ""
    """How to leave the queue by the {key}."""
    sorry: str = ""
    """What a caller hears before the end, if nobody was reached."""
    nobody_there: str = ""
    """What a caller hears before they are asked for a message."""
    voicemail_prompt: str = ""
    """What a caller hears before the tone."""
    message_thanks: str = ""
    """What a caller hears who has left a message."""
    apology: str = ""
    """What a caller hears if nothing else is possible, for a technical reason."""
    recording: str = ""
    """What a caller hears before a recording."""

    def __post_init__(self) -> None:
        english = PHRASES.get("en", self)
        for name in self.__struct_fields__:
            text = getattr(self, name)
            if not isinstance(text, str):
                raise ConfigError(f"Phrases: {name} must be a text; got {text!r}")
            known = set(_FIELD.findall(getattr(english, name)))
            if name == "whisper":
                known.add("agent")
            if wrong := sorted(set(_FIELD.findall(text)) - known):
                raise ConfigError(
                    f"Phrases: {name} has {{{wrong[0]}}}, which nothing fills in; it knows"
                    f" {', '.join(sorted(known)) or 'no fields'}"
                )


PHRASES: Final[dict[str, Phrases]] = {}
"""The complete set of each language (ISO 639-1)."""

PHRASES["en"] = Phrases(
    whisper="Call for {destination}. {caller} is on the line: {reason}. {summary} {learned}",
    caller="A caller",
    caller_number="A caller whose number ends in {digits}",
    no_reason="they want to talk to a person",
    learned="Since then they said: {said}",
    accept_prompt="Press 1 to take the call, or 2 to decline it.",
    taken="Somebody else has taken this call. Thank you. Goodbye.",
    no_caller="The caller is not on the line any more. Thank you. Goodbye.",
    on_hold="One moment, please.",
    parting=(
        "The caller is on hold. Press 2 to give the caller back to the assistant, or 1 to talk on."
    ),
    given_back="Thank you. The caller is with the assistant again. Goodbye.",
    next_in_queue="You are next. Please hold the line.",
    queue_position="You are number {number} in the queue.",
    wait_minute="The wait is about 1 minute.",
    wait_minutes="The wait is about {minutes} minutes.",
    leave_queue="To go back to the assistant, press {key}.",
    sorry="I am sorry, nobody can take your call right now. Please call again later.",
    nobody_there="I am sorry, nobody can take your call right now.",
    voicemail_prompt=(
        "Please leave your message after the tone, and hang up or press the hash key when you are"
        " done."
    ),
    message_thanks="Thank you. Your message will be passed on. Goodbye.",
    apology=(
        "I am sorry, we cannot take your call right now because of a technical problem."
        " Please call again later."
    ),
    recording="This call is recorded.",
)
PHRASES["de"] = Phrases(
    whisper=(
        "Ein Anruf für {destination}. {caller} ist in der Leitung: {reason}. {summary} {learned}"
    ),
    caller="Jemand",
    caller_number="Jemand, dessen Nummer auf {digits} endet,",
    no_reason="möchte mit einem Menschen sprechen",
    learned="Seitdem sagte die Person: {said}",
    accept_prompt="Drücken Sie die 1, um den Anruf anzunehmen, oder die 2, um ihn abzulehnen.",
    taken="Jemand anderes hat diesen Anruf bereits angenommen. Vielen Dank. Auf Wiederhören.",
    no_caller="Die Person hat inzwischen aufgelegt. Vielen Dank. Auf Wiederhören.",
    on_hold="Einen Moment, bitte.",
    parting=(
        "Das Gespräch wird gehalten. Drücken Sie die 2, um den Anruf an die Assistenz"
        " zurückzugeben, oder die 1, um weiterzusprechen."
    ),
    given_back="Vielen Dank. Die Assistenz spricht wieder mit der Person. Auf Wiederhören.",
    next_in_queue="Sie sind als Nächstes an der Reihe. Bitte bleiben Sie in der Leitung.",
    queue_position="Sie sind in der Warteschlange an Position {number}.",
    wait_minute="Die Wartezeit beträgt etwa eine Minute.",
    wait_minutes="Die Wartezeit beträgt etwa {minutes} Minuten.",
    leave_queue="Um zur Assistenz zurückzukehren, drücken Sie die {key}.",
    sorry=(
        "Es tut mir leid, im Moment kann niemand Ihren Anruf annehmen. Bitte rufen Sie später noch"
        " einmal an."
    ),
    nobody_there="Es tut mir leid, im Moment kann niemand Ihren Anruf annehmen.",
    voicemail_prompt=(
        "Bitte sprechen Sie Ihre Nachricht nach dem Signalton. Legen Sie danach auf, oder drücken"
        " Sie die Rautetaste."
    ),
    message_thanks="Vielen Dank. Ihre Nachricht wird weitergegeben. Auf Wiederhören.",
    apology=(
        "Es tut mir leid, wegen eines technischen Problems können wir Ihren Anruf gerade"
        " nicht annehmen. Bitte rufen Sie später noch einmal an."
    ),
    recording="Dieses Gespräch wird aufgezeichnet.",
)
PHRASES["fr"] = Phrases(
    whisper=("Un appel pour {destination}. {caller} est en ligne : {reason}. {summary} {learned}"),
    caller="Une personne",
    caller_number="Une personne dont le numéro se termine par {digits}",
    no_reason="souhaite parler à quelqu'un",
    learned="Depuis, cette personne a dit : {said}",
    accept_prompt="Appuyez sur le 1 pour prendre l'appel, ou sur le 2 pour le refuser.",
    taken="Quelqu'un d'autre a déjà pris cet appel. Merci. Au revoir.",
    no_caller="La personne n'est plus en ligne. Merci. Au revoir.",
    on_hold="Un instant, s'il vous plaît.",
    parting=(
        "Votre correspondant est en attente. Appuyez sur le 2 pour le rendre à l'assistant, ou sur"
        " le 1 pour reprendre la conversation."
    ),
    given_back="Merci. Votre correspondant est de nouveau avec l'assistant. Au revoir.",
    next_in_queue="Vous êtes le prochain appel. Merci de rester en ligne.",
    queue_position="Vous êtes en position {number} dans la file d'attente.",
    wait_minute="Le temps d'attente est d'environ une minute.",
    wait_minutes="Le temps d'attente est d'environ {minutes} minutes.",
    leave_queue="Pour revenir à l'assistant, appuyez sur le {key}.",
    sorry=(
        "Je suis désolé, personne ne peut prendre votre appel pour le moment. Veuillez rappeler"
        " plus tard."
    ),
    nobody_there="Je suis désolé, personne ne peut prendre votre appel pour le moment.",
    voicemail_prompt=(
        "Veuillez laisser votre message après le signal sonore, puis raccrochez ou appuyez sur la"
        " touche dièse."
    ),
    message_thanks="Merci. Votre message sera transmis. Au revoir.",
    apology=(
        "Toutes nos excuses, un problème technique nous empêche de prendre votre appel pour le"
        " moment. Veuillez rappeler plus tard."
    ),
    recording="Cet appel est enregistré.",
)
PHRASES["es"] = Phrases(
    whisper=(
        "Una llamada para {destination}. {caller} está en la línea: {reason}. {summary} {learned}"
    ),
    caller="Una persona",
    caller_number="Una persona cuyo número termina en {digits}",
    no_reason="quiere hablar con alguien",
    learned="Desde entonces ha dicho: {said}",
    accept_prompt="Pulse 1 para aceptar la llamada, o 2 para rechazarla.",
    taken="Otra persona ya ha atendido esta llamada. Gracias. Adiós.",
    no_caller="La persona ya no está en la línea. Gracias. Adiós.",
    on_hold="Un momento, por favor.",
    parting=(
        "La llamada está en espera. Pulse 2 para devolverla al asistente, o 1 para seguir hablando."
    ),
    given_back="Gracias. La persona está de nuevo con el asistente. Adiós.",
    next_in_queue="Usted es el siguiente. Por favor, no cuelgue.",
    queue_position="Usted ocupa la posición {number} en la cola.",
    wait_minute="El tiempo de espera es de un minuto aproximadamente.",
    wait_minutes="El tiempo de espera es de unos {minutes} minutos.",
    leave_queue="Para volver con el asistente, pulse {key}.",
    sorry=(
        "Lo siento, en este momento nadie puede atender su llamada. Por favor, vuelva a llamar más"
        " tarde."
    ),
    nobody_there="Lo siento, en este momento nadie puede atender su llamada.",
    voicemail_prompt=(
        "Por favor, deje su mensaje después de la señal y, al terminar, cuelgue o pulse la tecla"
        " almohadilla."
    ),
    message_thanks="Gracias. Transmitiremos su mensaje. Adiós.",
    apology=(
        "Lo siento, en este momento no podemos atender su llamada por un problema técnico."
        " Por favor, vuelva a llamar más tarde."
    ),
    recording="Esta llamada se está grabando.",
)
PHRASES["it"] = Phrases(
    whisper=("Una chiamata per {destination}. {caller} è in linea: {reason}. {summary} {learned}"),
    caller="Una persona",
    caller_number="Una persona il cui numero finisce con {digits}",
    no_reason="desidera parlare con qualcuno",
    learned="Nel frattempo ha detto: {said}",
    accept_prompt="Prema 1 per accettare la chiamata, oppure 2 per rifiutarla.",
    taken="Qualcun altro ha già risposto a questa chiamata. Grazie. Arrivederci.",
    no_caller="La persona non è più in linea. Grazie. Arrivederci.",
    on_hold="Un momento, per favore.",
    parting=(
        "La chiamata è in attesa. Prema 2 per restituirla all'assistente, oppure 1 per continuare"
        " a parlare."
    ),
    given_back="Grazie. La persona è di nuovo con l'assistente. Arrivederci.",
    next_in_queue="Lei è il prossimo. La preghiamo di restare in linea.",
    queue_position="Lei è in posizione {number} nella coda.",
    wait_minute="Il tempo di attesa è di circa un minuto.",
    wait_minutes="Il tempo di attesa è di circa {minutes} minuti.",
    leave_queue="Per tornare all'assistente, prema {key}.",
    sorry=(
        "Mi dispiace, al momento nessuno può rispondere alla sua chiamata. La preghiamo di"
        " richiamare più tardi."
    ),
    nobody_there="Mi dispiace, al momento nessuno può rispondere alla sua chiamata.",
    voicemail_prompt=(
        "Lasci un messaggio dopo il segnale acustico; alla fine riagganci o prema il tasto"
        " cancelletto."
    ),
    message_thanks="Grazie. Il suo messaggio sarà inoltrato. Arrivederci.",
    apology=(
        "Mi dispiace, al momento non possiamo rispondere alla sua chiamata per un problema"
        " tecnico. La preghiamo di richiamare più tardi."
    ),
    recording="Questa chiamata viene registrata.",
)
PHRASES["pt"] = Phrases(
    whisper=(
        "Uma chamada para {destination}. {caller} está em linha: {reason}. {summary} {learned}"
    ),
    caller="Uma pessoa",
    caller_number="Uma pessoa cujo número termina em {digits}",
    no_reason="quer falar com alguém",
    learned="Entretanto disse: {said}",
    accept_prompt="Prima 1 para aceitar a chamada, ou 2 para a recusar.",
    taken="Outra pessoa já atendeu esta chamada. Obrigado. Até logo.",
    no_caller="A pessoa já não está em linha. Obrigado. Até logo.",
    on_hold="Um momento, por favor.",
    parting=(
        "A chamada está em espera. Prima 2 para a devolver ao assistente, ou 1 para continuar a"
        " falar."
    ),
    given_back="Obrigado. A pessoa está novamente com o assistente. Até logo.",
    next_in_queue="A sua chamada é a próxima. Por favor, não desligue.",
    queue_position="Está na posição {number} da fila de espera.",
    wait_minute="O tempo de espera é de cerca de um minuto.",
    wait_minutes="O tempo de espera é de cerca de {minutes} minutos.",
    leave_queue="Para voltar ao assistente, prima {key}.",
    sorry=(
        "Lamento, neste momento ninguém pode atender a sua chamada. Por favor, volte a ligar mais"
        " tarde."
    ),
    nobody_there="Lamento, neste momento ninguém pode atender a sua chamada.",
    voicemail_prompt=(
        "Por favor, deixe a sua mensagem após o sinal e, no fim, desligue ou prima a tecla"
        " cardinal."
    ),
    message_thanks="Obrigado. A sua mensagem será transmitida. Até logo.",
    apology=(
        "Lamento, não podemos atender a sua chamada neste momento por causa de um problema"
        " técnico. Por favor, volte a ligar mais tarde."
    ),
    recording="Esta chamada está a ser gravada.",
)
PHRASES["nl"] = Phrases(
    whisper=(
        "Een oproep voor {destination}. {caller} is aan de lijn: {reason}. {summary} {learned}"
    ),
    caller="Iemand",
    caller_number="Iemand met een nummer dat eindigt op {digits}",
    no_reason="wil graag iemand spreken",
    learned="Sindsdien zei deze persoon: {said}",
    accept_prompt="Toets 1 om de oproep aan te nemen, of 2 om deze te weigeren.",
    taken="Iemand anders heeft deze oproep al aangenomen. Dank u wel. Tot ziens.",
    no_caller="De beller is niet meer aan de lijn. Dank u wel. Tot ziens.",
    on_hold="Een ogenblik, alstublieft.",
    parting=(
        "De beller staat in de wacht. Toets 2 om de beller terug te geven aan de assistent, of 1"
        " om verder te praten."
    ),
    given_back="Dank u wel. De beller spreekt weer met de assistent. Tot ziens.",
    next_in_queue="U bent als volgende aan de beurt. Blijft u alstublieft aan de lijn.",
    queue_position="U bent nummer {number} in de wachtrij.",
    wait_minute="De wachttijd is ongeveer een minuut.",
    wait_minutes="De wachttijd is ongeveer {minutes} minuten.",
    leave_queue="Toets {key} om terug te gaan naar de assistent.",
    sorry=(
        "Het spijt me, op dit moment kan niemand uw oproep aannemen. Belt u later alstublieft"
        " terug."
    ),
    nobody_there="Het spijt me, op dit moment kan niemand uw oproep aannemen.",
    voicemail_prompt=("Spreek uw bericht in na de toon, en hang daarna op of druk op het hekje."),
    message_thanks="Dank u wel. Uw bericht wordt doorgegeven. Tot ziens.",
    apology=(
        "Het spijt me, door een technisch probleem kunnen we uw oproep nu niet aannemen."
        " Belt u later alstublieft terug."
    ),
    recording="Dit gesprek wordt opgenomen.",
)

ENGLISH: Final = PHRASES["en"]

LANGUAGE_NAMES: Final = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
}

_IN_PAIRS: Final = frozenset({"es", "fr", "nl"})
"""The languages in which the digits of a number are said two by two."""


def phrases_of(language: str | None, own: Phrases | None = None) -> Phrases:
    """Return the complete phrases of a language, with an owner's own in their place.

    A language without a set has the English one.
    """
    base = PHRASES.get(language or "en", ENGLISH)
    if own is None:
        return base
    changed = {name: getattr(own, name) for name in own.__struct_fields__ if getattr(own, name)}
    return msgspec.structs.replace(base, **changed)


def spoken_digits(digits: str, language: str | None) -> str:
    """Return the digits as a voice of this language says them.

    In most languages they are said one by one. French, Spanish and Dutch say them in pairs; a pair
    that begins with 0 is said as two digits.
    """
    if language not in _IN_PAIRS or len(digits) % 2:
        return " ".join(digits)
    pairs = (digits[place : place + 2] for place in range(0, len(digits), 2))
    return " ".join(" ".join(pair) if pair[0] == "0" else pair for pair in pairs)


def filled(phrase: str, **values: str) -> str:
    """Return the phrase with its fields filled in, in one pass: a value may have braces."""
    return _FIELD.sub(lambda found: values.get(found[1], ""), phrase)
