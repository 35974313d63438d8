"""Owns the pydantic class for a JSON schema that stands in a crew file: it holds what fits, and refuses the rest."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, RootModel, model_validator
from pydantic_core import CoreSchema

from ...runtime.errors import InvalidCrew


def shape_of(schema: dict[str, Any], name: str) -> type[BaseModel]:
    """A class whose JSON schema is exactly `schema`, and that takes only values which fit it.

    Raises:
        InvalidCrew: it is no JSON schema (draft 2020-12).
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.path)
        raise InvalidCrew(
            f"this is no JSON schema{f' at {where}' if where else ''}: {error.message[:200]}."
        ) from None
    validator = Draft202012Validator(schema)

    class Shape(RootModel[Any]):
        """What an agent gives back."""

        @model_validator(mode="before")
        @classmethod
        def _fits(cls, value: Any) -> Any:
            first = next(iter(validator.iter_errors(value)), None)
            if first is not None:
                where = ".".join(str(part) for part in first.path)
                raise ValueError(f"{where}: {first.message[:200]}" if where else first.message[:200])
            return value

        @classmethod
        def __get_pydantic_json_schema__(
            cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
        ) -> dict[str, Any]:
            return dict(schema)

    title = schema.get("title")
    Shape.__name__ = Shape.__qualname__ = _class_name(title if isinstance(title, str) else name)
    return Shape


def _class_name(text: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", text)
    named = "".join(word[0].upper() + word[1:] for word in words)
    return named if named[:1].isalpha() else f"Output{named}"
