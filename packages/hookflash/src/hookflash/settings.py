"""What the owner may set, in sections, read once into frozen values.

A setting comes from the environment, else from `.env`, else from `hookflash.toml`, else it has its
default. Both files are read in the working directory; `--settings` names another TOML file. Each
field below carries its variable, its default and its purpose. `SETTINGS` lists them all: the docs
and the errors are made from it.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
import os
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hookflash.agents.hours import parse_hours
from hookflash.client_address import trusted_networks
from hookflash.core.call_events import KINDS, EventKind
from hookflash.core.handoff_plan import E164
from hookflash.core.setup import LEAST_CALL_SECONDS, MOST_CALL_SECONDS
from hookflash.errors import ConfigError

_log = logging.getLogger("hookflash.settings")

OFF = "off"
"""The value of a setting that turns something off."""

DEFAULT_FILE = "hookflash.toml"
ENV_FILE = ".env"

_PREFIX = "HOOKFLASH_"
_SECRET_LENGTH = 16
"""The shortest secret that deliveries are signed with, in characters."""


# --- what a value must look like ------------------------------------------------------------------
# A validator raises `ValueError` with what it expected, to follow the word "expected".


def is_loopback(url: str | None) -> bool:
    """Return whether `url` stays on this machine (localhost, 127.0.0.0/8, ::1)."""
    try:
        host = urlsplit(url or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_safe(text: str, secure: str, plain: str) -> bool:
    try:
        parts = urlsplit(text)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    safe = parts.scheme == secure or (parts.scheme == plain and is_loopback(text))
    return complete and safe and not parts.username and not parts.fragment


def _url(secure: str, plain: str) -> AfterValidator:
    """Accept a URL that may be unencrypted only where it does not leave this machine."""
    expected = f"a {secure}:// URL (or {plain}:// on this machine), without user or query"

    def check(text: str) -> str:
        if not _is_safe(text, secure, plain) or urlsplit(text).query:
            raise ValueError(expected)
        return text.rstrip("/")

    return AfterValidator(check)


def _webhook_url(text: str) -> str:
    """Accept the address of somebody else's server, which may have a query."""
    if not _is_safe(text, "https", "http"):
        raise ValueError("a https:// URL (or http:// on this machine), without user")
    return text


def _speech_url(text: str) -> str:
    if text.lower() == OFF:
        return OFF
    if not _is_safe(text, "https", "http"):
        raise ValueError(
            "a https:// URL (or http:// on this machine) such as"
            " https://api.openai.com/v1/audio/speech, or off"
        )
    return text


def _database_url(text: str) -> str:
    if text and not re.match(r"(sqlite|postgres|postgresql)(\+\w+)?://", text):
        raise ValueError("sqlite:///path/to/file.db or postgresql://user:password@host/database")
    return text


def _cluster_url(text: str) -> str:
    service = r"rediss?\+sentinel://(?:[^@/\s]*@)?[^/?\s]+/[\w.-]+(?:/\d+)?"
    if not re.fullmatch(rf"rediss?://[^/\s]+\S*|{service}", text):
        raise ValueError(
            "redis://:password@host:6379/0, rediss:// for TLS, or"
            " redis+sentinel://:password@host:26379,host:26379/service"
        )
    return text


def _cluster_secret(text: str) -> str:
    if len(text) < _SECRET_LENGTH:
        raise ValueError(
            f"at least {_SECRET_LENGTH} characters that nobody can guess, such as"
            " `openssl rand -hex 32` prints"
        )
    return text


def _files_url(text: str) -> str:
    if not re.match(r"((s3|gs|az)://[^/]|file:///.|memory:)", text):
        raise ValueError(
            "s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder"
        )
    return text


