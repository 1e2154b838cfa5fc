from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hookflash import ConfigError, Settings
from hookflash.settings import SETTINGS, ServerSettings, is_loopback

from .settings_parts import settings_of

LOCAL = {
    "HOOKFLASH_PUBLIC_URL": "http://127.0.0.1:8080",
    "HOOKFLASH_TWILIO_API_URL": "http://localhost:9001",
    "HOOKFLASH_MODEL_URL": "ws://[::1]:9002/v1/realtime",
}
ACCOUNT = {
    "HOOKFLASH_PUBLIC_URL": "https://phone.example.com",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "token-one",
    "OPENAI_API_KEY": "key-one",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_anything_set_there_are_defaults() -> None:
    settings = Settings.load({})
    assert settings == Settings()
    assert settings.model.url == "wss://api.openai.com/v1/realtime"
    assert settings.model.name == "gpt-realtime-2.1"
    assert settings.twilio.api_url == "https://api.twilio.com"
    assert settings.storage.data_dir == Path("hookflash-data")
    assert settings.storage.database_url == "sqlite:///hookflash-data/hookflash.db"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.model.lead_ms == 5000
    assert settings.model.api_key is None


def test_the_database_lies_in_the_data_folder_wherever_that_is() -> None:
    assert (
        settings_of(data_dir=Path("/var/x")).storage.database_url == "sqlite:////var/x/hookflash.db"
    )
    assert (
        settings_of(database_url="postgresql://db/calls").storage.database_url
        == "postgresql://db/calls"
    )


def test_the_transcription_model_is_none_of_those_that_are_being_shut_down() -> None:
    model = Settings().model.transcription
    assert model != "whisper-1"
    assert not model.startswith("gpt-4o")


def test_every_setting_is_read_from_the_environment() -> None:
    values: dict[str, tuple[str, Any]] = {
        "OPENAI_API_KEY": ("key", "key"),
        "TWILIO_ACCOUNT_SID": ("AC" + "a" * 32, "AC" + "a" * 32),
        "TWILIO_AUTH_TOKEN": ("one", "one"),
        "TWILIO_AUTH_TOKEN_SECONDARY": ("two", "two"),
        "HOOKFLASH_PUBLIC_URL": ("https://phone.example.com/", "https://phone.example.com"),
        "HOOKFLASH_MODEL_URL": ("ws://localhost:1/v1", "ws://localhost:1/v1"),
        "HOOKFLASH_MODEL": ("gpt-realtime-2.1-mini", "gpt-realtime-2.1-mini"),
        "HOOKFLASH_TWILIO_API_URL": ("http://127.0.0.1:2", "http://127.0.0.1:2"),
        "HOOKFLASH_DATA_DIR": ("/var/lib/phone", Path("/var/lib/phone")),
        "HOOKFLASH_DATABASE_URL": ("postgresql://db/calls", "postgresql://db/calls"),
        "HOOKFLASH_FILES_URL": ("s3://calls/line", "s3://calls/line"),
        "HOOKFLASH_HOST": ("0.0.0.0", "0.0.0.0"),
        "HOOKFLASH_PORT": ("0", 0),
        "HOOKFLASH_LEAD_MS": ("2000", 2000),
        "HOOKFLASH_DRAIN_SECONDS": ("12.5", 12.5),
        "HOOKFLASH_WORKERS": ("4", 4),
        "HOOKFLASH_CLUSTER_URL": ("rediss://:key@redis:6380/1", "rediss://:key@redis:6380/1"),
        "HOOKFLASH_CLUSTER_SECRET": ("0123456789abcdef", "0123456789abcdef"),
        "HOOKFLASH_NODE_HOST": ("10.0.0.5", "10.0.0.5"),
        "HOOKFLASH_NODE_PORT": ("7000", 7000),
        "HOOKFLASH_WARM_SESSIONS": ("2", 2),
        "HOOKFLASH_CONSOLE": ("off", False),
        "HOOKFLASH_CONSOLE_USERS": ("/etc/hookflash/users.toml", Path("/etc/hookflash/users.toml")),
        "HOOKFLASH_CONSOLE_OPEN": ("true", True),
        "HOOKFLASH_CONSOLE_SESSION_HOURS": ("8", 8.0),
        "HOOKFLASH_PRICES": ("0.0125, 0.02, 0.08, EUR", (0.0125, 0.02, 0.08, "EUR")),
        "HOOKFLASH_TOKEN_PRICES": ("4, 0.4,32,0.4,16,64", (4.0, 0.4, 32.0, 0.4, 16.0, 64.0)),
        "HOOKFLASH_METRICS_TOKEN": ("four", "four"),
        "HOOKFLASH_MAX_CONNECTIONS": ("50", 50),
        "HOOKFLASH_MAX_CONNECTIONS_PER_ADDRESS": ("0", 0),
        "HOOKFLASH_KEEP_ALIVE_SECONDS": ("20", 20),
        "HOOKFLASH_HEADER_SECONDS": ("2.5", 2.5),
        "HOOKFLASH_MAX_REQUEST_LINE_BYTES": ("4096", 4096),
        "HOOKFLASH_MAX_HEADERS": ("50", 50),
        "HOOKFLASH_MAX_HEADER_BYTES": ("16384", 16_384),
        "HOOKFLASH_DELIVERY_URL": ("https://example.com/in/?a=1", "https://example.com/in/?a=1"),
        "HOOKFLASH_DELIVERY_SECRET": ("five", "five"),
        "HOOKFLASH_DELIVERY_DAYS": ("0.5", 0.5),
        "HOOKFLASH_EVENT_URL": ("https://example.com/events", "https://example.com/events"),
        "HOOKFLASH_EVENT_SECRET": ("seven", "seven"),
        "HOOKFLASH_EVENT_KINDS": ("call.ended, handoff.ended", ("call.ended", "handoff.ended")),
        "HOOKFLASH_EVENT_DAYS": ("2", 2.0),
        "HOOKFLASH_LOG_EVENTS": ("error, session.updated,", ("error", "session.updated")),
        "HOOKFLASH_LOG_TIMING": ("yes", True),
        "HOOKFLASH_TRANSCRIPTION_MODEL": ("gpt-live-transcribe", "gpt-live-transcribe"),
        "HOOKFLASH_MODEL_KEY_HEADER": ("API-Key", "api-key"),
        "HOOKFLASH_VAD": ("Semantic_VAD", "semantic_vad"),
        "HOOKFLASH_VAD_THRESHOLD": ("0.7", 0.7),
        "HOOKFLASH_VAD_PREFIX_PADDING_MS": ("100", 100),
        "HOOKFLASH_VAD_SILENCE_MS": ("700", 700),
        "HOOKFLASH_VAD_EAGERNESS": ("high", "high"),
        "HOOKFLASH_NOISE_REDUCTION": ("off", "off"),
        "HOOKFLASH_LLM_URL": ("http://localhost:3/v1", "http://localhost:3/v1"),
        "HOOKFLASH_LLM_MODEL": ("small", "small"),
        "HOOKFLASH_LLM_KEY": ("three", "three"),
        "HOOKFLASH_SUMMARY_MODEL": ("large", "large"),
        "HOOKFLASH_SPEECH_URL": ("http://localhost:4/v1/say", "http://localhost:4/v1/say"),
        "HOOKFLASH_SPEECH_MODEL": ("tts", "tts"),
        "HOOKFLASH_SPEECH_KEY": ("six", "six"),
        "HOOKFLASH_WHISPER_MODEL": ("/models/w", "/models/w"),
        "HOOKFLASH_PIPER_VOICE": ("/models/v.onnx", "/models/v.onnx"),
        "HOOKFLASH_RECORD": ("on", "on"),
        "HOOKFLASH_RECORDING_RETENTION_DAYS": ("30", 30.0),
        "HOOKFLASH_CALL_RETENTION_DAYS": ("0.5", 0.5),
        "HOOKFLASH_DELIVERY_RETENTION_DAYS": ("2.5", 2.5),
        "HOOKFLASH_MAX_CALL_SECONDS": ("600", 600.0),
        "HOOKFLASH_TOOL_OUTPUT_CHARS": ("5000", 5000),
        "HOOKFLASH_SPEED": ("4", 4.0),
        "HOOKFLASH_CALLER_ID": ("+15550100", "+15550100"),
        "HOOKFLASH_TRUSTED_PROXIES": (
            "127.0.0.1, 10.0.0.0/8,fd00::/8",
            ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8"),
        ),
        "HOOKFLASH_LOG_FORMAT": ("JSON", "json"),
        "HOOKFLASH_MAX_CALLS": ("50", 50),
        "HOOKFLASH_MAX_DAILY_SPEND": ("99.5", 99.5),
        "HOOKFLASH_REFUSAL_TEXT": ("All lines are busy.", "All lines are busy."),
        "HOOKFLASH_DIAL_PREFIXES": ("+1, +44,", ("+1", "+44")),
        "HOOKFLASH_MAX_CALLS_OUT": ("3", 3),
        "HOOKFLASH_CALLS_OUT_PER_SECOND": ("0.5", 0.5),
        "HOOKFLASH_CALLING_HOURS": ("mon-fri 09:00-18:00", "mon-fri 09:00-18:00"),
        "HOOKFLASH_DO_NOT_CALL": ("/data/numbers.txt", Path("/data/numbers.txt")),
    }
    assert set(values) == {setting.variable for setting in SETTINGS}
    settings = Settings.load({variable: text for variable, (text, _) in values.items()})
    for setting in SETTINGS:
        assert setting.value_in(settings) == values[setting.variable][1], setting.variable


def test_the_table_documents_every_setting() -> None:
    assert {setting.section for setting in SETTINGS} == set(Settings.model_fields)
    for setting in SETTINGS:
        assert setting.purpose.endswith("."), setting.name
        assert setting.default, setting.name
    assert [setting.name for setting in SETTINGS if setting.hidden] == ["speed"]
    by_name = {setting.name: setting for setting in SETTINGS}
    assert by_name["database_url"].default == "SQLite in the data folder"
    assert by_name["port"].default == "8080"


def test_the_shown_default_of_a_setting_is_the_one_that_reading_it_gives() -> None:
    for setting in SETTINGS:
        default = setting.value_in(Settings())
        if isinstance(default, int | float | str) and setting.name != "database_url":
            read = Settings.load({setting.variable: setting.default})
            assert setting.value_in(read) == default, setting.name


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:word@10.0.0.7:6379/3",
        "rediss://user:word@redis.example.com:6380/0?ssl_ca_certs=/etc/ca.pem",
        "redis+sentinel://a:26379,b:26379/calls",
        "rediss+sentinel://:word@a,b:26380/calls/2",
    ],
)
def test_a_cluster_is_at_a_redis_server_or_its_sentinels(url: str) -> None:
    assert settings_of(cluster_url=url).cluster.url == url


