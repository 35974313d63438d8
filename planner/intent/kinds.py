"""What a request can be, and how sure that is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["small_talk", "question", "documents", "tools", "plan", "unsafe"]
"""Chatter; one question that the model itself answers; one for the documents; one or two tool calls; more than that,
in an order; or something that must not be done."""

By = Literal["rules", "embedding", "model", "default"]


class Intent(BaseModel):
    """What a request is taken for. `confidence` is how often such a guess is right, from 0 to 1; `by` is who said so.

    `language` is an ISO 639-1 code. Whoever is unsure says `plan`, which is never wrong and only dearer.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    language: str = "en"
    confidence: float = 0.0
    by: By = "default"
    why: str = ""


UNSURE = Intent(kind="plan", why="Nothing says what it is, so it is planned.")
