"""`hookflash carrier`: a local Twilio for any TwiML application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hookflash.errors import ConfigError

if TYPE_CHECKING:
    import contextlib

    from hookflash_local.carrier.standalone import CarrierOptions, Serving

_GUIDE = "https://github.com/hookflash/hookflash/blob/main/docs/how-to/local-twilio.md"
_METHOD = click.Choice(["GET", "POST"])


@click.command
@click.option("--voice-url", required=True, help="Your application's TwiML for an incoming call.")
@click.option("--voice-method", type=_METHOD, default="POST", show_default=True)
@click.option("--fallback-url", help="Requested when the voice URL fails.")
@click.option("--fallback-method", type=_METHOD, default="POST", show_default=True)
@click.option("--status-url", help="Gets the status callback of each incoming call.")
@click.option("--status-method", type=_METHOD, default="POST", show_default=True)
@click.option(
    "--number", "numbers", multiple=True, help="A number of the account.  [default: +15550100001]"
)
@click.option(
    "--human",
    "humans",
    multiple=True,
    metavar="NUMBER[=NAME]",
    help="A phone on the page that your application can call.  [default: +15550100002]",
)
@click.option(
    "--tunnel",
    "tunnels",
    multiple=True,
    metavar="PUBLIC=LOCAL",
    help="Where a public address leads, such as https://app.example.test=http://127.0.0.1:5000.",
)
@click.option("--account-sid", help="AC and 32 hexadecimal digits.  [default: AC000...]")
@click.option("--auth-token", help="Signs webhooks, opens REST.  [default: a fixed one]")
@click.option("--speech", is_flag=True, help="Speak <Say> and transcribe recordings, locally.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--phones-port", type=click.IntRange(0, 65535), default=8091, show_default=True)
def command(**given: Any) -> int:
    """Run a local Twilio with phones in the browser.

    It has REST, webhooks, TwiML and media streams, and nothing leaves this machine. It prints what
    to set in your application and each request that it sends there; an alert has Twilio's error
    code. Ctrl-C ends all calls and stops.
    """
    import asyncio

    return asyncio.run(_serve(_options(given), given["speech"]))


def _options(given: dict[str, Any]) -> CarrierOptions:
    from hookflash_local.carrier.exchange import NumberConfig
    from hookflash_local.carrier.standalone import CarrierOptions

    voice = NumberConfig(
        given["voice_url"],
        fallback_url=given["fallback_url"],
        status_callback=given["status_url"],
        voice_method=given["voice_method"],
        fallback_method=given["fallback_method"],
        status_method=given["status_method"],
    )
    chosen: dict[str, Any] = {
        "numbers": given["numbers"],
        "humans": {
            number: name for number, _, name in (each.partition("=") for each in given["humans"])
        },
        "tunnel": dict(_tunnel(each) for each in given["tunnels"]),
        "account_sid": given["account_sid"],
        "auth_token": given["auth_token"],
    }
    # An empty token is a value that is not allowed; nothing given is the default.
    wanted = {name: value for name, value in chosen.items() if value not in (None, (), {})}
    return CarrierOptions(voice, port=given["port"], phones_port=given["phones_port"], **wanted)


def _tunnel(text: str) -> tuple[str, str]:
    public, separator, local = text.partition("=")
    if not separator:
        raise ConfigError(
            "--tunnel: expected PUBLIC=LOCAL, such as"
            f" https://app.example.test=http://127.0.0.1:5000, got {text!r}"
        )
    return public, local


async def _serve(options: CarrierOptions, speech: bool) -> int:
    import asyncio
    import contextlib
    import signal

    from hookflash_local.carrier.standalone import serve_carrier

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            # Event loops of Windows have no signal handlers. Ctrl-C raises KeyboardInterrupt there.
            break
    async with contextlib.AsyncExitStack() as stack:
        voices = await _local_speech(stack) if speech else {}
        await serve_carrier(
            options,
            **voices,
            on_ready=lambda serving: click.echo(_instructions(options, serving)),
            on_request=lambda sent: click.echo(f"{sent.method} {sent.url} -> {sent.status}"),
            on_alert=lambda alert: click.echo(f"alert {alert}", err=True),
            stop=stop,
        )
    click.echo("hookflash: stopped")
    return 0


async def _local_speech(stack: contextlib.AsyncExitStack) -> dict[str, Any]:
    """Start the local speech in a process of its own and return its voice and transcriber.

    Without it `<Say>` is a pattern of tones. Raises ConfigError if a part is missing.
    """
    from rich.console import Console

    from hookflash.errors import ModelError
    from hookflash_local.carrier.media.sounds import voice_pattern
    from hookflash_local.cli._loading import Loading
    from hookflash_local.model.process import ModelProcess
    from hookflash_local.model.speech_client import SpeechClient

    with Loading(Console(highlight=False)) as loading:
        model = await stack.enter_async_context(ModelProcess(mode="local", on_progress=loading))
    client = SpeechClient(model.speech_url)

    async def speak(text: str) -> bytes:
        try:
            return await client.speak(text)
        except ModelError as error:
            click.echo(f"hookflash: {error}; <Say> is tones instead", err=True)
            return voice_pattern(text)

    async def transcribe(sound: bytes) -> str:
        return (await client.transcribe(sound)).text

    return {"speak": speak, "transcribe": transcribe}


def _instructions(options: CarrierOptions, serving: Serving) -> str:
    """Return what to set in the application, and how to call it."""
    numbers, humans = ", ".join(options.numbers), ", ".join(options.humans)
    return f"""
  TWILIO_ACCOUNT_SID={serving.account_sid}
  TWILIO_AUTH_TOKEN={serving.auth_token}
  TWILIO_API_URL={serving.api_url}

  Set these in your application, and send its REST requests to TWILIO_API_URL instead of
  https://api.twilio.com. How to do so with Twilio's own client:
  {_GUIDE}

  To call {numbers}, open {serving.phones_url} and press Call.
  When your application calls {humans}, that page rings.

hookflash: ready; Ctrl-C ends all calls and stops"""