def _account_sid(text: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", text):
        raise ValueError("an account SID: AC and 32 hex digits, from the Twilio console")
    return text


def _phone_number(text: str) -> str:
    if not E164.fullmatch(text):
        raise ValueError("a telephone number in E.164 form such as +15550100")
    return text


def _delivery_days(days: float) -> float:
    """Refuse less than two days: a journal is searched for deliveries for one day."""
    if days != 0 and not 2 <= days <= 36_500:
        raise ValueError("0, or a number from 2 to 36500")
    return days


def _call_seconds(seconds: float) -> float:
    """Refuse less than a minute, which is no time for a call. Twilio ends each after a day."""
    if seconds != 0 and not LEAST_CALL_SECONDS <= seconds <= MOST_CALL_SECONDS:
        raise ValueError(f"0, or a number from {LEAST_CALL_SECONDS} to {MOST_CALL_SECONDS}")
    return seconds


def _parts(value: Any) -> tuple[str, ...]:
    """Return the parts of a text with commas, or of a TOML array, as texts."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(text for text in (str(part).strip() for part in parts) if text)


def _trusted_proxies(value: Any) -> tuple[str, ...]:
    return tuple(map(str, trusted_networks(_parts(value))))


def _dial_prefixes(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"\+[1-9][0-9]{0,14}", prefix) for prefix in prefixes):
        raise ValueError("beginnings of numbers in E.164 form, such as +1,+44")
    return prefixes


def _calling_hours(text: str) -> str:
    if text.lower() == OFF:
        return OFF
    try:
        parse_hours(f"{text} UTC")
    except ConfigError:
        expected = "hours without a time zone such as mon-fri 09:00-20:00, sat 10:00-16:00, or off"
        raise ValueError(expected) from None
    return text


def _event_kinds(value: Any) -> tuple[str, ...]:
    kinds = _parts(value)
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds of events, such as {','.join(KINDS)}")
    return kinds


def _price(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,9})?", text):
        raise ValueError
    return float(text)


def _prices(value: Any) -> tuple[float, float, float, str]:
    try:
        line, listened, spoken, currency = _parts(value)
        prices = _price(line), _price(listened), _price(spoken)
        if not re.fullmatch("[A-Z]{3}", currency):
            raise ValueError
    except ValueError:
        expected = "three prices a minute and a currency, such as 0.0125,0.02,0.08,USD"
        raise ValueError(expected) from None
    return *prices, currency


def _token_prices(value: Any) -> tuple[float, ...]:
    try:
        prices = tuple(map(_price, _parts(value)))
    except ValueError:
        prices = (0.0,)
    if len(prices) not in (0, 6):
        raise ValueError("six prices of a million tokens, such as 4,0.4,32,0.4,16,64")
    return prices


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


_Https = Annotated[str, _url("https", "http")]
_Wss = Annotated[str, _url("wss", "ws")]
_Vad = Annotated[Literal["server_vad", "semantic_vad"], BeforeValidator(_lower)]
_Eagerness = Annotated[Literal["auto", "low", "medium", "high"], BeforeValidator(_lower)]
_KeyHeader = Annotated[Literal["authorization", "api-key"], BeforeValidator(_lower)]
_Noise = Annotated[Literal["near_field", "far_field", "off"], BeforeValidator(_lower)]
_LogFormat = Annotated[Literal["text", "json"], BeforeValidator(_lower)]
_Record = Annotated[Literal["agent", "on", "off"], BeforeValidator(_lower)]


# --- the settings ---------------------------------------------------------------------------------


def _setting(
    default: Any,
    purpose: str,
    *,
    variable: str,
    shown: str = "",
    secret: bool = False,
    hidden: bool = False,
    low: float | None = None,
    high: float | None = None,
    derived: bool = False,
) -> Any:
    """Return a pydantic field; a `derived` default is computed by a validator of the section."""
    about: dict[str, Any] = {
        "variable": variable,
        "shown": shown,
        "secret": secret,
        "hidden": hidden,
    }
    return Field(
        default,
        description=purpose,
        ge=low,
        le=high,
        validate_default=derived or None,
        json_schema_extra=about,
    )


class Section(BaseModel):
    """A group of settings. Values are checked; a representation shows no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if _about(field)["secret"]:
                value = "(set)" if value else None
            elif isinstance(value, str):
                value = _without_user(value)
            yield name, value


class ServerSettings(Section):
    """Where the line listens, how long calls may take, what clients may send, and how it stops."""

    public_url: _Https | None = _setting(
        None,
        "The https address under which Twilio reaches this server; signatures are checked"
        " against it.",
        variable="HOOKFLASH_PUBLIC_URL",
    )
    host: str = _setting(
        "127.0.0.1", "The address to listen on; 0.0.0.0 for all.", variable="HOOKFLASH_HOST"
    )
    port: int = _setting(
        8080,
        "The port to listen on; 0 takes a free one.",
        variable="HOOKFLASH_PORT",
        low=0,
        high=65_535,
    )
    workers: int = _setting(
        1,
        "How many processes share the port and the calls.",
        variable="HOOKFLASH_WORKERS",
        low=1,
        high=64,
    )
    drain_seconds: float = _setting(
        30.0,
        "How long live calls may go on after SIGTERM before they are brought to an end.",
        variable="HOOKFLASH_DRAIN_SECONDS",
        low=0,
        high=3600,
    )
    max_call_seconds: Annotated[float, AfterValidator(_call_seconds)] = _setting(
        7200.0,
        "How long an agent may talk with one caller, in seconds, 60 or more; 0: no limit. An"
        " agent's own max_call_seconds comes first.",
        variable="HOOKFLASH_MAX_CALL_SECONDS",
        low=0,
        high=MOST_CALL_SECONDS,
    )
    max_connections: int = _setting(
        1000,
        "How many connections of strangers may be open at once in each process. A stranger is a"
        " client without a valid Twilio signature, session or token. If there are more, the oldest"
        " are closed.",
        variable="HOOKFLASH_MAX_CONNECTIONS",
        low=1,
        high=100_000,
    )
    max_connections_per_address: int = _setting(
        100,
        "How many connections of strangers one address may have; 0: no limit. Addresses of this"
        " machine have no limit, because a proxy or tunnel may run there.",
        variable="HOOKFLASH_MAX_CONNECTIONS_PER_ADDRESS",
        low=0,
        high=100_000,
    )
    keep_alive_seconds: int = _setting(
        75,
        "How long a connection may be idle between two requests, in seconds. A proxy should close"
        " its idle connections earlier.",
        variable="HOOKFLASH_KEEP_ALIVE_SECONDS",
        low=1,
        high=3600,
    )
    header_seconds: float = _setting(
        10.0,
        "How long a request line and headers may take to arrive, in seconds.",
        variable="HOOKFLASH_HEADER_SECONDS",
        low=0.1,
        high=600,
    )
    max_request_line_bytes: int = _setting(
        8192,
        "How long the address in a request line may be, in bytes.",
        variable="HOOKFLASH_MAX_REQUEST_LINE_BYTES",
        low=256,
        high=65_536,
    )
    max_headers: int = _setting(
        100,
        "How many headers a request may have.",
        variable="HOOKFLASH_MAX_HEADERS",
        low=20,
        high=10_000,
    )
    max_header_bytes: int = _setting(
        65_536,
        "How long the request line and headers may be together, in bytes.",
        variable="HOOKFLASH_MAX_HEADER_BYTES",
        low=1024,
        high=1_048_576,
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_trusted_proxies)] = _setting(
        (),
        "The proxies in front of this server, as addresses and networks, separated by commas, such"
        " as 127.0.0.1,10.0.0.0/8. X-Forwarded-For and Forwarded count only if one of these proxies"
        " sends them.",
        variable="HOOKFLASH_TRUSTED_PROXIES",
        shown="none",
    )
    metrics_token: str | None = _setting(
        None,
        "Bearer token that /metrics requires. Without one it answers only programs on this machine;"
        " if a proxy may run on this machine, it answers nobody.",
        variable="HOOKFLASH_METRICS_TOKEN",
        secret=True,
    )


