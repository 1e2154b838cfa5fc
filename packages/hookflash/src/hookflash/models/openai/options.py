"""The owner's options for a Realtime session, and the `session.update` from them. No I/O.

Rules:

* Phone audio both ways: `audio/pcmu` without a `rate` key, which this API refuses.
* None is left out, so the server's default applies.
* Invalid values are refused here, with the option's name. The server would reject the whole update
  during a call.
* `interrupt_response` is false by default: the server would cut the agent off at every cough, echo
  or protected line. The call decides what is a barge-in and cancels the response itself.
  `create_response` is true: the server answers the caller without a round trip.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from hookflash.core import model_options
from hookflash.core.setup import HostedServer, ModelSetup
from hookflash.errors import ConfigError
from hookflash.models import Capabilities

DEFAULT_URL = "wss://api.openai.com/v1/realtime"
DEFAULT_MODEL = "gpt-realtime-2.1"
DEFAULT_TRANSCRIPTION = "gpt-transcribe"
PCMU = "audio/pcmu"

CAPABILITIES = Capabilities(truncates=True, audio_formats=(PCMU,), max_session_seconds=3600)

Effort = Literal["minimal", "low", "medium", "high", "xhigh"]


def _between(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} must be between {low} and {high}; got {value!r}")


def _one_of(name: str, value: str | None, *allowed: str) -> None:
    if value is not None and value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class ServerVad(msgspec.Struct, frozen=True, kw_only=True):
    """Endpointing by silence.

    Raise `threshold` (0 to 1, the server's default is 0.5) for noisy lines. `silence_duration_ms`
    (500) has the most effect on latency. `prefix_padding_ms` (300) of audio before the onset is
    included. `idle_timeout_ms` (5,000 to 30,000, off) makes the model ask whether anybody is there.
    """

    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    idle_timeout_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = False

    def __post_init__(self) -> None:
        _between("ServerVad: threshold", self.threshold, 0, 1)
        _between("ServerVad: prefix_padding_ms", self.prefix_padding_ms, 0, 60000)
        _between("ServerVad: silence_duration_ms", self.silence_duration_ms, 0, 60000)
        _between("ServerVad: idle_timeout_ms", self.idle_timeout_ms, 5000, 30000)

    def config(self) -> dict[str, Any]:
        return _present(
            type="server_vad",
            threshold=self.threshold,
            prefix_padding_ms=self.prefix_padding_ms,
            silence_duration_ms=self.silence_duration_ms,
            idle_timeout_ms=self.idle_timeout_ms,
            create_response=self.create_response,
            interrupt_response=self.interrupt_response,
        )


class SemanticVad(msgspec.Struct, frozen=True, kw_only=True):
    """Endpointing by meaning: `low` waits at most 8 s for more, `medium` (auto) 4 s, `high` 2 s."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = False

    def __post_init__(self) -> None:
        _one_of("SemanticVad: eagerness", self.eagerness, "low", "medium", "high", "auto")

    def config(self) -> dict[str, Any]:
        return _present(
            type="semantic_vad",
            eagerness=self.eagerness,
            create_response=self.create_response,
            interrupt_response=self.interrupt_response,
        )


class RetentionRatio(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a conversation that has grown too long is retained (0 to 1), to spare the cache.

    `post_instructions_tokens` lowers the limit, and with it the cost of every turn.
    """

    retention_ratio: float
    post_instructions_tokens: int | None = None

    def __post_init__(self) -> None:
        _between("RetentionRatio: retention_ratio", self.retention_ratio, 0, 1)
        if self.post_instructions_tokens is not None and self.post_instructions_tokens < 1:
            raise ConfigError(
                "RetentionRatio: post_instructions_tokens must be positive;"
                f" got {self.post_instructions_tokens}"
            )

    def config(self) -> dict[str, Any]:
        limit = self.post_instructions_tokens
        return _present(
            type="retention_ratio",
            retention_ratio=self.retention_ratio,
            token_limits=None if limit is None else {"post_instructions": limit},
        )


class RealtimeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's options for every session.

    An agent's own options (`options_for`), voice and language (`ModelSetup`) override these.
    `transcription_language` is an ISO 639-1 code. `transcription_model=None` turns the caller's
    transcript off; the record then has only the agent's words. A session that only listens
    (`ModelSetup.listens`) then transcribes with the default. `reasoning_effort` and
    `parallel_tool_calls` are for reasoning models only (gpt-realtime-2 and later). `speed` is 0.25
    to 1.5, `max_output_tokens` 1 to 4,096 or `inf`.

    While the model connects, the newest `backlog_seconds` of the caller's audio are queued.
    Messages whose type is in `log_event_types` are logged, by type only. With `log_timing` the
    delays of each turn are logged, on the logger `hookflash.model`.
    """

    model: str = DEFAULT_MODEL
    voice: str = "marin"
    speed: float | None = None
    turn_detection: ServerVad | SemanticVad = ServerVad()
    noise_reduction: Literal["near_field", "far_field"] | None = None
    transcription_model: str | None = DEFAULT_TRANSCRIPTION
    transcription_language: str | None = None
    transcription_prompt: str | None = None
    transcription_keywords: tuple[str, ...] = ()
    max_output_tokens: int | Literal["inf"] | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio | None = None
    reasoning_effort: Effort | None = None
    parallel_tool_calls: bool | None = None
    backlog_seconds: float = 10.0
    log_event_types: frozenset[str] = frozenset()
    log_timing: bool = False

    def __post_init__(self) -> None:
        for name, text in (("model", self.model), ("voice", self.voice)):
            if not text:
                raise ConfigError(f"RealtimeOptions: {name} is empty")
        _between("RealtimeOptions: speed", self.speed, 0.25, 1.5)
        if self.max_output_tokens != "inf":
            _between("RealtimeOptions: max_output_tokens", self.max_output_tokens, 1, 4096)
        _between("RealtimeOptions: backlog_seconds", self.backlog_seconds, 0, 60)
        _one_of("RealtimeOptions: noise_reduction", self.noise_reduction, "near_field", "far_field")
        _one_of(
            "RealtimeOptions: reasoning_effort",
            self.reasoning_effort,
            *("minimal", "low", "medium", "high", "xhigh"),
        )
        if isinstance(self.truncation, str):
            _one_of("RealtimeOptions: truncation", self.truncation, "auto", "disabled")


def options_for(setup: ModelSetup, options: RealtimeOptions) -> RealtimeOptions:
    """Return the options of a session: those of the line, and what the agent sets itself."""
    own = setup.own
    changes: dict[str, Any] = _present(
        model=own.model, speed=own.speed, max_output_tokens=own.max_output_tokens
    )
    if own.noise_reduction is not None:
        changes["noise_reduction"] = _unless_off(own.noise_reduction)
    if own.transcription is not None:
        changes["transcription_model"] = _unless_off(own.transcription)
    match own.turn_detection:
        case model_options.ServerVad() as vad:
            line = options.turn_detection
            base = line if isinstance(line, ServerVad) else ServerVad()
            changes["turn_detection"] = replace(
                base,
                **_present(
                    threshold=vad.threshold,
                    prefix_padding_ms=vad.prefix_padding_ms,
                    silence_duration_ms=vad.silence_ms,
                ),
            )
        case model_options.SemanticVad(eagerness=eagerness):
            changes["turn_detection"] = SemanticVad(eagerness=eagerness)
    return replace(options, **changes) if changes else options


def _unless_off(value: str) -> str | None:
    return None if value == "off" else value


def session_config(setup: ModelSetup, options: RealtimeOptions) -> dict[str, Any]:
    """Return the `session` of the `session.update` that configures a session."""
    noise = options.noise_reduction
    truncation = options.truncation
    effort = options.reasoning_effort
    return _present(
        type="realtime",
        output_modalities=["audio"],
        instructions=setup.instructions,
        audio={
            "input": _present(
                format={"type": PCMU},
                noise_reduction=None if noise is None else {"type": noise},
                turn_detection=_turn_detection(setup, options),
            )
            | {"transcription": _transcription(setup, options)},
            "output": _present(
                format={"type": PCMU},
                voice=_voice(setup.voice or options.voice),
                speed=options.speed,
            ),
        },
        tools=[
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            }
            for tool in setup.tools
        ]
        + [_hosted(server) for server in setup.hosted],
        tool_choice="auto",
        parallel_tool_calls=options.parallel_tool_calls,
        reasoning=None if effort is None else {"effort": effort},
        max_output_tokens=options.max_output_tokens,
        truncation=truncation.config() if isinstance(truncation, RetentionRatio) else truncation,
    )


def _hosted(server: HostedServer) -> dict[str, Any]:
    """Return an MCP server as a tool of the session. Its tools run without being approved."""
    return _present(
        type="mcp",
        server_label=server.label,
        server_url=server.url,
        headers=server.headers or None,
        allowed_tools=None if server.allowed_tools is None else list(server.allowed_tools),
        require_approval="never",
    )


def _turn_detection(setup: ModelSetup, options: RealtimeOptions) -> dict[str, Any]:
    """Return the turn detection. A session that only listens never answers."""
    config = options.turn_detection.config()
    if setup.listens:
        config["create_response"] = False
        config.pop("idle_timeout_ms", None)
    return config


def _transcription(setup: ModelSetup, options: RealtimeOptions) -> dict[str, Any] | None:
    """Return the transcription. A session that only listens always has one."""
    model = options.transcription_model
    if setup.listens:
        model = model or DEFAULT_TRANSCRIPTION
    if model is None:
        return None
    language = setup.language or options.transcription_language
    return _present(
        model=model,
        # The API takes ISO 639-1; an agent may be set to a locale such as en-GB.
        language=None if language is None else language.partition("-")[0].lower(),
        prompt=options.transcription_prompt,
        keywords=list(options.transcription_keywords) or None,
    )


def _voice(voice: str) -> str | dict[str, str]:
    return {"id": voice} if voice.startswith("voice_") else voice


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: plain ws is allowed there only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback_url(url: str) -> bool:
    """Return whether `url` is on this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def realtime_url(url: str, model: str) -> str:
    """Return the URL of a session with `model` at the endpoint `url`.

    Other parts of the query in `url` are retained. Raises `ConfigError` if it is not a WebSocket
    URL, and for plain ws to another machine, because the key would be sent unencrypted.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise ConfigError(f"the model's URL cannot be read ({fault}): {url!r}") from None
    if parts.scheme not in ("ws", "wss") or not host:
        raise ConfigError(f"the model's URL must look like {DEFAULT_URL}; got {url!r}")
    if parts.username is not None or parts.fragment:
        raise ConfigError("the model's URL must not hold a user name, a password or a fragment")
    if parts.scheme == "ws" and not is_loopback(host):
        raise ConfigError(
            f"the model's URL must begin with wss://, since {host} is not this machine and the"
            " key and the call would travel unencrypted"
        )
    fields = [field for field in parts.query.split("&") if field and not field.startswith("model=")]
    fields.append(f"model={quote(model, safe='')}")
    return urlunsplit(parts._replace(query="&".join(fields)))
