"""Serve the console's pages: static files for signed-in users.

    GET /console, /console/      the console; redirects to the sign-in page if not signed in
    GET /console/sign-in         the sign-in form; the files it needs are public
    GET /console/static/{path}   all other files

The files refer to each other by absolute paths; the path of the public URL is added in front.
"""

from __future__ import annotations

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from hookflash.console.access import AccessControl, Refused

STATIC = Path(__file__).parent / "static"
SIGN_IN = "sign-in.html"
INDEX = "index.html"

_REFERENCE = re.compile(r"""["(]/console/static/([\w./-]+)["')]|from "\./([\w./-]+)";""")


class Pages:
    """The routes of the pages. `path` is that of the public URL: "" or `/prefix`."""

    def __init__(self, access: AccessControl, *, path: str = "", folder: Path = STATIC) -> None:
        self._access = access
        self._path = path
        self._folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._public = needed_by(folder, SIGN_IN)

    def routes(self) -> list[Route]:
        access = self._access
        return [
            Route("/console", access.with_headers(self._index), methods=["GET"]),
            Route("/console/", access.with_headers(self._index), methods=["GET"]),
            Route("/console/sign-in", access.with_headers(self._sign_in), methods=["GET"]),
            Route(
                "/console/static/{path:path}", access.with_headers(self._static), methods=["GET"]
            ),
        ]

    async def _index(self, request: Request) -> Response:
        if await self._access.principal(request) is None:
            return RedirectResponse(f"{self._path}/console/sign-in", 303)
        return self._page(INDEX)

    async def _sign_in(self, request: Request) -> Response:
        return self._page(SIGN_IN)

    async def _static(self, request: Request) -> Response:
        path = request.path_params["path"]
        if path not in self._public:
            await self._access.admit(request, role="viewer", tokens=False)
        try:
            response = await self._files.get_response(path, request.scope)
        except HTTPException as error:
            raise Refused(error.status_code, "unknown", "There is no such file.") from None
        # Revalidated each time, so that a new version is used at once.
        response.headers["Cache-Control"] = "no-cache"
        return response

    def _page(self, name: str) -> Response:
        try:
            text = (self._folder / name).read_text(encoding="utf-8")
        except OSError:
            raise Refused(404, "unknown", "The console's pages are not installed.") from None
        return HTMLResponse(text.replace('"/console/', f'"{self._path}/console/'))


def needed_by(folder: Path, name: str) -> frozenset[str]:
    """Return the files that a page needs: those that it names, and those that they name."""
    found: set[str] = set()
    left = [name]
    while left:
        path = folder / left.pop()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for absolute, beside in _REFERENCE.findall(text):
            file = absolute or (path.parent / beside).relative_to(folder).as_posix()
            if file not in found:
                found.add(file)
                left.append(file)
    return frozenset(found)
