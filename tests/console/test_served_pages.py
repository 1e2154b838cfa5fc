"""The pages as files: who gets which, and under which prefix."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash.console.pages import INDEX, SIGN_IN, STATIC, Pages, needed_by

from .conftest import MakeOffice, Office


async def test_who_has_signed_in_gets_the_console_and_others_the_form(office: Office) -> None:
    async with office.http_client() as stranger:
        sent = await stranger.get("/console")
        assert (sent.status_code, sent.headers["location"]) == (303, "/console/sign-in")
        form = await stranger.get("/console/sign-in")
        assert form.text == (STATIC / SIGN_IN).read_text()
        for name in needed_by(STATIC, SIGN_IN):
            assert (await stranger.get(f"/console/static/{name}")).status_code == 200, name
        for name in ("app.js", "css/call.css", "index.html"):
            assert (await stranger.get(f"/console/static/{name}")).status_code == 401
    async with office.signed_in("vera") as client:
        for path in ("/console", "/console/"):
            page = await client.get(path)
            assert page.text == (STATIC / INDEX).read_text()
            assert page.headers["content-type"] == "text/html; charset=utf-8"
        code = await client.get("/console/static/app.js")
        assert code.headers["content-type"].startswith("text/javascript")
        assert code.headers["cache-control"] == "no-cache"
        again = await client.get(
            "/console/static/app.js", headers={"If-None-Match": code.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        for name in ("nothing.js", "../access.py", "..%2faccess.py", "css"):
            assert (await client.get(f"/console/static/{name}")).status_code == 404, name


async def test_all_that_a_page_names_is_there() -> None:
    for page in (INDEX, SIGN_IN):
        names = needed_by(STATIC, page)
        assert names
        assert {name for name in names if not (STATIC / name).is_file()} == set()


async def test_addresses_carry_the_path_of_the_public_url(make_office: MakeOffice) -> None:
    async with make_office(path="/phone") as office, office.http_client() as client:
        form = await client.get("/console/sign-in")
        assert '"/phone/console/static/' in form.text
        assert '"/console/' not in form.text
        assert (await client.get("/console")).headers["location"] == "/phone/console/sign-in"


async def test_without_its_files_there_is_an_answer_all_the_same(
    office: Office, tmp_path: Path
) -> None:
    pages = Pages(office.console.access, folder=tmp_path)
    office.app.router.routes[:0] = pages.routes()
    async with office.http_client() as client:
        answer = await client.get("/console/sign-in")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def test_a_page_that_names_what_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text('<img src="/console/static/a.png"> "/console/static/b.js"')
    (tmp_path / "a.png").write_bytes(b"\xff\xfe")
    (tmp_path / "b.js").write_text('import { x } from "./lib/c.js";')
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "c.js").write_text('import { y } from "./d.js";')
    assert needed_by(tmp_path, "p.html") == {"a.png", "b.js", "lib/c.js", "lib/d.js"}
    with pytest.raises(StopIteration):
        next(iter(needed_by(tmp_path, "none.html")))