@pytest.mark.parametrize("url", ["localhost:6379", "http://redis", "redis+sentinel://a:26379"])
def test_another_address_of_a_cluster_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_CLUSTER_URL: expected redis://"):
        Settings.load({"HOOKFLASH_CLUSTER_URL": url})


def test_nodes_need_a_secret_that_nobody_can_guess() -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_CLUSTER_SECRET: expected at least 16"):
        Settings.load({"HOOKFLASH_CLUSTER_SECRET": "short"})
    with pytest.raises(ConfigError, match="HOOKFLASH_CLUSTER_SECRET: HOOKFLASH_CLUSTER_URL is set"):
        Settings.load(LOCAL | {"HOOKFLASH_CLUSTER_URL": "redis://redis"}).check_serving()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]  # the mistake is the test


def test_an_empty_variable_is_not_set() -> None:
    assert Settings.load({"HOOKFLASH_PORT": " ", "OPENAI_API_KEY": ""}) == Settings()


# --- the file ---------------------------------------------------------------------------------


def test_a_file_in_the_working_directory_is_read_and_the_environment_wins(folder: Path) -> None:
    (folder / "hookflash.toml").write_text(
        '[server]\npublic_url = "https://phone.example.com"\nport = 9000\n'
        '[logs]\ntiming = true\nevents = ["error", "session.updated"]\n[turns]\nthreshold = 0.6\n'
    )
    settings = Settings.load({"HOOKFLASH_PORT": "9100"})
    assert settings.server.public_url == "https://phone.example.com"
    assert settings.server.port == 9100
    assert settings.logs.timing is True
    assert settings.logs.events == ("error", "session.updated")
    assert settings.turns.threshold == 0.6


