"""Check what a line needs before it can take calls: `hookflash doctor`.

Each check asks one thing and never raises. It returns a finding: what was found, and what to do.

    settings   -> all that `serve` needs, and the agent's file
    model      -> the key, the model's name, and when it is shut down
    carrier    -> the account's credentials, and the webhooks of a number
    public URL -> it reaches a running server, which takes our signature and refuses others
    machine    -> clock, disk, database, Redis
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec
from twilio.request_validator import RequestValidator

from hookflash.carriers.twilio.number_webhooks import NumberWebhooks, TwilioNumbers
from hookflash.carriers.twilio.urls import Urls, is_loopback
from hookflash.errors import ConfigError, HookflashError
from hookflash.server.model_choice import check_model
from hookflash.settings import Settings
from hookflash.stores.database import missing_file
from hookflash.world import SYSTEM

SECONDS = 10.0
MOST_SKEW_SECONDS = 60.0
LEAST_FREE_BYTES = 1_000_000_000
SHUTDOWNS = {
    "gpt-realtime": "2027-01-20",
    "gpt-realtime-2025-08-28": "2027-01-20",
    "gpt-realtime-mini": "2027-01-20",
    "gpt-realtime-mini-2025-10-06": "2027-01-20",
    "gpt-realtime-mini-2025-12-15": "2027-01-20",
}
"""Models with an announced date of their shutdown. Source: OpenAI, Deprecations."""

FindingState = Literal["ok", "note", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """What a check has found. `wrong` needs a change; `note` is good to know."""

    check: str
    state: FindingState
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


async def find_problems(
    settings: Settings, *, number: str | None = None, wall: Callable[[], float] = SYSTEM.wall
) -> list[Finding]:
    """Run all checks and return their findings in order. They run at the same time."""
    groups = await asyncio.gather(
        _settings(settings),
        _model(settings, wall),
        _carrier(settings, number),
        _public_url(settings),
        _disk(settings.storage.data_dir),
        _database(settings),
        _redis(settings),
    )
    return [finding for group in groups for finding in group]


async def _settings(settings: Settings) -> list[Finding]:
    try:
        settings.check_serving()
        check_model(settings.model.name, settings.model.url)
    except ConfigError as error:
        _, _, missing = str(error).partition("missing:\n")
        lines = [line.strip() for line in missing.splitlines()] or [str(error)]
        return [
            Finding("settings", "wrong", name, remedy.strip())
            for name, _, remedy in (line.partition(":") for line in lines)
        ]
    return [ok("settings", "all that `hookflash serve` needs is set")]


async def _get(
    url: str, *, auth: tuple[str, str] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response | str:
    """Return an answer, or why there is none."""
    local = is_loopback(urlsplit(url).hostname or "")
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=not local) as client:
            return await client.get(url, auth=auth, headers=headers or {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")


async def _model(settings: Settings, wall: Callable[[], float]) -> list[Finding]:
    if not settings.model.api_key:
        return []
    parts = urlsplit(settings.model.url)
    scheme = "http" if parts.scheme == "ws" else "https"
    base = parts.path.removesuffix("/realtime")
    name = settings.model.name
    answer = await _get(
        f"{scheme}://{parts.netloc}{base}/models/{name}",
        headers={"Authorization": f"Bearer {settings.model.api_key}"},
    )
    if isinstance(answer, str):
        remedy = "check the network, a proxy, and HOOKFLASH_MODEL_URL"
        return [Finding("model", "wrong", f"{parts.netloc} cannot be reached: {answer}", remedy)]
    found = _clock(answer, wall)
    if answer.status_code == 401:
        remedy = "set OPENAI_API_KEY to a key from platform.openai.com/api-keys"
        return [*found, Finding("model", "wrong", "the key is refused", remedy)]
    if answer.status_code != 200:
        if is_loopback(parts.hostname or ""):
            return [*found, Finding("model", "note", f"{parts.netloc} lists no models")]
        remedy = "set HOOKFLASH_MODEL to a model that your project may use"
        text = f"{name}: the endpoint answers {answer.status_code}"
        return [*found, Finding("model", "wrong", text, remedy)]
    ends = _shutdown(answer) or SHUTDOWNS.get(name)
    if ends is not None:
        remedy = "choose a newer model in HOOKFLASH_MODEL before that day"
        return [*found, Finding("model", "note", f"{name} is shut down on {ends}", remedy)]
    return [*found, ok("model", f"the key is valid, and {name} can be used")]


def _shutdown(answer: httpx.Response) -> str | None:
    """Return the day of the shutdown, if the endpoint says one in a field of its answer."""
    try:
        body: Any = answer.json()
    except ValueError:
        return None
    fields = body.items() if isinstance(body, dict) else ()
    return next((str(value) for key, value in fields if "shutdown" in key and value), None)


def _clock(answer: httpx.Response, wall: Callable[[], float]) -> list[Finding]:
    """Compare this machine's clock with the date of an answer."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return []
    skew = wall() - theirs
    if abs(skew) <= MOST_SKEW_SECONDS:
        return [ok("clock", "it is right")]
    remedy = "let the machine take its time from a time server (NTP)"
    return [Finding("clock", "wrong", f"it is {abs(skew):.0f} s off", remedy)]