class LimitSettings(Section):
    """How many calls there may be, what they may cost, and which numbers may be dialled."""

    max_calls: int = _setting(
        500,
        "How many calls each process takes at once; 0: no limit. Further callers are refused.",
        variable="HOOKFLASH_MAX_CALLS",
        low=0,
        high=100_000,
    )
    max_daily_spend: float = _setting(
        0.0,
        "How much the line may spend a day (UTC), in the currency and by the prices of"
        " HOOKFLASH_PRICES; 0: no limit. Then new callers are refused, and live calls go on.",
        variable="HOOKFLASH_MAX_DAILY_SPEND",
        low=0,
        high=1_000_000_000,
    )
    refusal_text: str | None = _setting(
        None,
        "What a caller hears who is refused because of these limits, in the agent's language."
        " Without it the caller hears a busy tone, at no cost.",
        variable="HOOKFLASH_REFUSAL_TEXT",
    )
    dial_prefixes: Annotated[
        tuple[str, ...], BeforeValidator(_parts), AfterValidator(_dial_prefixes)
    ] = _setting(
        (),
        "The prefixes of the telephone numbers that may be dialled for a hand-off, separated by"
        " commas, such as +1,+44. Other numbers are not rung; none: all numbers may be dialled.",
        variable="HOOKFLASH_DIAL_PREFIXES",
        shown="none",
    )


class CallsOutSettings(Section):
    """Calls that the line places, and what protects the people who are called."""

    max_calls: int = _setting(
        10,
        "How many calls that this process has placed may be live at once. Further ones wait.",
        variable="HOOKFLASH_MAX_CALLS_OUT",
        low=1,
        high=10_000,
    )
    calls_per_second: float = _setting(
        1.0,
        "How many calls a second this process places. Twilio places one a second for an account"
        " unless it was raised.",
        variable="HOOKFLASH_CALLS_OUT_PER_SECOND",
        low=0.01,
        high=100,
    )
    hours: Annotated[str, AfterValidator(_calling_hours)] = _setting(
        "daily 08:00-21:00",
        "When people may be called, in their own time zone, such as mon-fri 09:00-20:00, sat"
        " 10:00-16:00; off: at any time.",
        variable="HOOKFLASH_CALLING_HOURS",
    )
    do_not_call: Path | None = _setting(
        None,
        "A file of numbers that are never called, one a line in E.164 form. It is read again when"
        " it changes. While it cannot be read, no call is placed.",
        variable="HOOKFLASH_DO_NOT_CALL",
    )


class TwilioSettings(Section):
    """The account at Twilio."""

    account_sid: Annotated[str, AfterValidator(_account_sid)] | None = _setting(
        None, "Twilio account: AC and 32 hex digits.", variable="TWILIO_ACCOUNT_SID"
    )
    auth_token: str | None = _setting(
        None,
        "Primary auth token of the account: signs requests both ways.",
        variable="TWILIO_AUTH_TOKEN",
        secret=True,
    )
    auth_token_secondary: str | None = _setting(
        None,
        "Secondary auth token, accepted as well while tokens are rotated.",
        variable="TWILIO_AUTH_TOKEN_SECONDARY",
        secret=True,
    )
    caller_id: Annotated[str, AfterValidator(_phone_number)] | None = _setting(
        None,
        "A number of yours that humans see when the caller has dialled none: they came by SIP or"
        " from a browser. A plan's caller_id comes first.",
        variable="HOOKFLASH_CALLER_ID",
    )
    api_url: _Https = _setting(
        "https://api.twilio.com",
        "The address of Twilio's REST API.",
        variable="HOOKFLASH_TWILIO_API_URL",
    )


