"""A small S3 on this machine: objects by PUT, GET, HEAD, DELETE and LIST, signatures checked.

It is a second reading of the protocol: signatures are computed here as AWS documents them
(Signature Version 4), and each request is refused with 403 if its own differs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET, REGION, BUCKET = "AKIATEST", "test-secret-key", "eu-central-1", "calls"
MODIFIED = 1_790_000_000.0
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class S3Server:
    """Serves a bucket from memory. `refuse` answers every request with this status."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.unsigned = 0
        self.refuse = 0
        outer = self

        class Handler(_Handler):
            server_of = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def variables(self) -> dict[str, str]:
        """The variables of AWS' tools that lead here."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_of: S3Server
    protocol_version = "HTTP/1.1"
    # A connection that stays open would hold its thread: each request has its own.
    close_connection = True

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self._is_allowed(body):
            self.server_of.objects[self._name()] = body
            self._send(200, headers={"ETag": '"x"'})

    def do_GET(self) -> None:
        if not self._is_allowed(b""):
            return
        if "list-type=2" in self.path:
            self._send(200, self._listed())
            return
        self._send_object()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not self._is_allowed(body):
            return
        names = re.findall(rb"<Key>([^<]*)</Key>", body)
        for name in names:
            self.server_of.objects.pop(name.decode(), None)
        deleted = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % name for name in names)
        self._send(200, b"<DeleteResult>%s</DeleteResult>" % deleted)

    def do_DELETE(self) -> None:
        if self._is_allowed(b""):
            self.server_of.objects.pop(self._name(), None)
            self._send(204)

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")

    def _send_object(self) -> None:
        data = self.server_of.objects.get(self._name())
        if data is None:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if found is None:
            self._send(200, data)
            return
        first, last = int(found[1]), min(int(found[2]), len(data) - 1)
        about = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self._send(206, data[first : last + 1], headers=about)

    def _listed(self) -> bytes:
        prefix = dict(parse_qsl(urlsplit(self.path).query)).get("prefix", "")
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-09-21T13:33:20.000Z"
            f'</LastModified><ETag>"x"</ETag><Size>{len(data)}</Size></Contents>'
            for name, data in sorted(self.server_of.objects.items())
            if name.startswith(prefix)
        )
        return f"<ListBucketResult>{entries}</ListBucketResult>".encode()

    def _is_allowed(self, body: bytes) -> bool:
        server = self.server_of
        server.requests.append(f"{self.command} {self.path}")
        if server.refuse:
            self._send(server.refuse, b"<Error><Code>Refused</Code></Error>")
            return False
        found = _AUTHORIZATION.fullmatch(self.headers.get("authorization", ""))
        if (
            found is None
            or found["key"] != KEY
            or self._signature(found, body) != found["signature"]
        ):
            server.unsigned += 1
            self._send(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
            return False
        return True

    def _signature(self, found: re.Match[str], body: bytes) -> str:
        parts = urlsplit(self.path)
        query = sorted(
            (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        names = found["headers"].split(";")
        content = self.headers["x-amz-content-sha256"]
        if content not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return "the content differs"
        canonical = "\n".join(
            [
                self.command,
                parts.path,
                "&".join(f"{name}={value}" for name, value in query),
                *(f"{name}:{' '.join(self.headers[name].split())}" for name in names),
                "",
                found["headers"],
                content,
            ]
        )
        to_sign = "\n".join(
            [
                "AWS4-HMAC-SHA256",
                self.headers["x-amz-date"],
                found["scope"],
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        key = b"AWS4" + SECRET.encode()
        for part in found["scope"].split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, to_sign.encode(), "sha256").hex()

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", formatdate(MODIFIED, usegmt=True))
        self.send_header("Connection", "close")
        for name, value in ({"ETag": '"x"'} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
