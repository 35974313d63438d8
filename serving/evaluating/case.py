"""Owns one case of a dataset: what is asked, and what is wanted of the answer and of the way to it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

Mode = Literal["exact", "in_order", "any_order", "none"]
"""How tool calls are held against those wanted: these and no others; these in this order, with others between;
these in whatever order; none of these."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Said(_Part):
    """A message of the conversation so far."""

    role: Literal["system", "user", "assistant"]
    content: str


class WantedCall(_Part):
    """A tool call that is wanted; where `args` are given, those of the call have to be the same (it may have more)."""

    name: str = Field(min_length=1)
    args: dict[str, JsonValue] | None = None


class Trajectory(_Part):
    """The way that is wanted: tool calls, and how they are held against those of the run."""

    mode: Mode = "in_order"
    calls: tuple[WantedCall, ...]

    @field_validator("calls", mode="before")
    @classmethod
    def _named(cls, calls: Any) -> Any:
        return [{"name": c} if isinstance(c, str) else c for c in calls] if isinstance(calls, list) else calls

    @model_validator(mode="after")
    def _says_something(self) -> Trajectory:
        if not self.calls and self.mode != "exact":
            raise ValueError('no calls are named; to allow none at all write {"mode": "exact", "calls": []}')
        return self


class Wanted(_Part):
    """A scorer that is wanted, by name (or import path), with its options."""

    name: str = Field(min_length=1)
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, dict) and "name" in given and "options" not in given:
            return {"name": given["name"], "options": {k: v for k, v in given.items() if k != "name"}}
        return given


class Case(_Part):
    """One case. `input` is asked, or the last of `messages`, with those before it as what was said so far.

    `expected` is what the answer should be, `schema` the JSON schema that it should have, `tools` which tools should have
    been called, `judge` a criterion for a model to judge by. `scorers` are this case's own.
    """

    id: str = ""
    input: str | None = None
    messages: tuple[Said, ...] = ()
    expected: JsonValue = None
    form: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    tools: Trajectory | None = None
    judge: str | None = None
    tags: tuple[str, ...] = ()
    scorers: tuple[Wanted, ...] = ()

    @field_validator("id", mode="before")
    @classmethod
    def _number_too(cls, given: Any) -> Any:
        return str(given) if isinstance(given, int) and not isinstance(given, bool) else given

    @field_validator("tools", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return {"calls": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _asks(self) -> Case:
        if (self.input is None) == (not self.messages):
            raise ValueError("a case has either `input` or `messages`")
        if self.messages and self.messages[-1].role != "user":
            raise ValueError("the last of `messages` is the one that is asked, so its role is user")
        if not self.request.strip():
            raise ValueError("it asks nothing: `input` is empty")
        if self.judge is not None and not self.judge.strip():
            raise ValueError("`judge` is empty: say what makes an answer a good one")
        return self

    @property
    def request(self) -> str:
        """What is asked."""
        return self.input if self.input is not None else self.messages[-1].content

    @property
    def history(self) -> tuple[Said, ...]:
        """What was said before it."""
        return self.messages[:-1]

    @property
    def content(self) -> str:
        """A hash of all that the case says; two datasets' cases of one id are the same case where this is."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]