def test_another_file_may_be_named(folder: Path) -> None:
    (folder / "hookflash.toml").write_text("[server]\nport = 9000\n")
    (folder / "other.toml").write_text("[model]\nlead_ms = 1000\n")
    settings = Settings.load({}, file="other.toml")
    assert (settings.server.port, settings.model.lead_ms) == (8080, 1000)


def test_a_file_that_is_missing_or_broken_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file other.toml"):
        Settings.load({}, file="other.toml")
    (folder / "hookflash.toml").write_text("port 9000")
    with pytest.raises(ConfigError, match="hookflash.toml: it is not valid TOML"):
        Settings.load({})


def test_a_wrong_value_in_the_file_is_named_as_it_is_written_there(folder: Path) -> None:
    (folder / "hookflash.toml").write_text("[server]\nport = 70000\n")
    wrong = r"^\[server\] port in the settings file: expected a whole number"
    with pytest.raises(ConfigError, match=wrong):
        Settings.load({})


def test_a_dotenv_file_is_read_before_the_settings_file_and_after_the_environment(
    folder: Path,
) -> None:
    (folder / ".env").write_text(
        "# The line.\nexport OPENAI_API_KEY='key-one'\nHOOKFLASH_PORT=9001\nHOOKFLASH_HOST=::1\n"
    )
    (folder / "hookflash.toml").write_text('[server]\nport = 9000\nhost = "::2"\nworkers = 3\n')
    settings = Settings.load({"HOOKFLASH_PORT": "9002"})
    assert settings.model.api_key == "key-one"
    assert settings.server == ServerSettings(port=9002, host="::1", workers=3)