async def _carrier(settings: Settings, number: str | None) -> list[Finding]:
    twilio = settings.twilio
    if not twilio.account_sid or not twilio.auth_token:
        return []
    wanted = NumberWebhooks.of_line(settings.server.public_url or "https://example.invalid")
    async with TwilioNumbers(
        account_sid=twilio.account_sid, auth_token=twilio.auth_token, api_url=twilio.api_url
    ) as numbers:
        try:
            if number is None:
                count = await numbers.count()
                return [
                    ok("carrier", f"the credentials are valid; the account has {count} numbers")
                ]
            found = await numbers.find(number)
        except HookflashError as error:
            text, _, remedy = str(error).partition("; ")
            return [Finding("carrier", "wrong", text, remedy or "check the TWILIO_ settings")]
    if found.webhooks.form() == wanted.form():
        return [ok("number", f"{number} asks this line")]
    text = f"{number} asks {found.webhooks.voice_url or 'nothing'}"
    return [Finding("number", "wrong", text, f"run `hookflash number {number} --set`")]


async def _public_url(settings: Settings) -> list[Finding]:
    url, token = settings.server.public_url, settings.twilio.auth_token
    if not url:
        return []
    answer = await _get(f"{url.rstrip('/')}/healthz")
    remedy = "start `hookflash serve` and the tunnel or proxy, and check HOOKFLASH_PUBLIC_URL"
    if isinstance(answer, str):
        return [Finding("public URL", "wrong", f"{url} cannot be reached: {answer}", remedy)]
    if answer.text != "ok":
        text = f"{url} answers {answer.status_code}, but not as Hookflash does"
        return [Finding("public URL", "wrong", text, remedy)]
    if not token:
        return [ok("public URL", f"{url} reaches a server of Hookflash")]
    return [await _signature(Urls.under(url).status(), token)]


async def _signature(url: str, token: str) -> Finding:
    """Send a signed and an unsigned webhook about no call."""
    form = {"CallSid": "CA" + "0" * 32, "CallStatus": "completed"}
    signature = RequestValidator(token).compute_signature(url, form)
    local = is_loopback(urlsplit(url).hostname or "")
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=not local) as client:
            signed = await client.post(url, data=form, headers={"X-Twilio-Signature": signature})
            bare = await client.post(url, data=form)
    except httpx.HTTPError as error:
        return Finding("signature", "wrong", f"no answer: {type(error).__name__}", "try again")
    if signed.status_code == 403:
        remedy = "the server has another TWILIO_AUTH_TOKEN or HOOKFLASH_PUBLIC_URL: start it again"
        return Finding("signature", "wrong", "our own signature is refused", remedy)
    if bare.status_code != 403:
        text = "an unsigned webhook is accepted"
        return Finding("signature", "wrong", text, "set TWILIO_AUTH_TOKEN where the server runs")
    return ok("signature", "a signed webhook is accepted, and an unsigned one is refused")


async def _disk(folder: Path) -> list[Finding]:
    free = await asyncio.to_thread(_free_bytes, folder)
    if free >= LEAST_FREE_BYTES:
        return [ok("disk", f"{free / 1e9:.0f} GB are free")]
    remedy = "free some space, or set HOOKFLASH_DATA_DIR to another disk"
    return [Finding("disk", "wrong", f"only {free / 1e6:.0f} MB are free for {folder}", remedy)]


def _free_bytes(folder: Path) -> int:
    """Return what is free for a folder, or for the first folder above it that exists."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


async def _database(settings: Settings) -> list[Finding]:
    url = settings.storage.database_url
    if missing_file(url) is not None:
        return [Finding("database", "note", "there is none yet; `hookflash serve` makes it")]
    from hookflash.stores.database import open_database

    try:
        engine = await open_database(url, create=False)
    except ConfigError as error:
        return [Finding("database", "wrong", str(error), "check HOOKFLASH_DATABASE_URL")]
    await engine.dispose()
    return [ok("database", f"it can be opened ({url.partition(':')[0]})")]


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.cluster.url
    if not url or "sentinel" in url:
        return []
    try:
        from redis.asyncio import from_url
    except ImportError:
        remedy = "pip install 'redis>=6'"
        return [Finding("Redis", "wrong", "the package redis is not installed", remedy)]
    client = from_url(url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS)
    try:
        await client.ping()
    except Exception as error:
        # The package raises errors of many kinds, and all mean that it cannot be used.
        text = f"it cannot be reached: {type(error).__name__}: {error}"
        return [Finding("Redis", "wrong", text, "start it, and check HOOKFLASH_CLUSTER_URL")]
    finally:
        await client.aclose()
    return [ok("Redis", "it answers")]
