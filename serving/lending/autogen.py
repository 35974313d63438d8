"""Owns a crew as an AutoGen AgentChat agent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...agents.crew import Crew
from ...agents.model import Message
from ...runtime.errors import InvalidRequest
from ..house import House
from ..settings import Settings
from .loan import Loan

if TYPE_CHECKING:
    # AutoGen is an extra: where it is not installed, checkers take its names for Any.
    from autogen_agentchat.agents import BaseChatAgent  # pyright: ignore[reportMissingImports]  # an extra


def as_autogen_agent(
    crew: Crew,
    house: House | None = None,
    *,
    settings: Settings | None = None,
    name: str | None = None,
    description: str | None = None,
) -> BaseChatAgent:
    """The crew as an AutoGen agent, alone or in a team: the last message is the request, those before it its history.

    Every turn is a run of its own. AutoGen's cancellation token cancels it. Raises `InvalidRequest`: AutoGen is not installed.
    """
    try:
        from autogen_agentchat.agents import BaseChatAgent  # pyright: ignore[reportMissingImports]  # an extra
        from autogen_agentchat.base import Response  # pyright: ignore[reportMissingImports]  # an extra
        from autogen_agentchat.messages import TextMessage  # pyright: ignore[reportMissingImports]  # an extra
    except ModuleNotFoundError as error:
        raise InvalidRequest("AutoGen is not installed; pip install 'crewgraph[autogen]'.") from error
    loan = Loan(crew, house, settings)

    class CrewAgent(BaseChatAgent):  # type: ignore[misc]  # Any where AutoGen is not installed
        """A crew in a team."""

        def __init__(self) -> None:
            super().__init__(name or loan.name, description or loan.description)
            self._heard: list[Message] = []

        @property
        def produced_message_types(self) -> Sequence[type[Any]]:
            """Texts."""
            return (TextMessage,)

        async def on_messages(self, messages: Sequence[Any], cancellation_token: Any) -> Any:
            """The answer to the last message."""
            self._heard += [Message("user", f"{said.source}: {said.to_model_text()}") for said in messages]
            if not self._heard:
                raise InvalidRequest(f"The crew {crew.name!r} was asked nothing: there is no message.")
            request = messages[-1].to_model_text() if messages else self._heard[-1].content
            asked = asyncio.ensure_future(loan.ask(request, history=tuple(self._heard[:-1])))
            if cancellation_token is not None:
                cancellation_token.link_future(asked)
            outcome = await asked
            self._heard.append(Message("assistant", outcome.answer))
            said = TextMessage(content=outcome.answer, source=self.name, metadata={"run_id": outcome.run_id})
            return Response(chat_message=said)

        async def on_reset(self, cancellation_token: Any) -> None:
            """Forget what was said."""
            self._heard = []

    return CrewAgent()