class ModelSettings(Section):
    """The Realtime model that speaks."""

    api_key: str | None = _setting(
        None,
        "Key for the model, from platform.openai.com. Not needed with a model on this machine.",
        variable="OPENAI_API_KEY",
        secret=True,
    )
    url: _Wss = _setting(
        "wss://api.openai.com/v1/realtime",
        "The model's WebSocket address.",
        variable="HOOKFLASH_MODEL_URL",
    )
    key_header: _KeyHeader = _setting(
        "authorization",
        "How the key is sent: authorization (a bearer token) or api-key (Azure OpenAI).",
        variable="HOOKFLASH_MODEL_KEY_HEADER",
    )
    name: str = _setting(
        "gpt-realtime-2.1",
        "Which Realtime model speaks. With Azure OpenAI: the name of the deployment.",
        variable="HOOKFLASH_MODEL",
    )
    transcription: str = _setting(
        "gpt-transcribe",
        "Which model writes down what the caller says.",
        variable="HOOKFLASH_TRANSCRIPTION_MODEL",
    )
    noise_reduction: _Noise = _setting(
        "near_field",
        "Noise reduction before the model hears the caller: near_field (handset), far_field"
        " (speakerphone) or off.",
        variable="HOOKFLASH_NOISE_REDUCTION",
    )
    warm_sessions: int = _setting(
        0,
        "How many sessions with the model each process opens in advance.",
        variable="HOOKFLASH_WARM_SESSIONS",
        low=0,
        high=100,
    )
    lead_ms: int = _setting(
        5000,
        "How far audio that was sent may run ahead of what the caller has heard, in ms.",
        variable="HOOKFLASH_LEAD_MS",
        low=200,
        high=600_000,
    )
    tool_output_chars: int = _setting(
        20_000,
        "How many characters of a tool's result the model reads; it is told when more was cut.",
        variable="HOOKFLASH_TOOL_OUTPUT_CHARS",
        low=200,
        high=1_000_000,
    )


class TurnSettings(Section):
    """How the end of a caller's turn is found."""

    vad: _Vad = _setting(
        "server_vad",
        "How the end of the caller's turn is found: server_vad (silence) or semantic_vad (sense).",
        variable="HOOKFLASH_VAD",
    )
    threshold: float = _setting(
        0.5,
        "server_vad: how loud speech must be, 0 to 1; more for noisy lines.",
        variable="HOOKFLASH_VAD_THRESHOLD",
        low=0,
        high=1,
    )
    prefix_padding_ms: int = _setting(
        300,
        "server_vad: how much sound from before the detected start belongs to a turn, in ms.",
        variable="HOOKFLASH_VAD_PREFIX_PADDING_MS",
        low=0,
        high=5000,
    )
    silence_ms: int = _setting(
        500,
        "server_vad: silence that ends a turn, in ms; less is faster.",
        variable="HOOKFLASH_VAD_SILENCE_MS",
        low=100,
        high=10_000,
    )
    eagerness: _Eagerness = _setting(
        "auto",
        "semantic_vad: how soon to answer: low, medium, high or auto.",
        variable="HOOKFLASH_VAD_EAGERNESS",
    )


class ChatSettings(Section):
    """A chat model that sums up calls, and that can think for the local model."""

    url: str | None = _setting(
        None,
        "An OpenAI-compatible chat address, such as http://localhost:11434/v1. It sums up calls"
        " and replaces the rules of the local model.",
        variable="HOOKFLASH_LLM_URL",
    )
    model: str | None = _setting(
        None, "The chat model at that address.", variable="HOOKFLASH_LLM_MODEL"
    )
    key: str | None = _setting(
        None, "The key for that address.", variable="HOOKFLASH_LLM_KEY", secret=True
    )
    summary_model: str | None = _setting(
        None,
        "Which chat model sums up calls, at HOOKFLASH_LLM_URL or else at OpenAI.",
        variable="HOOKFLASH_SUMMARY_MODEL",
        shown="HOOKFLASH_LLM_MODEL where there is a URL, else none: sentences picked from the call",
    )


class SpeechSettings(Section):
    """The speech API that renders what callers hear while the model is silent."""

    url: Annotated[str, AfterValidator(_speech_url)] | None = _setting(
        None,
        "The OpenAI-compatible speech API that renders what callers hear while the model is silent;"
        " off plays a tone instead.",
        variable="HOOKFLASH_SPEECH_URL",
        shown="audio/speech beside the model's address",
    )
    model: str = _setting(
        "gpt-4o-mini-tts", "Which model renders speech there.", variable="HOOKFLASH_SPEECH_MODEL"
    )
    key: str | None = _setting(
        None,
        "The key for that address, if it is not at the model's host.",
        variable="HOOKFLASH_SPEECH_KEY",
        secret=True,
        shown="OPENAI_API_KEY at the model's host, else none",
    )


class ConsoleSettings(Section):
    """The console of those who run the line."""

    enabled: bool = _setting(
        True,
        "Whether there is a console at /console, for those in the users' file.",
        variable="HOOKFLASH_CONSOLE",
        shown="true",
    )
    users: Path = _setting(
        Path("hookflash-users.toml"),
        "File of those who may use the console; without it nobody may.",
        variable="HOOKFLASH_CONSOLE_USERS",
        shown="./hookflash-users.toml",
    )
    open: bool = _setting(
        False,
        "Open the console to everybody on this machine, without sign-in; only for stand-ins.",
        variable="HOOKFLASH_CONSOLE_OPEN",
        shown="false",
    )
    session_hours: float = _setting(
        12.0,
        "How long somebody stays signed in, in hours.",
        variable="HOOKFLASH_CONSOLE_SESSION_HOURS",
        low=0.1,
        high=720,
    )
    prices: Annotated[tuple[float, float, float, str], BeforeValidator(_prices)] = _setting(
        (0.0, 0.0, 0.0, "USD"),
        "What a minute costs, for the console: of the line, of the caller's speech, of the agent's"
        " speech, and the currency, such as 0.0125,0.02,0.08,USD.",
        variable="HOOKFLASH_PRICES",
        shown="0,0,0,USD",
    )
    token_prices: Annotated[tuple[float, ...], BeforeValidator(_token_prices)] = _setting(
        (),
        "What a million tokens of the model cost: text read, text read from its cache, sound read,"
        " sound read from its cache, text written, sound written, such as 4,0.4,32,0.4,16,64."
        " Where the model reports its tokens, they count instead of minutes of speech.",
        variable="HOOKFLASH_TOKEN_PRICES",
        shown="none",
    )