def test_a_wrong_value_in_a_dotenv_file_is_named_with_the_file(folder: Path) -> None:
    (folder / ".env").write_text("HOOKFLASH_PORT=eighty\n")
    with pytest.raises(ConfigError, match=r"^HOOKFLASH_PORT in \.env: expected a whole number"):
        Settings.load({})


def test_settings_made_in_code_read_no_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("HOOKFLASH_PORT=9001\n")
    monkeypatch.setenv("HOOKFLASH_WORKERS", "3")
    monkeypatch.setenv("SERVER", '{"workers": 4}')
    assert Settings().server == ServerSettings()
    assert Settings.load().server == ServerSettings(port=9001, workers=3)


def test_a_value_where_a_section_belongs_is_named(folder: Path) -> None:
    (folder / "hookflash.toml").write_text("console = true\n")
    with pytest.raises(ConfigError, match=r"expected a table \[console\], got a value"):
        Settings.load({})


# --- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("HOOKFLASH_PORT", "eighty", "a whole number from 0 to 65535"),
        ("HOOKFLASH_PORT", "-1", "a whole number from 0 to 65535"),
        ("HOOKFLASH_PORT", "80.5", "a whole number from 0 to 65535"),
        ("HOOKFLASH_DELIVERY_RETENTION_DAYS", "1", "0, or a number from 2 to 36500"),
        ("HOOKFLASH_MAX_CALL_SECONDS", "59", "0, or a number from 60 to 86400"),
        ("HOOKFLASH_MAX_CALL_SECONDS", "2h", "a number from 0 to 86400"),
        ("HOOKFLASH_TOKEN_PRICES", "4,5", "six prices of a million tokens"),
        ("HOOKFLASH_LEAD_MS", "600001", "a whole number from 200 to 600000"),
        ("HOOKFLASH_PRICES", "0.1,0.2,USD", "three prices a minute and a currency"),
        ("HOOKFLASH_PRICES", "0.1,0.2,-1,USD", "three prices a minute and a currency"),
        ("HOOKFLASH_DRAIN_SECONDS", "soon", "a number from 0 to 3600"),
        ("HOOKFLASH_DRAIN_SECONDS", "nan", "a number from 0 to 3600"),
        ("HOOKFLASH_VAD_THRESHOLD", "1.5", "a number from 0 to 1"),
        ("HOOKFLASH_LOG_TIMING", "maybe", "true or false"),
        ("HOOKFLASH_VAD", "client_vad", "one of server_vad, semantic_vad"),
        ("HOOKFLASH_NOISE_REDUCTION", "loud", "one of near_field, far_field, off"),
        ("TWILIO_ACCOUNT_SID", "SK123", "an account SID: AC and 32 hex digits"),
        ("HOOKFLASH_DATABASE_URL", "mysql://db", "sqlite:///path"),
        ("HOOKFLASH_FILES_URL", "s3:///calls", "s3://bucket/prefix, gs://bucket/prefix"),
        ("HOOKFLASH_FILES_URL", "ftp://calls", "s3://bucket/prefix"),
        ("HOOKFLASH_PUBLIC_URL", "http://phone.example.com", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "phone.example.com", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "https://", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "https://ann@phone.example.com", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "https://phone.example.com?x=1", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "https://phone.example.com:port", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "http://127.0.0.1@phone.example.com", "a https:// URL"),
        ("HOOKFLASH_PUBLIC_URL", "http://localhost.example.com", "a https:// URL"),
        ("HOOKFLASH_TWILIO_API_URL", "http://api.example.com", "a https:// URL"),
        ("HOOKFLASH_DELIVERY_URL", "http://hooks.example.com", "a https:// URL"),
        ("HOOKFLASH_DELIVERY_URL", "https://[::1", "a https:// URL"),
        ("HOOKFLASH_SPEECH_URL", "http://speech.example.com/v1", "a https:// URL"),
        ("HOOKFLASH_SPEECH_URL", "none", "a https:// URL"),
        ("HOOKFLASH_DELIVERY_DAYS", "366", "a number from 0 to 365"),
        ("HOOKFLASH_EVENT_KINDS", "call.begun", "kinds of events, such as call.started,"),
        ("HOOKFLASH_EVENT_URL", "http://hooks.example.com", "a https:// URL"),
        ("HOOKFLASH_MODEL_URL", "ws://model.example.com", "a wss:// URL"),
        ("HOOKFLASH_MODEL_URL", "https://model.example.com", "a wss:// URL"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_what_came_and_the_remedy(
    variable: str, text: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({variable: text})
    message = str(caught.value)
    assert message.startswith(f"{variable}: expected {expected}")
    shown = re.sub("//.*@", "//(hidden)@", text)
    assert f"got {shown!r}; correct it, or leave it out for " in message


def test_speech_can_be_turned_off() -> None:
    assert Settings.load({"HOOKFLASH_SPEECH_URL": "OFF"}).speech.url == "off"


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({"HOOKFLASH_PORT": "x", "HOOKFLASH_VAD": "y"})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "HOOKFLASH_PORT",
        "HOOKFLASH_VAD",
    ]


def test_a_former_name_is_an_error_that_gives_the_new_name(folder: Path) -> None:
    (folder / ".env").write_text("HOOKFLASH_KEEP_RECORDINGS_DAYS=30\nHOOKFLASH_KEEP_CALLS_DAYS=\n")
    (folder / "hookflash.toml").write_text("[storage]\nkeep_deliveries_days = 4\n")
    with pytest.raises(ConfigError) as caught:
        Settings.load({"HOOKFLASH_KEEP_CALLS_DAYS": "90"})
    assert str(caught.value).splitlines() == [
        "HOOKFLASH_KEEP_CALLS_DAYS in the environment has a new name: rename it to"
        " HOOKFLASH_CALL_RETENTION_DAYS",
        "[storage] keep_deliveries_days in the settings file has a new name: rename it to"
        " delivery_retention_days",
        "HOOKFLASH_KEEP_RECORDINGS_DAYS in .env has a new name: rename it to"
        " HOOKFLASH_RECORDING_RETENTION_DAYS",
    ]


def test_an_unknown_setting_is_warned_of_with_a_guess(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "hookflash.toml").write_text("port = 1\n[model]\nnaem = 'x'\n[zzz]\nyyy = 1\n")
    with caplog.at_level(logging.WARNING):
        Settings.load({"HOOKFLASH_PUBLIC_ULR": "x", "HOOKFLASH_ZZZ": "x", "TWILIO_REGION": "us1"})
    assert caplog.messages == [
        "! HOOKFLASH_PUBLIC_ULR in the environment is not a setting and is ignored;"
        " did you mean HOOKFLASH_PUBLIC_URL?",
        "! HOOKFLASH_ZZZ in the environment is not a setting and is ignored",
        "! port in the settings file is not a setting and is ignored; did you mean [server] port?",
        "! [model] naem in the settings file is not a setting and is ignored;"
        " did you mean [model] name?",
        "! zzz in the settings file is not a setting and is ignored",
    ]


def test_a_setting_in_a_wrong_section_is_warned_of_with_the_right_one(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "hookflash.toml").write_text(
        "[limits]\nmax_call_seconds = 600\nmax_call = 9\n[server]\nurl = 'x'\n"
    )
    with caplog.at_level(logging.WARNING):
        Settings.load({})
    ignored = "in the settings file is not a setting and is ignored; did you mean"
    assert caplog.messages == [
        f"! [limits] max_call_seconds {ignored} [server] max_call_seconds?",
        f"! [limits] max_call {ignored} [limits] max_calls?",
        f"! [server] url {ignored} [model] url or [chat] url or [speech] url or [deliveries] url"
        " or [events] url or [cluster] url?",
    ]


# --- secrets ----------------------------------------------------------------------------------


def test_secrets_are_never_shown() -> None:
    settings = settings_of(
        openai_api_key="key-one",
        twilio_auth_token="token-one",
        twilio_auth_token_secondary="token-two",
        llm_key="key-two",
        delivery_secret="key-three",
        database_url="postgresql://ann:sword@fish@db/calls",
    )
    for text in (repr(settings), str(settings), f"{settings}"):
        for secret in (
            "key-one",
            "token-one",
            "token-two",
            "key-two",
            "key-three",
            "sword",
            "fish",
        ):
            assert secret not in text
    assert "api_key='(set)'" in repr(settings)
    assert "postgresql://(hidden)@db/calls" in repr(settings)
    assert "account_sid=None" in repr(settings)


def test_a_wrong_database_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({"HOOKFLASH_DATABASE_URL": "oracle://ann:swordfish@db"})
    assert "swordfish" not in str(caught.value)


# --- serving ----------------------------------------------------------------------------------


def test_a_complete_account_can_serve() -> None:
    settings = Settings.load(ACCOUNT)
    assert settings.check_serving() is settings
    assert not settings.unsigned_allowed


def test_all_that_serving_lacks_is_named_at_once_with_remedies() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({}).check_serving()
    lines = str(caught.value).splitlines()
    assert lines[0] == "serve cannot start; missing:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "HOOKFLASH_PUBLIC_URL",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "OPENAI_API_KEY",
    ]
    assert "console.twilio.com" in lines[2]


