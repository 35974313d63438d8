"""What a model can be trusted with, found out by asking it.

A model of a hundred million parameters fills any schema and means nothing by it. Before its choices are believed
it answers a short quiz of tool choices whose answers are known, under the same constrained decoding that planning
uses. The score decides, visibly, whether plans and actions are the model's or the deterministic planner's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .model import Message, ModelClient, ModelRequest

_TOOLS = (
    ("weather", "tells the weather forecast for a city"),
    ("translate", "translates a sentence into another language"),
    ("calendar", "shows and books appointments"),
    ("calculator", "works out sums and percentages"),
    ("mail", "sends a message to somebody"),
)
_QUIZ = (
    ("Will it rain in Oslo tomorrow?", "weather"),
    ("How do you say 'good night' in Spanish?", "translate"),
    ("What is 17 percent of 5400?", "calculator"),
    ("Am I free on Thursday at three?", "calendar"),
    ("Let Anna know that I will be late.", "mail"),
    ("Do I need sunglasses in Rome this weekend?", "weather"),
    ("Multiply 48 by 119.", "calculator"),
    ("Put a dentist visit on Monday at ten.", "calendar"),
    ("Write to Bob that the order has arrived.", "mail"),
    ("What does this French sentence mean?", "translate"),
)
_NEEDED = 0.8


@dataclass(frozen=True, slots=True)
class Aptitude:
    """How many of the quiz's tool choices a model got right; chance is one in five."""

    right: int
    asked: int
    model: str = ""

    @property
    def plans(self) -> bool:
        """Whether its plans and choices of action are to be believed."""
        return self.asked > 0 and self.right / self.asked >= _NEEDED

    def __str__(self) -> str:
        return f"{self.model or 'the model'} chose the right tool in {self.right} of {self.asked} trial questions"


async def probe(client: ModelClient, model: str | None = None) -> Aptitude:
    """Put the quiz to a model. The names' order changes each time, so that a fixed favourite gains nothing.

    Raises:
        EngineError: the engine does not answer.
    """
    replies = await asyncio.gather(*(client.complete(_question(n, model)) for n in range(len(_QUIZ))))
    right = sum(reply.text == answer for reply, (_, answer) in zip(replies, _QUIZ, strict=True))
    return Aptitude(right, len(_QUIZ), replies[0].model)


def _question(number: int, model: str | None) -> ModelRequest:
    turn = number % len(_TOOLS)
    offered = (*_TOOLS[turn:], *_TOOLS[:turn])
    listed = "\n".join(f"- {name}: {about}" for name, about in offered)
    asked = f"Request: {_QUIZ[number][0]}\nWhich one tool does the request need? Answer with its name."
    text = f"Tools:\n{listed}\n\n{asked}"
    return ModelRequest(
        (Message("user", text),), model=model, max_tokens=8, choices=tuple(name for name, _ in offered)
    )