class DeliverySettings(Section):
    """Where voicemails, call-back requests and messages are posted."""

    url: Annotated[str, AfterValidator(_webhook_url)] | None = _setting(
        None,
        "Where voicemails, call-back requests and messages are posted, as signed JSON.",
        variable="HOOKFLASH_DELIVERY_URL",
    )
    secret: str | None = _setting(
        None,
        "What they are signed with: 16 characters or more that nobody can guess.",
        variable="HOOKFLASH_DELIVERY_SECRET",
        secret=True,
    )
    days: float = _setting(
        7.0,
        "How many days a delivery that fails is tried again. Afterwards it counts as failed.",
        variable="HOOKFLASH_DELIVERY_DAYS",
        low=0,
        high=365,
    )


class EventSettings(Section):
    """Where the events of calls are posted: arrived, said, handed off, ended."""

    url: Annotated[str, AfterValidator(_webhook_url)] | None = _setting(
        None,
        "Where the events of calls are posted as they happen, as signed JSON.",
        variable="HOOKFLASH_EVENT_URL",
    )
    secret: str | None = _setting(
        None,
        "What they are signed with: 16 characters or more that nobody can guess.",
        variable="HOOKFLASH_EVENT_SECRET",
        secret=True,
    )
    kinds: Annotated[tuple[EventKind, ...], BeforeValidator(_event_kinds)] = _setting(
        KINDS,
        "Which events are posted, separated by commas.",
        variable="HOOKFLASH_EVENT_KINDS",
        shown=",".join(KINDS),
    )
    days: float = _setting(
        1.0,
        "How many days an event that fails is tried again. Afterwards it counts as failed.",
        variable="HOOKFLASH_EVENT_DAYS",
        low=0,
        high=365,
    )


class StorageSettings(Section):
    """Where records, journals and recordings are stored, and for how long."""

    data_dir: Path = _setting(
        Path("hookflash-data"),
        "Folder for call records, journals and recordings.",
        variable="HOOKFLASH_DATA_DIR",
        shown="./hookflash-data",
    )
    database_url: Annotated[str, AfterValidator(_database_url)] = _setting(
        "",
        "Where call records are stored: sqlite:///file or"
        " postgresql://user:password@host/database.",
        variable="HOOKFLASH_DATABASE_URL",
        shown="SQLite in the data folder",
        derived=True,
    )
    files_url: Annotated[str, AfterValidator(_files_url)] | None = _setting(
        None,
        "Where recordings and journals of ended calls are stored, so that several machines can"
        " read them: s3://bucket/prefix, gs://, az://, or file:///folder that all of them mount.",
        variable="HOOKFLASH_FILES_URL",
        shown="the data folder",
    )
    record: _Record = _setting(
        "agent",
        "Whether calls are recorded: agent (as each agent says), on or off.",
        variable="HOOKFLASH_RECORD",
    )
    recording_retention_days: float = _setting(
        0,
        "How many days a recording is retained; 0 retains it as long as its call.",
        variable="HOOKFLASH_RECORDING_RETENTION_DAYS",
        low=0,
        high=36_500,
    )
    call_retention_days: float = _setting(
        90,
        "How many days a call's record, transcript, journal and recording are retained;"
        " 0: no limit.",
        variable="HOOKFLASH_CALL_RETENTION_DAYS",
        low=0,
        high=36_500,
    )
    delivery_retention_days: Annotated[float, AfterValidator(_delivery_days)] = _setting(
        0,
        "How many days a delivery that is complete or failed is retained, 2 or more; 0: as long as"
        " its call.",
        variable="HOOKFLASH_DELIVERY_RETENTION_DAYS",
    )

    @field_validator("database_url")
    @classmethod
    def _default_database(cls, url: str, info: ValidationInfo) -> str:
        if url or "data_dir" not in info.data:
            return url
        return f"sqlite:///{(info.data['data_dir'] / 'hookflash.db').as_posix()}"


class ClusterSettings(Section):
    """Several machines that serve one line: what they share, and how they reach each other."""

    url: Annotated[str, AfterValidator(_cluster_url)] | None = _setting(
        None,
        "The Redis or Valkey server that the nodes of the line share: redis://, rediss:// or"
        " redis+sentinel://. Without one, the line runs on one machine.",
        variable="HOOKFLASH_CLUSTER_URL",
    )
    secret: Annotated[str, AfterValidator(_cluster_secret)] | None = _setting(
        None,
        "What the nodes sign requests to each other, media tokens and the console's sessions with:"
        " the same on all nodes, 16 characters or more.",
        variable="HOOKFLASH_CLUSTER_SECRET",
        secret=True,
    )
    node_host: str | None = _setting(
        None,
        "The address at which the other nodes reach this process. Nobody else needs to reach it.",
        variable="HOOKFLASH_NODE_HOST",
        shown="the address from which this machine reaches Redis",
    )
    node_port: int = _setting(
        0,
        "The port at which the other nodes reach this process; 0 takes a free one, which --workers"
        " needs.",
        variable="HOOKFLASH_NODE_PORT",
        low=0,
        high=65_535,
    )


