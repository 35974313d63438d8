"""Owns a pydantic class for a JSON schema, for frameworks that are told of a schema only by a class."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, RootModel
from pydantic_core import CoreSchema


def schema_class(schema: dict[str, Any]) -> type[BaseModel]:
    """A class whose JSON schema is exactly `schema`, and that holds any JSON value."""

    class Reply(RootModel[Any]):
        """The reply."""

        @classmethod
        def __get_pydantic_json_schema__(
            cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
        ) -> dict[str, Any]:
            return dict(schema)

    return Reply
