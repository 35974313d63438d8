"""Redaction: secrets are taken out before anything reaches the journal, and so before any log or screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from pydantic import JsonValue

REDACTED = "[redacted]"

_NAMED = (
    "password passwd passphrase secret api_key apikey api-key x-api-key access_token refresh_token auth_token "
    "client_secret private_key secret_key authorization proxy-authorization cookie set-cookie"
).split()
_FIELD = re.compile(rf'("(?:{"|".join(map(re.escape, _NAMED))})"\s*:\s*)"(?:[^"\\]|\\.)+"', re.IGNORECASE)
_FIELD_HINTS = ("password", "passwd", "passphrase", "secret", "key", "_token", "authorization", "cookie")

_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    # Each with the plain words without which it cannot match: looking for those first costs next to nothing.
    (
        ("sk-", "sk_", "pk_", "rk_"),
        re.compile(r"\b(?:sk|pk|rk)[-_](?=[\w\-]*\d)(?:[A-Za-z]+[-_])*[A-Za-z0-9_\-]{16,}"),
    ),
    (("ghp_", "gho_", "ghs_", "ghu_", "github_pat_"), re.compile(r"\b(?:gh[posu]_|github_pat_)\w{20,}")),
    (("glpat-",), re.compile(r"\bglpat-[\w\-]{16,}")),
    (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    (("AIza",), re.compile(r"\bAIza[\w\-]{30,}")),
    (("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    (("xox",), re.compile(r"\bxox[abprs]-[\w\-]{10,}")),
    (("eyJ",), re.compile(r"\beyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{8,}")),
    (("earer ", "asic "), re.compile(r"\b([Bb]earer|[Bb]asic) [A-Za-z0-9._~+/=\-]{12,}")),
    (
        ("-----BEGIN",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
    ),
    (("://",), re.compile(r"(?<=://)[^/\s:@\"\\]+:[^/\s@\"\\]+(?=@)")),
)


class Redactor:
    """Takes secrets out of JSON: known shapes (keys, tokens, passwords in URLs), fields named like secrets, and the
    `secrets` it is told. What it takes out is replaced by ``[redacted]``, the same live and in a replay.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {
            json.dumps(secret, ensure_ascii=ascii_)[1:-1] for secret in secrets for ascii_ in (True, False)
        }
        self._secrets = tuple(
            sorted((secret for secret in known if len(secret) >= _SHORTEST), key=len, reverse=True)
        )

    def text(self, text: str) -> str:
        """JSON text without secrets. What is not one stays byte for byte."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        for hints, shape in _SHAPES:
            for hint in hints:
                if hint in text:
                    text = shape.sub(REDACTED, text)
                    break
        lowered = text.lower()
        for hint in _FIELD_HINTS:
            if hint in lowered:
                return _FIELD.sub(rf'\1"{REDACTED}"', text)
        return text

    def value(self, value: JsonValue) -> JsonValue:
        """A JSON value without secrets: itself where it holds none."""
        if value is None or isinstance(value, bool | int | float):
            return value
        before = _compact(value)
        after = self.text(before)
        if after == before:
            return value
        cleaned: JsonValue = json.loads(after)
        return cleaned


_SHORTEST = 6
"""A shorter 'secret' would blot out ordinary words."""

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