class LogSettings(Section):
    """The format of the log, and what is logged besides errors and the course of calls."""

    events: Annotated[tuple[str, ...], BeforeValidator(_parts)] = _setting(
        (),
        "Event types of the model to log, separated by commas, such as error,session.updated;"
        " * for all.",
        variable="HOOKFLASH_LOG_EVENTS",
        shown="none",
    )
    format: _LogFormat = _setting(
        "text",
        "How each line is written: text, or json (one object a line).",
        variable="HOOKFLASH_LOG_FORMAT",
    )
    timing: bool = _setting(
        False,
        "Log how long each answer took to begin.",
        variable="HOOKFLASH_LOG_TIMING",
        shown="false",
    )


class LocalSettings(Section):
    """The stand-ins of hookflash-local."""

    whisper_model: str | None = _setting(
        None,
        "Local model: folder of a CTranslate2 Whisper model to hear with.",
        variable="HOOKFLASH_WHISPER_MODEL",
        shown="tiny.en from its package",
    )
    piper_voice: str | None = _setting(
        None,
        "Local model: file of a Piper voice (.onnx) to speak with.",
        variable="HOOKFLASH_PIPER_VOICE",
        shown="joe from its package",
    )
    speed: float = _setting(
        1.0,
        "Tests: how many seconds of a call pass in one.",
        variable="HOOKFLASH_SPEED",
        low=0.1,
        high=1000,
        hidden=True,
    )


class Settings(BaseSettings):
    """All settings of a server, in sections: `settings.server.public_url`.

    `Settings.load()` reads them from the environment, `.env` and `hookflash.toml`. Settings made in
    code read none of these: `Settings(model=ModelSettings(lead_ms=2000))`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    calls_out: CallsOutSettings = CallsOutSettings()
    twilio: TwilioSettings = TwilioSettings()
    model: ModelSettings = ModelSettings()
    turns: TurnSettings = TurnSettings()
    chat: ChatSettings = ChatSettings()
    speech: SpeechSettings = SpeechSettings()
    console: ConsoleSettings = ConsoleSettings()
    deliveries: DeliverySettings = DeliverySettings()
    events: EventSettings = EventSettings()
    storage: StorageSettings = StorageSettings()
    cluster: ClusterSettings = ClusterSettings()
    logs: LogSettings = LogSettings()
    local: LocalSettings = LocalSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, file: str | Path | None = None
    ) -> Settings:
        """Read the settings from the environment, then `.env`, then `hookflash.toml`.

        `environ` replaces the process's environment, and `file` replaces `hookflash.toml`. Raises
        one `ConfigError` that names every invalid value.
        """
        environ = os.environ if environ is None else environ
        dotenv = {name: text or "" for name, text in dotenv_values(ENV_FILE).items()}
        toml = _read_toml(file)
        _refuse_former_names(environ, dotenv, toml.toml_data)
        for place, variables in (("the environment", environ), (ENV_FILE, dotenv)):
            _warn_of_variables(variables, place)
        _warn_of_names(toml.toml_data)
        sources = (_Variables(cls, environ), _Variables(cls, dotenv), _Known(cls, toml.toml_data))

        class FromSources(Settings):
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], *others: Any, **further: Any
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return sources

        try:
            found = FromSources()
        except ValidationError as error:
            raise ConfigError(_in_words(error, environ, dotenv)) from None
        return cls(**{name: getattr(found, name) for name in cls.model_fields})

    @property
    def unsigned_allowed(self) -> bool:
        """Whether unsigned requests are accepted: only if every peer is on this machine."""
        return all(map(is_loopback, (self.server.public_url, self.twilio.api_url, self.model.url)))

    def check_carrier(self) -> Settings:
        """Return the settings if a number of the account can be set to this line.

        Raises one `ConfigError` that names every setting that is missing.
        """
        names = ("HOOKFLASH_PUBLIC_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
        missing = [
            f"{name}: {value}"
            for name, value in zip(
                names,
                (
                    "" if self.server.public_url else "the https address that reaches the server",
                    "" if self.twilio.account_sid else "the account's SID",
                    "" if self.twilio.auth_token else "the account's auth token",
                ),
                strict=True,
            )
            if value
        ]
        if missing:
            raise ConfigError("missing:\n" + "\n".join(f"  {each}" for each in missing))
        return self

    def check_serving(self) -> Settings:
        """Return the settings if `serve` can start with them.

        Raises one `ConfigError` that names every setting that is missing.
        """
        if missing := list(_missing_for_serving(self)):
            raise ConfigError(
                "serve cannot start; missing:\n" + "\n".join(f"  {each}" for each in missing)
            )
        return self


_PLACEHOLDER = re.compile(
    r"(?:sk-)?(?:\.{2,}|\u2026|x{3,}|\*{3,})|<.*>|\[.*\]|change[-_ ]?me|to[-_ ]?do|your[-_ ].*",
    re.IGNORECASE,
)
"""A value that an example shows in place of the owner's own."""


