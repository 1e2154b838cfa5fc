"""Answer a request for a stored file, or for one range of its bytes (RFC 9110, section 14).

The file may be on this disk or in an object store (`files.stored_files`). A player requests a
recording in ranges, so that it can begin at any time of the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hookflash.files.stored_files import StoredFile


def file_response(request: Request, file: StoredFile, *, media_type: str, name: str) -> Response:
    """Return the answer: 200 with the file, 206 with a range, or 416 for one outside the file.

    The caller has checked the syntax of `Range`: one range of bytes. If the file has changed since
    the player began (`If-Range`), the answer is the whole file.
    """
    tag = f'"{file.tag}"'
    modified = formatdate(file.modified_at, usegmt=True)
    headers = {
        "accept-ranges": "bytes",
        "content-disposition": f'attachment; filename="{name}"',
        "etag": tag,
        "last-modified": modified,
    }
    first, end, status = 0, file.size, 200
    wanted = request.headers.get("range")
    if wanted is not None and request.headers.get("if-range", tag) in (tag, modified):
        first, end = _range(wanted, file.size)
        if first >= end:
            return Response(status_code=416, headers={"content-range": f"bytes */{file.size}"})
        status = 206
        headers["content-range"] = f"bytes {first}-{end - 1}/{file.size}"
    headers["content-length"] = str(end - first)
    content = _nothing() if request.method == "HEAD" else file.read(first, end)
    return StreamingResponse(content, status, headers=headers, media_type=media_type)


def _range(text: str, size: int) -> tuple[int, int]:
    """Return the first byte and the end of `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-NUMBER`.

    The end is not larger than `size`. A range outside the file is empty.
    """
    first, _, last = text.partition("=")[2].partition("-")
    if not first:
        return max(size - int(last), 0), size if int(last) else 0
    return int(first), min(int(last) + 1, size) if last else size


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
