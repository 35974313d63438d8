"""What a request can be, and how sure that is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["small_talk", "question", "documents", "tools", "plan", "unsafe"]
"""Chatter; something that the model itself answers in one go; one question for the documents; calls of tools that
the rules can make as they stand, with their results put together; more than that; or something that must not be done."""

By = Literal["rules", "embedding", "model", "default"]

Harm = Literal["", "people", "weapons", "malware", "secrets", "self_harm"]
"""What an unsafe request would do harm to, or with; "" where it is not unsafe."""


class Intent(BaseModel):
    """What a request is taken for. `confidence` is how often such a guess is right, from 0 to 1; `by` is who said so.

    `language` is an ISO 639-1 code. Whoever is unsure says `plan`, which is never wrong and only dearer. `harm` says of an
    unsafe request what it would harm (see `refusal`).
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    language: str = "en"
    confidence: float = 0.0
    by: By = "default"
    why: str = ""
    harm: Harm = ""


UNSURE = Intent(kind="plan", why="Nothing says what it is, so it is planned.")