@pytest.mark.parametrize("missing", ACCOUNT)
def test_each_part_of_an_account_is_needed(missing: str) -> None:
    left = {name: text for name, text in ACCOUNT.items() if name != missing}
    with pytest.raises(ConfigError, match=f"missing:\n  {missing}: [^\n]*$"):
        Settings.load(left).check_serving()


@pytest.mark.parametrize("secret", [{}, {"HOOKFLASH_DELIVERY_SECRET": "swordfish"}])
def test_deliveries_are_not_posted_without_a_secret_to_sign_them_with(
    secret: dict[str, str],
) -> None:
    url = {"HOOKFLASH_DELIVERY_URL": "https://example.com/hook"}
    with pytest.raises(ConfigError, match="HOOKFLASH_DELIVERY_SECRET: at least 16") as caught:
        Settings.load(ACCOUNT | url | secret).check_serving()
    assert "swordfish" not in str(caught.value)
    good = {"HOOKFLASH_DELIVERY_SECRET": "0123456789abcdef"}
    assert Settings.load(ACCOUNT | url | good).check_serving().deliveries.days == 7.0


def test_events_are_not_posted_without_a_secret_to_sign_them_with() -> None:
    url = {"HOOKFLASH_EVENT_URL": "https://example.com/events"}
    with pytest.raises(ConfigError, match="HOOKFLASH_EVENT_SECRET: at least 16"):
        Settings.load(ACCOUNT | url).check_serving()
    good = {"HOOKFLASH_EVENT_SECRET": "0123456789abcdef"}
    assert Settings.load(ACCOUNT | url | good).check_serving().events.days == 1.0


