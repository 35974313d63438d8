"""Seal: what people said and what tools found, encrypted on its way into the database.

Sealed are events' bodies (with their keys), large values, requests, answers, errors and options of runs, messages
and titles of conversations, and people's answers. In the open stay ids, times, kinds of events, ids of tasks, roles,
models, tenants, names of crews, and counts: the inspector and the lists need them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import InvalidInput, StoreError
from ..journalling.row import EventRow

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

Key = bytes | str | Sequence[bytes | str]
"""One key, or several: the first one encrypts, all of them decrypt."""


class Seal:
    """No encryption: everything passes as it is. `Sealing` is the real one."""

    secret = b""
    """What the chain of a run's events is keyed with."""

    def close(self, text: str) -> str:
        """The text as the database keeps it."""
        return text

    def open(self, kept: str) -> str:
        """The text that the database keeps. Raises `StoreError` when no key fits."""
        return kept

    def digest(self, digest: str) -> str:
        """The name under which a large value with this hash is kept."""
        return digest

    def close_row(self, row: EventRow) -> tuple[str, str]:
        """The key and the body of an event as the database keeps them."""
        return row.key, row.body

    def open_row(self, key: str, body: str) -> tuple[str, str]:
        """The key and the body of an event that the database keeps so."""
        return key, body


class Sealing(Seal):
    """Encryption under the given keys. `secret` is the database's own, and survives a change of keys."""

    def __init__(self, fernet: MultiFernet, secret: bytes) -> None:
        self._fernet = fernet
        self.secret = secret

    def close(self, text: str) -> str:
        """The text as the database keeps it."""
        return self._fernet.encrypt(text.encode()).decode() if text else ""

    def open(self, kept: str) -> str:
        """The text that the database keeps."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(kept.encode()).decode() if kept else ""
        except InvalidToken:
            raise StoreError(
                "Something in the database was encrypted with a key that is not given: "
                "open it with all keys that were ever in use, the newest first."
            ) from None

    def digest(self, digest: str) -> str:
        """A keyed hash, so that nobody can tell by its hash what a value was."""
        return hashlib.blake2b(digest.encode(), digest_size=32, key=self.secret).hexdigest()

    def close_row(self, row: EventRow) -> tuple[str, str]:
        """The key is a hash of inputs, by which they could be guessed: it goes into the body."""
        return "", self.close(f"{row.key}\0{row.body}")

    def open_row(self, key: str, body: str) -> tuple[str, str]:
        """The key and the body of an event that the database keeps so."""
        key, _, body = self.open(body).partition("\0")
        return key, body


def keys_of(key: Key) -> MultiFernet:
    """The keys as one.

    Raises:
        StoreError: the package for encryption is missing.
        InvalidInput: a key is none.
    """
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError:
        raise StoreError(
            "Encryption needs a package that is not installed: run `pip install 'crewgraph[encryption]'`."
        ) from None
    given = [key] if isinstance(key, bytes | str) else list(key)
    try:
        fernets = [Fernet(one) for one in given]
    except ValueError:
        fernets = []
    if not fernets:
        raise InvalidInput(
            "A key for the database is 32 random bytes in URL-safe base64: make one with `python -c "
            "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`."
        )
    return MultiFernet(fernets)


def new_secret(fernet: MultiFernet) -> str:
    """A new secret for a new database, wrapped as it is kept."""
    return fernet.encrypt(secrets.token_bytes(32)).decode()


def sealing(fernet: MultiFernet, wrapped: str, name: str) -> Sealing:
    """The seal of a database that keeps this wrapped secret. Raises `StoreError` when no key fits."""
    from cryptography.fernet import InvalidToken

    try:
        return Sealing(fernet, fernet.decrypt(wrapped.encode()))
    except InvalidToken:
        raise StoreError(
            f"The key does not fit the database {name}: give the one it was made with."
        ) from None
