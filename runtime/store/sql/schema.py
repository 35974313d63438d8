"""Schema: which version the tables have, how new ones are made, and how old ones are brought up.

What is opened every time reads one number. SQLAlchemy is loaded to make new tables, Alembic to upgrade old ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA_VERSION = 3
"""The version of `tables`: the number of the newest migration."""

TABLES = (
    "schema_version",
    "runs",
    "events",
    "blobs",
    "blob_refs",
    "answers",
    "threads",
    "messages",
    "summaries",
    "meta",
)


def check_version(version: int, name: str) -> bool:
    """Whether the tables have to be brought up. Raises `StoreError` when they are newer than this code."""
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The database {name} was written by a newer crewgraph (its tables are version {version}, "
            f"this one reads up to {SCHEMA_VERSION}): upgrade crewgraph, or choose another database."
        )
    return version < SCHEMA_VERSION


def foreign(name: str) -> StoreError:
    """The sentence for a database that holds somebody else's tables."""
    return StoreError(f"The database {name} is not one of crewgraph's: choose another one.")


def in_use(name: str) -> StoreError:
    """The sentence for old tables that somebody works with."""
    return StoreError(
        f"The database {name} has to be brought up to date while nobody uses it: stop the other processes that "
        "carry out its runs, then run the command again."
    )


def bring_up(connection: Connection, there: bool) -> None:
    """Make the tables, or bring up those that are `there`, within the caller's transaction."""
    version = (
        connection.exec_driver_sql("SELECT max(version) FROM schema_version").scalar() if there else None
    )
    if version is None:
        _create(connection)
    elif version < SCHEMA_VERSION:
        _upgrade(connection, version)


def _create(connection: Connection) -> None:
    from .tables import metadata

    metadata.create_all(connection)
    connection.exec_driver_sql(f"INSERT INTO schema_version (version) VALUES ({SCHEMA_VERSION})")


def _upgrade(connection: Connection, version: int) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    steps = [step for step in scripts.iterate_revisions("head", "base") if int(step.revision) > version]
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
    connection.exec_driver_sql(f"UPDATE schema_version SET version = {SCHEMA_VERSION}")