def test_stand_ins_on_this_machine_need_no_account() -> None:
    settings = Settings.load(LOCAL)
    assert settings.unsigned_allowed
    assert settings.check_serving() is settings


@pytest.mark.parametrize(
    "peer",
    [
        {"HOOKFLASH_PUBLIC_URL": "https://phone.example.com"},
        {"HOOKFLASH_TWILIO_API_URL": "https://api.twilio.com"},
        {"HOOKFLASH_MODEL_URL": "wss://api.openai.com/v1/realtime"},
    ],
)
def test_one_peer_elsewhere_is_enough_to_refuse_unsigned_serving(peer: dict[str, str]) -> None:
    settings = Settings.load(LOCAL | peer)
    assert not settings.unsigned_allowed
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN: .* only if HOOKFLASH_PUBLIC_URL"):
        settings.check_serving()


def test_without_a_public_url_nothing_is_unsigned() -> None:
    local = {name: text for name, text in LOCAL.items() if name != "HOOKFLASH_PUBLIC_URL"}
    assert not Settings.load(local).unsigned_allowed


@pytest.mark.parametrize(
    ("url", "stays_here"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST:80", True),
        ("ws://127.0.0.1:1/x", True),
        ("ws://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://[::1", False),
        ("", False),
        (None, False),
    ],
)
def test_what_stays_on_this_machine(url: str | None, stays_here: bool) -> None:
    assert is_loopback(url) is stays_here


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("127.0.0.1, nginx", "'nginx' is neither"),
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("0.0.0.0/0", "everybody"),
    ],
)
def test_a_trusted_proxy_that_is_no_address_or_network_is_told(text: str, told: str) -> None:
    with pytest.raises(
        ConfigError, match="HOOKFLASH_TRUSTED_PROXIES: expected addresses"
    ) as raised:
        Settings.load({"HOOKFLASH_TRUSTED_PROXIES": text})
    assert told in str(raised.value)
    assert f"got {text!r}" in str(raised.value)


def test_a_format_of_the_log_that_does_not_exist_is_told() -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_LOG_FORMAT: expected one of text, json"):
        Settings.load({"HOOKFLASH_LOG_FORMAT": "xml"})
