"""A tunnel by a program that stands in for cloudflared, and what is wrong with one."""

from __future__ import annotations

import asyncio
import importlib.machinery
import sys
import types
from pathlib import Path

import pytest

from hookflash.errors import ConfigError, HookflashError
from hookflash.server.tunnel import address_in, open_tunnel, tunnel_command

URL = "https://quiet-river.trycloudflare.com"


def program(folder: Path, body: str, name: str = "cloudflared") -> str:
    """Write a program that stands in for a tunnel's."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(0o700)
    return str(path)


OPENS = f"""
print("see https://developers.cloudflare.com/cloudflare-one/", flush=True)
print("|  {URL}  |", file=sys.stderr, flush=True)
print(sys.argv[1:], flush=True)
time.sleep(60)
"""


@pytest.mark.realtime
async def test_the_address_of_a_tunnel_is_read_and_the_program_ends_with_it(tmp_path: Path) -> None:
    async with open_tunnel(8080, program=program(tmp_path, OPENS)) as tunnel:
        assert tunnel.url == URL
        assert not tunnel.gone.is_set()
    assert tunnel.gone.is_set()


@pytest.mark.realtime
async def test_a_tunnel_that_ends_is_noticed_and_one_without_an_address_is_told(
    tmp_path: Path,
) -> None:
    short = program(tmp_path, f"print('{URL}', flush=True)")
    async with open_tunnel(8080, program=short) as tunnel:
        async with asyncio.timeout(10):
            await tunnel.gone.wait()
    ends = program(tmp_path, "print('no credentials'); sys.exit(1)")
    with pytest.raises(HookflashError, match="ended before it gave an address\n    no credentials"):
        async with open_tunnel(8080, program=ends):
            pass
    silent = program(tmp_path, "print('connecting', flush=True); time.sleep(60)")
    with pytest.raises(HookflashError, match="gave no address within 0.5 s"):
        async with open_tunnel(8080, program=silent, seconds=0.5):
            pass


async def test_the_package_ngrok_is_used_where_no_program_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    class Listener:
        def url(self) -> str:
            return "https://ab-1.ngrok-free.app"

        async def close(self) -> None:
            closed.append(True)

    async def forward(port: int, *, authtoken_from_env: bool) -> Listener:
        assert authtoken_from_env
        if port == 1:
            raise ValueError("no token in NGROK_AUTHTOKEN")
        return Listener()

    package = types.ModuleType("ngrok")
    package.__spec__ = importlib.machinery.ModuleSpec("ngrok", None)
    package.forward = forward  # type: ignore[attr-defined]  # what the package has
    monkeypatch.setitem(sys.modules, "ngrok", package)
    monkeypatch.setenv("PATH", "/nowhere")
    async with open_tunnel(8080) as tunnel:
        assert tunnel.url == "https://ab-1.ngrok-free.app" and not closed
    assert closed == [True]
    with pytest.raises(HookflashError, match="opened no tunnel: no token in NGROK_AUTHTOKEN"):
        async with open_tunnel(1):
            pass


def test_the_command_fits_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloudflared, ngrok = program(tmp_path, ""), program(tmp_path, "", "ngrok")
    assert tunnel_command(cloudflared, 80)[1:] == [
        *("tunnel", "--url", "http://127.0.0.1:80", "--no-autoupdate")
    ]
    assert tunnel_command(ngrok, 80)[1:] == ["http", "80", "--log", "stdout"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tunnel_command(None, 80)[0] == cloudflared
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="install cloudflared or ngrok"):
        tunnel_command(None, 80)
    with pytest.raises(ConfigError, match="there is no program nothing"):
        tunnel_command("nothing", 80)


@pytest.mark.parametrize(
    ("line", "known", "url"),
    [
        (f"INF |  {URL}  |", True, URL),
        ("t=1 msg=started url=https://ab-1.ngrok-free.app", True, "https://ab-1.ngrok-free.app"),
        ("open https://dashboard.ngrok.com/signup", True, None),
        ("https://developers.cloudflare.com then https://a.example.test", False,
         "https://a.example.test"),
        ("no address", False, None),
    ],
)  # fmt: skip
def test_only_the_tunnels_address_counts(line: str, known: bool, url: str | None) -> None:
    assert address_in(line, known=known) == url
