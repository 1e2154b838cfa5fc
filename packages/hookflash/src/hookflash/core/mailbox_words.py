"""Recognise the greeting of a mailbox by its words, in the languages that Hookflash has texts for.

Only phrases count that ask for a message after a tone, or that name the mailbox as the speaker. A
person who asks "is this your voicemail?" is no mailbox.
"""

from __future__ import annotations

import re

_PHRASES = (
    # en
    r"(after|at|following|wait for) the (tone|beep|signal)",
    r"leave (me |us |him |her |them )?(your |a )?(name|message|short message|brief message)",
    r"record (your|a) message",
    r"(reached|forwarded to|welcome to) (the |an |my )?(voice ?mail|mailbox|answering machine)",
    r"mailbox is full",
    # de
    r"nach dem (signal|ton|piep|pfeif)\w*",
    r"hinterlassen sie (uns |mir )?(bitte )?(eine|ihre) nachricht",
    r"nachricht hinterlassen",
    r"(sprachbox|mailbox|anrufbeantworter) von",
    # fr
    r"après le (bip|signal)",
    r"laisse[rz](-moi|-nous)? (moi |nous )?(un|votre) message",
    r"(messagerie|répondeur) (vocale )?de",
    # es
    r"después de(l| la) (tono|señal)",
    r"(deje|dejar|deja) (su|un|tu) mensaje",
    r"buzón de voz de",
    # it
    r"dopo il (segnale|bip|tono)",
    r"(lasciate|lasciare|lasci|lascia) (un|il) (vostro |suo |tuo )?messaggio",
    r"segreteria telefonica di",
    # pt
    r"(após|depois d)o (sinal|bipe?|tom)",
    r"(deixe|deixar) (a )?(sua |uma )?mensagem",
    r"caixa postal de",
    # nl
    r"na de (toon|piep|pieptoon)",
    r"(laat|spreek) (een |uw |je )?(bericht|boodschap)",
    r"voicemail van",
)
_MAILBOX = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b", re.IGNORECASE)


def is_mailbox(text: str) -> bool:
    """Return whether a text is what a mailbox says."""
    return _MAILBOX.search(text) is not None