def is_placeholder(text: str | None) -> bool:
    """Return whether a value is what an example shows, such as `...` or `<your key>`."""
    return text is not None and _PLACEHOLDER.fullmatch(text.strip()) is not None


def _placeholders(settings: Settings) -> Iterator[str]:
    for name, value, where in (
        ("OPENAI_API_KEY", settings.model.api_key, "the key from platform.openai.com/api-keys"),
        ("TWILIO_AUTH_TOKEN", settings.twilio.auth_token, "the token from console.twilio.com"),
    ):
        if is_placeholder(value):
            yield f"{name}: it is the placeholder {value!r}; put {where} in its place"


def _missing_for_serving(settings: Settings) -> Iterator[str]:
    yield from _placeholders(settings)
    if not settings.server.public_url:
        yield (
            "HOOKFLASH_PUBLIC_URL: the https address under which Twilio reaches this server;"
            " for a trial, the address that your tunnel (ngrok, cloudflared) shows"
        )
    if not settings.unsigned_allowed:
        if not settings.twilio.account_sid:
            yield "TWILIO_ACCOUNT_SID: the account's SID, from the front page of console.twilio.com"
        if not settings.twilio.auth_token:
            yield (
                "TWILIO_AUTH_TOKEN: the account's auth token, from the same page. It is not needed"
                " only if HOOKFLASH_PUBLIC_URL, HOOKFLASH_TWILIO_API_URL and HOOKFLASH_MODEL_URL"
                " are all on this machine"
            )
    if not settings.model.api_key and not is_loopback(settings.model.url):
        yield (
            "OPENAI_API_KEY: a key from platform.openai.com/api-keys; or set"
            " HOOKFLASH_MODEL_URL to a model on this machine"
        )
    if settings.limits.max_daily_spend and not any(
        (*settings.console.prices[:3], *settings.console.token_prices)
    ):
        yield (
            "HOOKFLASH_PRICES or HOOKFLASH_TOKEN_PRICES: HOOKFLASH_MAX_DAILY_SPEND is set, and what"
            " the line has spent is computed from these prices"
        )
    if settings.cluster.url and not settings.cluster.secret:
        yield (
            "HOOKFLASH_CLUSTER_SECRET: HOOKFLASH_CLUSTER_URL is set, and the nodes sign their"
            " requests to each other; the same text on all nodes, such as `openssl rand -hex 32`"
            " prints"
        )
    if settings.deliveries.url and len(settings.deliveries.secret or "") < _SECRET_LENGTH:
        yield (
            "HOOKFLASH_DELIVERY_SECRET: at least 16 characters that nobody can guess, such as"
            " `openssl rand -hex 32` prints; the server at HOOKFLASH_DELIVERY_URL checks"
            " signatures with it"
        )
    if settings.events.url and len(settings.events.secret or "") < _SECRET_LENGTH:
        yield (
            "HOOKFLASH_EVENT_SECRET: at least 16 characters that nobody can guess, such as"
            " `openssl rand -hex 32` prints; the server at HOOKFLASH_EVENT_URL checks signatures"
            " with it"
        )


# --- the table of settings ------------------------------------------------------------------------


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of settings. `default` is as the docs show it."""

    section: str
    name: str
    variable: str
    default: str
    purpose: str
    secret: bool
    hidden: bool

    def value_in(self, settings: Settings) -> Any:
        """Return the value of this setting in `settings`."""
        return getattr(getattr(settings, self.section), self.name)


def _about(field: FieldInfo) -> dict[str, Any]:
    return typing.cast("dict[str, Any]", field.json_schema_extra)


def _section(name: str) -> type[Section]:
    return typing.cast("type[Section]", Settings.model_fields[name].annotation)


def _rows() -> Iterator[Setting]:
    for section in Settings.model_fields:
        for name, field in _section(section).model_fields.items():
            about = _about(field)
            shown = about["shown"] or ("nothing" if field.default is None else str(field.default))
            yield Setting(
                section=section,
                name=name,
                variable=about["variable"],
                default=shown,
                purpose=field.description or "",
                secret=about["secret"],
                hidden=about["hidden"],
            )


SETTINGS = tuple(_rows())
"""Every setting, in the order in which the docs list them."""

_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}

_RENAMED = {
    "HOOKFLASH_KEEP_CALLS_DAYS": "HOOKFLASH_CALL_RETENTION_DAYS",
    "HOOKFLASH_KEEP_DELIVERIES_DAYS": "HOOKFLASH_DELIVERY_RETENTION_DAYS",
    "HOOKFLASH_KEEP_RECORDINGS_DAYS": "HOOKFLASH_RECORDING_RETENTION_DAYS",
}
"""Former names of variables, and the new ones. A former name is an error and not only a warning:
data that must be deleted would be retained."""


# --- where settings come from ---------------------------------------------------------------------


class _Variables(PydanticBaseSettingsSource):
    """Variables of an environment as values of the sections; an empty one is not set."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        of_section = [one for one in SETTINGS if one.section == field_name]
        texts = {one.name: self._variables.get(one.variable, "").strip() for one in of_section}
        return {name: text for name, text in texts.items() if text}, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        return {name: self.get_field_value(field, name)[0] for name, field in fields}


