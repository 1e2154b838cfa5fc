"""What the owner may set, read once into one frozen value.

A setting comes from the environment, else from `hookflash.toml` (in the working directory, or
the file that `--settings` names; keys are the attributes' names), else it has its default. Each
field below carries its variable, its default and what it is for: `SETTINGS` is read from them,
and the docs and the errors from `SETTINGS`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hookflash.errors import ConfigError
from hookflash.setting_checks import missing_for_serving
from hookflash.setting_forms import (
    Read,
    choice_reader,
    integer_reader,
    is_loopback,
    number_reader,
    read_account_sid,
    read_database_url,
    read_delivery_days,
    read_names,
    read_number,
    read_prices,
    read_speech_url,
    read_switch,
    read_text,
    read_token_prices,
    read_webhook_url,
    url_reader,
)
from hookflash.setting_sources import read_file, warn_of_unknown


def _setting(
    default: Any,
    purpose: str,
    read: Read = read_text,
    *,
    variable: str = "",
    shown: str = "",
    secret: bool = False,
    hidden: bool = False,
) -> Any:
    about = {
        "purpose": purpose,
        "read": read,
        "variable": variable,
        "shown": shown,
        "secret": secret,
        "hidden": hidden,
    }
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """Everything the owner may set. `Settings.load()` reads it; `check_serving()` before `serve`.

    A value made in code (`Settings(lead_ms=2000)`) is taken as it is.
    """

    openai_api_key: str | None = _setting(
        None,
        "Key for the model, from platform.openai.com. Not needed with a model on this machine.",
        variable="OPENAI_API_KEY",
        secret=True,
    )
    twilio_account_sid: str | None = _setting(
        None,
        "Twilio account: AC and 32 hex digits.",
        read_account_sid,
        variable="TWILIO_ACCOUNT_SID",
    )
    twilio_auth_token: str | None = _setting(
        None,
        "Primary auth token of the account: signs requests both ways.",
        variable="TWILIO_AUTH_TOKEN",
        secret=True,
    )
    twilio_auth_token_secondary: str | None = _setting(
        None,
        "Secondary auth token, accepted as well while tokens are rotated.",
        variable="TWILIO_AUTH_TOKEN_SECONDARY",
        secret=True,
    )
    caller_id: str | None = _setting(
        None,
        "A number of yours that humans see when the caller has dialled none: they came by SIP or"
        " from a browser. A HandoffPlan's caller_id comes first.",
        read_number,
    )
    public_url: str | None = _setting(
        None,
        "The https address under which Twilio reaches this server; signatures are checked"
        " against it.",
        url_reader("https", "http"),
    )
    model_url: str = _setting(
        "wss://api.openai.com/v1/realtime",
        "The model's WebSocket address.",
        url_reader("wss", "ws"),
    )
    model: str = _setting("gpt-realtime-2.1", "Which Realtime model speaks.")
    twilio_api_url: str = _setting(
        "https://api.twilio.com", "The address of Twilio's REST API.", url_reader("https", "http")
    )
    data_dir: Path = _setting(
        Path("hookflash-data"),
        "Folder for call records, journals and recordings.",
        Path,
        shown="./hookflash-data",
    )
    database_url: str = _setting(
        "",
        "Where call records are kept: sqlite:///file or postgresql://user:password@host/database.",
        read_database_url,
        shown="SQLite in the data folder",
    )
    record: str = _setting(
        "agent",
        "Whether calls are recorded: agent (as each agent says), on or off.",
        choice_reader("agent", "on", "off"),
    )
    keep_recordings_days: float = _setting(
        0,
        "How many days a recording is kept; 0 keeps it as long as its call.",
        number_reader(0, 36_500),
    )
    keep_calls_days: float = _setting(
        0,
        "How many days a call's record, transcript, journal and recording are kept; 0 for ever.",
        number_reader(0, 36_500),
    )
    keep_deliveries_days: float = _setting(
        0,
        "How many days a delivery that waits no more is kept, 2 or more; 0: as long as its call.",
        read_delivery_days,
    )
    host: str = _setting("127.0.0.1", "The address to listen on; 0.0.0.0 for all.")
    port: int = _setting(
        8080, "The port to listen on; 0 takes a free one.", integer_reader(0, 65535)
    )
    lead_ms: int = _setting(
        5000,
        "How far audio that was sent may run ahead of what the caller has heard, in ms.",
        integer_reader(200, 600_000),
    )
    tool_output_chars: int = _setting(
        20_000,
        "How many characters of a tool's result the model reads; it is told when more was cut.",
        integer_reader(200, 1_000_000),
    )
    drain_seconds: float = _setting(
        30.0,
        "How long live calls may go on after SIGTERM before they are brought to an end.",
        number_reader(0, 3600),
    )
    workers: int = _setting(
        1, "How many processes share the port and the calls.", integer_reader(1, 64)
    )
    warm_sessions: int = _setting(
        0,
        "How many sessions with the model each process keeps open for calls to come.",
        integer_reader(0, 100),
    )
    metrics_token: str | None = _setting(
        None,
        "Bearer token that /metrics asks for; without one it answers only this machine.",
        secret=True,
    )
    console: bool = _setting(
        True, "Whether there is a console at /console, for those in the users' file.", read_switch
    )
    console_users: Path = _setting(
        Path("hookflash-users.toml"),
        "File of those who may use the console; without it nobody may.",
        Path,
        shown="./hookflash-users.toml",
    )
    console_open: bool = _setting(
        False,
        "Open the console to everybody on this machine, without sign-in; only for stand-ins.",
        read_switch,
        shown="false",
    )
    console_session_hours: float = _setting(
        12.0, "How long somebody stays signed in, in hours.", number_reader(0.1, 720)
    )
    prices: tuple[float, float, float, str] = _setting(
        (0.0, 0.0, 0.0, "USD"),
        "What a minute costs, for the console: of the line, of the caller's speech, of the agent's"
        " speech, and the currency, such as 0.0125,0.02,0.08,USD.",
        read_prices,
        shown="0,0,0,USD",
    )
    token_prices: tuple[float, ...] = _setting(
        (),
        "What a million tokens of the model cost: text read, text read from its cache, sound read,"
        " sound read from its cache, text written, sound written, such as 4,0.4,32,0.4,16,64."
        " Where the model tells its tokens they count, and not minutes of speech.",
        read_token_prices,
        shown="none",
    )
    delivery_url: str | None = _setting(
        None,
        "Where voicemails, wishes to be called back and messages are posted, as signed JSON.",
        read_webhook_url,
    )
    delivery_secret: str | None = _setting(
        None, "What they are signed with: 16 characters or more that nobody can guess.", secret=True
    )
    delivery_days: float = _setting(
        7.0,
        "How many days a delivery that fails is tried again before it is given up (and kept).",
        number_reader(0, 365),
    )
    log_events: tuple[str, ...] = _setting(
        (),
        "Event types of the model to log, separated by commas, such as error,session.updated;"
        " * for all.",
        read_names,
        shown="none",
    )
    log_timing: bool = _setting(
        False, "Log how long each answer took to begin.", read_switch, shown="false"
    )
    transcription_model: str = _setting(
        "gpt-transcribe", "Which model writes down what the caller says."
    )
    vad: str = _setting(
        "server_vad",
        "How the end of the caller's turn is found: server_vad (silence) or semantic_vad (sense).",
        choice_reader("server_vad", "semantic_vad"),
    )
    vad_threshold: float = _setting(
        0.5,
        "server_vad: how loud speech must be, 0 to 1; more for noisy lines.",
        number_reader(0, 1),
    )
    vad_prefix_padding_ms: int = _setting(
        300,
        "server_vad: sound kept from before speech was noticed, in ms.",
        integer_reader(0, 5000),
    )
    vad_silence_ms: int = _setting(
        500,
        "server_vad: silence that ends a turn, in ms; less is faster.",
        integer_reader(100, 10_000),
    )
    vad_eagerness: str = _setting(
        "auto",
        "semantic_vad: how soon to answer: low, medium, high or auto.",
        choice_reader("auto", "low", "medium", "high"),
    )
    noise_reduction: str = _setting(
        "near_field",
        "Noise reduction before the model hears the caller: near_field (handset), far_field"
        " (speakerphone) or off.",
        choice_reader("near_field", "far_field", "off"),
    )
    llm_url: str | None = _setting(
        None,
        "An OpenAI-compatible chat address, such as http://localhost:11434/v1: it thinks in place"
        " of the local stand-in model's receptionist, and sums up calls.",
    )
    llm_model: str | None = _setting(None, "The chat model at that address.")
    llm_key: str | None = _setting(None, "The key for that address.", secret=True)
    summary_model: str | None = _setting(
        None,
        "Which chat model sums up calls, at HOOKFLASH_LLM_URL or else at OpenAI.",
        shown="HOOKFLASH_LLM_MODEL where there is a URL, else none: sentences picked from the call",
    )
    speech_url: str | None = _setting(
        None,
        "The OpenAI-compatible speech API that renders what callers hear while the model is silent;"
        " off plays a tone instead.",
        read_speech_url,
        shown="audio/speech beside the model's address",
    )
    speech_model: str = _setting("gpt-4o-mini-tts", "Which model renders speech there.")
    speech_key: str | None = _setting(
        None,
        "The key for that address, if it is not at the model's host.",
        secret=True,
        shown="OPENAI_API_KEY at the model's host, else none",
    )
    whisper_model: str | None = _setting(
        None,
        "Local stand-in model: folder of a CTranslate2 Whisper model to hear with.",
        shown="tiny.en from its package",
    )
    piper_voice: str | None = _setting(
        None,
        "Local stand-in model: file of a Piper voice (.onnx) to speak with.",
        shown="joe from its package",
    )
    speed: float = _setting(
        1.0, "Tests: how many seconds of a call pass in one.", number_reader(0.1, 1000), hidden=True
    )

    def __post_init__(self) -> None:
        if not self.database_url:
            path = (self.data_dir / "hookflash.db").as_posix()
            object.__setattr__(self, "database_url", f"sqlite:///{path}")

    def __repr__(self) -> str:
        shown = []
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            if setting.secret:
                value = "(set)" if value else None
            elif setting.name == "database_url":
                value = _without_user(value)
            shown.append(f"{setting.name}={value!r}")
        return f"Settings({', '.join(shown)})"

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, file: str | Path | None = None
    ) -> Settings:
        """Read the environment and the file. Raises one `ConfigError` that names all mistakes."""
        environ = os.environ if environ is None else environ
        written = read_file(file)
        warn_of_unknown(environ, written, {setting.name: setting.variable for setting in SETTINGS})
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for setting in SETTINGS:
            text = environ.get(setting.variable, "").strip()
            source = f"{setting.variable}"
            if not text and setting.name in written:
                text, source = written[setting.name], f"{setting.name} in the settings file"
            if not text:
                continue
            try:
                values[setting.name] = setting.read(text)
            except ValueError as error:
                came = (
                    f"a text of {len(text)} characters"
                    if setting.secret
                    else repr(_without_user(text))
                )
                wrong.append(
                    f"{source}: expected {error}, got {came};"
                    f" correct it, or leave it out for {setting.default}"
                )
        if wrong:
            raise ConfigError("\n".join(wrong))
        return cls(**values)

    @property
    def unsigned_allowed(self) -> bool:
        """Whether requests may come unsigned: only where every peer is on this machine."""
        return all(map(is_loopback, (self.public_url, self.twilio_api_url, self.model_url)))

    def check_serving(self) -> Settings:
        """Return the settings if `serve` can start with them; else name all that is missing."""
        missing = missing_for_serving(self)
        if missing:
            raise ConfigError(
                "serve cannot start; missing:\n" + "\n".join(f"  {each}" for each in missing)
            )
        return self


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table of settings. `default` is as the docs show it."""

    name: str
    variable: str
    default: str
    purpose: str
    secret: bool
    hidden: bool
    read: Read


def _rows() -> tuple[Setting, ...]:
    rows = []
    for field in dataclasses.fields(Settings):
        about = dict(field.metadata)
        shown = about.pop("shown") or ("nothing" if field.default is None else str(field.default))
        variable = about.pop("variable") or f"HOOKFLASH_{field.name.upper()}"
        rows.append(Setting(name=field.name, variable=variable, default=shown, **about))
    return tuple(rows)


SETTINGS = _rows()
"""Every setting, in the order in which the docs list them."""


def _without_user(url: str) -> str:
    """Return `url` without the name and password that may be in it."""
    return re.sub(r"//[^/]*@", "//(hidden)@", url)
