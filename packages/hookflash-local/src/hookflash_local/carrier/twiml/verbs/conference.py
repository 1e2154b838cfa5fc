"""`<Dial><Conference>`: joins a conference, waits for its start, and leaves it at its end.

What `waitUrl` says is played once and followed by silence; a `<Redirect>` in it makes it loop. If
it cannot be fetched, the leg does not join and the action is requested. A coach of a call that is
not in the conference cannot join either (13240). A label in use falls through to the next verb
(16025). Source: Twilio, `<Conference>`.
"""

from __future__ import annotations

from hookflash_local.carrier import alerts
from hookflash_local.carrier.conferences import Conference, Notify, Participant
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import rfc2822
from hookflash_local.carrier.legs.bridge import star_key
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.sources import Loop
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.twiml.execution import VerbContext, run
from hookflash_local.carrier.twiml.parse import Element

_EVENT_NAMES = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-mute": "mute",
    "participant-unmute": "mute",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-modify": "modify",
    "announcement-end": "announcement",
}

MOST_NAME_LETTERS = 128


async def join_conference(context: VerbContext, dial: Element, noun: Element) -> str:
    """Be in the conference until it is over; return the DialCallStatus, empty to go on below."""
    exchange, leg = context.exchange, context.leg
    conference = exchange.live.conferences_by_name.get(noun.text)
    participant = Participant(
        leg,
        starts=noun.true("startConferenceOnEnter", True),
        ends=noun.true("endConferenceOnExit"),
        muted=noun.true("muted"),
        label=noun.get("participantLabel"),
        beep=noun.get("beep", "true"),
        coaching=noun.get("coach"),
    )
    refused = _refused(context, noun, conference, participant)
    if refused is not None:
        return refused
    if conference is None or conference.completed:
        conference = _new_conference(context, noun)
    waited: list[bool] = []
    with star_key(leg, dial.true("hangupOnStar")) as star:
        conference.join(participant, jitter=noun.get("jitterBufferSize", "large"))
        try:
            async with exchange.clock.timeout(dial.number("timeLimit", 0) or None):
                waiting = _wait(context, noun, conference, waited)
                await first_of(
                    conference.started.wait(), participant.over.wait(), star.wait(), waiting
                )
                if False not in waited:
                    await first_of(participant.over.wait(), leg.ended(), star.wait())
        except TimeoutError:
            exchange.alert(0, "the conference reached the time limit of <Dial>", leg)
        finally:
            conference.leave(participant)
            if (
                conference.completed
                and exchange.live.conferences_by_name.get(noun.text) is conference
            ):
                del exchange.live.conferences_by_name[noun.text]
    return "failed" if False in waited else "answered"


def _refused(
    context: VerbContext, noun: Element, conference: Conference | None, participant: Participant
) -> str | None:
    """Say with which status `participant` may not come in; None if it may."""
    participants = conference.participants if conference else {}
    if not 0 < len(noun.text) <= MOST_NAME_LETTERS:
        context.exchange.alert(alerts.SCHEMA, "<Conference> needs a name", context.leg)
        return ""
    if participant.label and any(each.label == participant.label for each in participants.values()):
        text = f"label {participant.label!r} is in use"
        context.exchange.alert(alerts.BAD_LABEL_IN_USE, text, context.leg)
        return ""
    if len(participants) >= noun.number("maxParticipants", 250):
        context.exchange.alert(alerts.ROOM_FULL, f"conference {noun.text!r} is full", context.leg)
        return ""
    if participant.coaching and participant.coaching not in participants:
        text = f"coach: {participant.coaching} is not in this conference"
        context.exchange.alert(alerts.BAD_COACH, text, context.leg)
        return "failed"
    return None


async def _wait(
    context: VerbContext, noun: Element, conference: Conference, waited: list[bool]
) -> None:
    """Let the leg hear what `waitUrl` says, once, until the conference starts.

    `waited` gets True when the document has run. It gets False when the document failed; only then
    does this return before the start.
    """
    leg, url = context.leg, noun.get("waitUrl")
    if conference.started.is_set():
        await leg.ended()
    if "waitUrl" not in noun.attributes:
        leg.listen_to(Loop(sounds.hold_music(), context.exchange.clock.now()))
    elif url:
        entry = context.ask(url, noun.get("waitMethod"), {"ConferenceSid": conference.sid})
        finish = await run(context.exchange, leg, entry, segment="wait")
        waited.append(finish.how != "failed")
        if finish.how == "failed":
            return
    await conference.started.wait()


def _new_conference(context: VerbContext, noun: Element) -> Conference:
    """Create a conference with the status callback of its first participant."""
    exchange = context.exchange
    url = noun.get("statusCallback")
    method = noun.get("statusCallbackMethod") or "POST"
    events = frozenset(noun.get("statusCallbackEvent").split())
    if url:
        url = context.page.resolve(url)
    music = exchange.unconfirmed.music_for_the_last
    conference = Conference(
        noun.text,
        exchange.live.conference_sids.pop(noun.text, "") or exchange.new_sid("CF"),
        exchange.clock,
        lambda event, form: notify(event, form),
        music_for_the_last=music,
    )
    notify = _notifier(exchange, context.leg, conference, url, method, events)
    exchange.live.conferences_by_name[conference.name] = exchange.live.conferences[
        conference.sid
    ] = conference
    return conference


def _notifier(
    exchange: Exchange,
    leg: Leg,
    conference: Conference,
    url: str,
    method: str,
    events: frozenset[str],
) -> Notify:
    def notify(event: str, form: dict[str, str]) -> None:
        if not url or _EVENT_NAMES[event] not in events:
            return
        whole = {
            "ConferenceSid": conference.sid,
            "FriendlyName": conference.name,
            "AccountSid": exchange.settings.account_sid,
            "SequenceNumber": str(conference.sequence),
            "Timestamp": rfc2822(exchange.clock.wall()) or "",
            "StatusCallbackEvent": event,
            **form,
        }
        conference.sequence += 1
        exchange.webhooks.notify(url, method, whole, call_sid=leg.sid)

    return notify