class _Known(PydanticBaseSettingsSource):
    """The values of a TOML document that are settings."""

    def __init__(self, settings_cls: type[BaseSettings], document: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._document = document

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        written = self._document.get(field_name, {})
        known = _section(field_name).model_fields
        texts = {
            name: value.strip() if isinstance(value, str) else value
            for name, value in written.items()
            if name in known
        }
        return {name: value for name, value in texts.items() if value != ""}, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        return {name: self.get_field_value(field, name)[0] for name, field in fields}


def _read_toml(file: str | Path | None) -> TomlConfigSettingsSource:
    path = Path(DEFAULT_FILE if file is None else file)
    if file is not None and not path.is_file():
        raise ConfigError(f"--settings: there is no file {path}")
    try:
        source = TomlConfigSettingsSource(Settings, path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: it is not valid TOML ({error})") from error
    for name in Settings.model_fields:
        if not isinstance(source.toml_data.get(name, {}), dict):
            raise ConfigError(f"{path}: expected a table [{name}], got a value for {name}")
    return source


def _refuse_former_names(
    environ: Mapping[str, str], dotenv: Mapping[str, str], document: Mapping[str, Any]
) -> None:
    """Raise one `ConfigError` that gives the new name of every former name in use."""
    lines = []
    for former, variable in _RENAMED.items():
        for place, variables in (("the environment", environ), (ENV_FILE, dotenv)):
            if variables.get(former, "").strip():
                lines.append(f"{former} in {place} has a new name: rename it to {variable}")
        setting, name = _BY_VARIABLE[variable], former.removeprefix(_PREFIX).lower()
        if name in document.get(setting.section, {}):
            where = f"[{setting.section}]"
            lines.append(
                f"{where} {name} in the settings file has a new name: rename it to {setting.name}"
            )
    if lines:
        raise ConfigError("\n".join(lines))


def _warn_of_variables(variables: Mapping[str, str], place: str) -> None:
    """Warn of variables that have the prefix of settings and are no setting."""
    known = [name.removeprefix(_PREFIX) for name in _BY_VARIABLE if name.startswith(_PREFIX)]
    for name in variables:
        if name.startswith(_PREFIX) and name not in _BY_VARIABLE:
            close = difflib.get_close_matches(name.removeprefix(_PREFIX), known, 1)
            _warn(name, place, f"{_PREFIX}{close[0]}" if close else "")


def _warn_of_names(document: Mapping[str, Any]) -> None:
    """Warn of names in the settings file that are no settings, with the nearest setting."""
    names = [f"[{one.section}] {one.name}" for one in SETTINGS]
    for section, values in document.items():
        written = values if section in Settings.model_fields else {"": None}
        for name in written:
            whole = f"[{section}] {name}" if name else section
            if whole not in names:
                _warn(whole, "the settings file", _nearest(whole, names))


def _nearest(written: str, names: Sequence[str]) -> str:
    """Return the name that is most like `written`, with or without its section; or "".

    For a name in a wrong section, return it with each section that has it.
    """
    section, _, name = written.rpartition("] ")
    named = [
        f"[{one.section}] {one.name}"
        for one in SETTINGS
        if name in (one.name, one.variable.removeprefix(_PREFIX).lower())
    ]
    if named:
        return " or ".join(named) if section else named[0]
    close = difflib.get_close_matches(written, names, 1)
    return close[0] if close else ""


def _warn(name: str, place: str, meant: str) -> None:
    hint = f"; did you mean {meant}?" if meant else ""
    _log.warning("! %s in %s is not a setting and is ignored%s", name, place, hint)


# --- errors in words ------------------------------------------------------------------------------


def _in_words(error: ValidationError, environ: Mapping[str, str], dotenv: Mapping[str, str]) -> str:
    """Return one line for each wrong value: where it stands, what was expected, what came."""
    rows = {(one.section, one.name): one for one in SETTINGS}
    lines = []
    for found in error.errors():
        one = rows[str(found["loc"][0]), str(found["loc"][1])]
        if environ.get(one.variable, "").strip():
            place = one.variable
        elif dotenv.get(one.variable, "").strip():
            place = f"{one.variable} in {ENV_FILE}"
        else:
            place = f"[{one.section}] {one.name} in the settings file"
        came = found["input"]
        shown = repr(_without_user(came)) if isinstance(came, str) else repr(came)
        if one.secret:
            shown = f"a value of {len(str(came))} characters"
        field = _section(one.section).model_fields[one.name]
        raised = found.get("ctx", {}).get("error")
        expected = str(raised) if raised is not None else _expected(field)
        lines.append(
            f"{place}: expected {expected}, got {shown};"
            f" correct it, or leave it out for {one.default}"
        )
    return "\n".join(dict.fromkeys(lines))


def _expected(field: FieldInfo) -> str:
    """Return what a setting must be, from its type and its limits."""
    limits: dict[str, float] = {}
    for each in field.metadata:
        limits |= {name: getattr(each, name) for name in ("ge", "le") if hasattr(each, name)}
    if typing.get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(typing.get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    kind = {int: "a whole number", float: "a number"}.get(typing.cast("Any", field.annotation))
    if kind is None:
        return "a text"
    shown = {
        name: str(int(limit) if limit == int(limit) else limit) for name, limit in limits.items()
    }
    return f"{kind} from {shown['ge']} to {shown['le']}" if shown else kind


def _without_user(url: str) -> str:
    """Return `url` without the name and password that may be in it."""
    return re.sub(r"//[^/]*@", "//(hidden)@", url)
