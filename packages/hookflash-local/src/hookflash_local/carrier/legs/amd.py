"""Answering-machine detection (AMD): says what answered, by listening.

    silence so long             -> unknown       (SilenceTimeout, 5 s)
    speech, then silence        -> human         (SpeechEndThreshold, 1.2 s)
    speech longer than so       -> machine_start (SpeechThreshold, 2.4 s), with Enable
      then a beep | silence     -> machine_end_beep | machine_end_silence, with DetectMessageEnd
    2,100 Hz for half a second  -> fax
    time is up                  -> unknown; machine_end_other if a machine was found before

It has no other information: a `Human` who talks like a machine is taken for one, as on a real line.
Source: Twilio, Answering machine detection; the thresholds are those of the Call resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hookflash import g711
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.frame_clock import FRAME_SECONDS
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, sample_at

BEEP_SECONDS = 0.2
FAX_SECONDS = 0.5
_FAX_HZ = (2050.0, 2150.0)


@dataclass(frozen=True)
class Detection:
    """What REST or `<Number>` asked for. Seconds; `callback` is a URL and a method.

    `asynchronous`: the call goes on meanwhile, and the result is only reported.
    """

    to_the_end: bool = False
    timeout: float = 30.0
    speech: float = 2.4
    speech_end: float = 1.2
    silence: float = 5.0
    asynchronous: bool = False
    callback: tuple[str, str] | None = None


def detection(
    fields: Mapping[str, str], *, asynchronous: bool, callback: tuple[str, str] | None
) -> Detection | None:
    """Read MachineDetection and its thresholds, by their REST names; None if none is wanted."""
    mode = fields.get("MachineDetection")
    if mode not in ("Enable", "DetectMessageEnd"):
        return None

    def milliseconds(name: str, otherwise: int) -> float:
        return int(fields.get(f"MachineDetection{name}", otherwise)) / 1000

    return Detection(
        mode == "DetectMessageEnd",
        float(fields.get("MachineDetectionTimeout", 30)),
        milliseconds("SpeechThreshold", 2400),
        milliseconds("SpeechEndThreshold", 1200),
        milliseconds("SilenceTimeout", 5000),
        asynchronous,
        callback,
    )


class MachineDetector:
    """Detects who answered, 20 ms at a time; its counters are seconds."""

    def __init__(self, wanted: Detection) -> None:
        self._wanted = wanted
        self._machine = False
        self._speech = 0.0
        self._quiet = 0.0
        self._tone = 0.0
        self._heard = 0.0
        self._spoke = False

    def hear(self, frame: bytes) -> str | None:
        """Return the AnsweredBy value, or None as long as it is not known."""
        self._heard += FRAME_SECONDS
        pitch = _pitch(frame)
        self._tone = self._tone + FRAME_SECONDS if pitch else 0.0
        if pitch is None and sounds.is_sound(frame):
            # A pause between words belongs to the speech.
            self._speech += FRAME_SECONDS + (self._quiet if self._spoke else 0.0)
            self._spoke = True
        self._quiet = 0.0 if sounds.is_sound(frame) else self._quiet + FRAME_SECONDS
        return self._judge(pitch is not None and _FAX_HZ[0] <= pitch <= _FAX_HZ[1])

    def _judge(self, fax: bool) -> str | None:
        wanted = self._wanted
        if fax and self._tone >= FAX_SECONDS:
            return "fax"
        beep = self._spoke and self._tone >= BEEP_SECONDS and not fax
        if beep and wanted.to_the_end:
            return "machine_end_beep"
        if beep or self._speech > wanted.speech:
            if not wanted.to_the_end:
                return "machine_start"
            self._machine = True
        if self._spoke and self._quiet >= wanted.speech_end:
            return "machine_end_silence" if self._machine else "human"
        if not self._spoke and self._quiet >= wanted.silence:
            return "unknown"
        if self._heard >= wanted.timeout:
            return "machine_end_other" if self._machine else "unknown"
        return None


async def detect(exchange: Exchange, leg: Leg, wanted: Detection) -> str:
    """Listen to a leg that was answered until it is known who answered; empty if it ended.

    Sends the result to the callback of `wanted`.
    """
    listener, result = MachineDetector(wanted), None
    began = leg.outbound_audio.opened_at or 0.0
    first = len(leg.outbound_audio.recording) // FRAME_SAMPLES
    index = first
    while result is None:
        if len(await leg.outbound_audio.frame(index)) < FRAME_SAMPLES:
            return ""
        at = sample_at(began) + index * FRAME_SAMPLES
        result = listener.hear(leg.inbound_audio.read(at, at + FRAME_SAMPLES))
        index += 1
    milliseconds = round((index - first) * FRAME_SECONDS * 1000)
    leg.about.answered_by = result
    leg.note("detected", by=result, milliseconds=milliseconds)
    if wanted.callback:
        form = {
            "CallSid": leg.sid,
            "AccountSid": leg.about.account_sid,
            "AnsweredBy": result,
            "MachineDetectionDuration": str(milliseconds),
        }
        exchange.webhooks.notify(*wanted.callback, form, call_sid=leg.sid)
    return result


def _pitch(frame: bytes) -> float | None:
    """Return the frequency of a pure tone, in Hz; None for speech, noise and silence."""
    if not sounds.is_sound(frame):
        return None
    samples = g711.decode(frame)
    crossings = [n for n in range(1, len(samples)) if (samples[n] < 0) != (samples[n - 1] < 0)]
    steps = [after - before for before, after in zip(crossings, crossings[1:], strict=False)]
    # The steps of a tone that does not fit the sampling differ by one, sometimes by two.
    if len(steps) < 8 or max(steps) - min(steps) > 2:
        return None
    return len(steps) * 8000 / (2 * sum(steps))
