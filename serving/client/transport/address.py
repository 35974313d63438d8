"""Owns `Address`: what a base URL says about where to connect, and the head of each request that goes there."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, urlsplit

_SAFE_IN_PATH = "/:@!$&'()*+,;=~-._?%"


class Address:
    """Where a server is: `base` is the path of its API, `root` what stands before ``/v1``.

    Raises:
        ValueError: the URL is none that can be connected to, or a header cannot be sent.
    """

    def __init__(self, url: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        wrong = f"{url!r} is not a URL; give one like http://127.0.0.1:8000/v1."
        try:
            parts = urlsplit(url)
            self.tls = parts.scheme == "https"
            self.port = parts.port or (443 if self.tls else 80)
            self.host = parts.hostname or ""
            name = self.host if ":" in self.host else self.host.encode("idna").decode()
        except ValueError as error:
            raise ValueError(wrong) from error
        if parts.scheme not in ("http", "https") or not self.host:
            raise ValueError(wrong)
        self.base = parts.path.rstrip("/")
        self.root = self.base.removesuffix("/v1")
        shown = f"[{name}]" if ":" in name else name
        usual = self.port == (443 if self.tls else 80)
        fixed = (
            ("Host", shown if usual else f"{shown}:{self.port}"),
            ("User-Agent", "crewgraph"),
            ("Accept-Encoding", "identity"),
            *headers,
        )
        self._fixed = header_lines(fixed)
        # The few paths of one server; the first lines of its requests are put together once.
        self._first_lines = lru_cache(64)(self._first_line)

    def head(self, method: str, path: str, length: int | None, headers: tuple[tuple[str, str], ...]) -> bytes:
        """All that stands before a request's body of `length` bytes (None: it has no body)."""
        head = self._first_lines(method, path)
        if headers:
            head += header_lines(headers)
        if length is None:
            return head + b"\r\n"
        return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length

    def _first_line(self, method: str, path: str) -> bytes:
        return f"{method} {quote(path, safe=_SAFE_IN_PATH) or '/'} HTTP/1.1\r\n".encode() + self._fixed


def header_lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Header lines as they are sent. Raises `ValueError`: a value holds what no header may."""
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"The header {name} can only carry plain ASCII text, and was given other.")
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii")
