"""Opening a store: from a path or a URL, and perhaps a key, to a store that is ready."""

from __future__ import annotations

import os
import re

from ..errors import InvalidInput, StoreError
from .seal import Key, Seal, keys_of, new_secret, sealing
from .sql.database import Database, Statement, write
from .store import SqlStore

_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*)://(.*)", re.DOTALL)
_POSTGRES = ("postgresql", "postgres", "postgresql+asyncpg")
_SECRET = "secret"
_READ_META = "SELECT value FROM meta WHERE name = ?"
_EMPTY = "SELECT 1 FROM runs UNION ALL SELECT 1 FROM threads LIMIT 1"
_WRITE_META = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"


async def opened(where: str | os.PathLike[str], synchronous: str, key: Key | None) -> SqlStore:
    """The store at this place. Raises as `open_store` does."""
    fernet = keys_of(key) if key is not None else None
    database = await _database(where, synchronous)
    try:
        kept = await database.fetch(_READ_META, (_SECRET,))
        if fernet is None:
            if kept:
                raise StoreError(f"The database {database.name} is encrypted: give its key.")
            return SqlStore(database, Seal())
        if not kept:
            if await database.fetch(_EMPTY):
                raise StoreError(
                    f"The database {database.name} is not encrypted: open it without a key, or export its runs "
                    "and import them into a new database that is made with the key."
                )
            await write(database, Statement(_WRITE_META, (_SECRET, new_secret(fernet))))
            kept = await database.fetch(_READ_META, (_SECRET,))  # somebody may have been quicker
        return SqlStore(database, sealing(fernet, kept[0][0], database.name))
    except BaseException:
        await database.aclose()
        raise


async def _database(where: str | os.PathLike[str], synchronous: str) -> Database:
    url = _SCHEME.fullmatch(where) if isinstance(where, str) else None
    if url is not None and url[1] in _POSTGRES:
        try:
            import greenlet  # noqa: F401 - without it SQLAlchemy cannot work with asyncio

            from .postgres.database import PostgresDatabase
        except ImportError:
            raise StoreError(
                "PostgreSQL needs packages that are not installed: run `pip install 'crewgraph[postgres]'`."
            ) from None
        return await PostgresDatabase.open(f"postgresql://{url[2]}", synchronous=synchronous)
    if url is not None and url[1] != "sqlite":
        raise InvalidInput(
            f"{url[1]}:// is no database that runs are kept in: give a path, sqlite:///path or postgresql://user@host/name."
        )
    from .sqlite.database import SqliteDatabase

    path = where if url is None else url[2].removeprefix("/")
    return await SqliteDatabase.open(path, synchronous=synchronous)
