"""Measure how the local speech understands the callers of `callers.py`; returns Markdown tables."""

from __future__ import annotations

from collections.abc import Callable

from callers import Caller, callers, clean, on_the_line

from hookflash_local import audio
from hookflash_local.audio.impairments import IMPAIRMENTS
from hookflash_local.model.speech.intents import says_no, says_yes, wants_person
from hookflash_local.model.speech.parameter_values import find_value

Hear = Callable[[bytes], str]
Errors = Callable[[str, str], tuple[int, int]]

REQUEST = "speak-to-customer-support"
ALSO_REQUESTS = ("tts-human", "tts-agent", "tts-emergency")


def requests_table(hear: Hear) -> str:
    """Return for each request for a human its transcript and whether it was recognised."""
    rows = ["| said | voice | line | heard | human |", "|---|---|---|---|---|"]
    recognised = 0
    asking = [one for one in callers() if one.wants == "human"]
    for one in asking:
        words = hear(on_the_line(one))
        recognised += wants_person(words)
        rows.append(_row(one, words, "yes" if wants_person(words) else "**no**"))
    return "\n".join([*rows, "", f"Recognised: {recognised} of {len(asking)}."])


def values_table(hear: Hear) -> str:
    """Return for each number, name, yes and no its transcript and the value that was found."""
    rows = ["| said | voice | line | heard | found |", "|---|---|---|---|---|"]
    right = 0
    asked = [one for one in callers() if one.wants != "human"]
    for one in asked:
        words = hear(on_the_line(one))
        found = _found(one.wants, words)
        right += found == one.wants
        shown = found if found == one.wants else f"**{found or 'nothing'}**"
        rows.append(_row(one, words, shown))
    return "\n".join([*rows, "", f"Right: {right} of {len(asked)}."])


def lines_table(hear: Hear, errors: Errors) -> str:
    """Return for each line impairment the word errors, missed requests and false requests."""
    rows = [
        "| line | wrong words, real voices | requests recognised | the real request"
        " | others taken for one |",
        "|---|---|---|---|---|",
    ]
    asking = [clean(one) for one in callers() if one.wants == "human"]
    recordings = [audio.load(name) for name in audio.names()]
    for line, degrade in IMPAIRMENTS.items():
        wrong = words = real = mistaken = others = 0
        for recording in recordings:
            text = hear(degrade(recording.audio))
            if "synthetic" not in recording.licence:
                more, said = errors(recording.transcript, text)
                wrong, words = wrong + more, words + said
            if recording.name == REQUEST:
                real = wants_person(text)
            elif not recording.name.startswith(ALSO_REQUESTS):
                mistaken += wants_person(text)
                others += 1
        recognised = sum(wants_person(hear(degrade(sound))) for sound in asking)
        rows.append(
            f"| {line} | {wrong / words:.1%} | {recognised} of {len(asking)}"
            f" | {'yes' if real else 'no'} | {mistaken} of {others} |"
        )
    return "\n".join(rows)


def _row(caller: Caller, heard: str, found: str) -> str:
    return f"| {caller.said} | {caller.voice} | {caller.line} | {heard} | {found} |"


def _found(wants: str, words: str) -> str:
    if wants in ("yes", "no"):
        return {(True, False): "yes", (False, True): "no"}.get(
            (says_yes(words), says_no(words)), ""
        )
    name = "order_number" if any(letter.isdigit() for letter in wants) else "name"
    return find_value(name, {"type": "string"}, words, asked=True) or ""
