"""Replanner: makes another plan where one could not be carried out, keeping what is done and replacing what is affected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from pydantic import ValidationError

from ...runtime.context import RunContext
from ...runtime.errors import EngineError, InvalidInput, InvalidPlan
from ...runtime.events import PlanMade
from ...runtime.graph import Task
from ...runtime.journalling.row import decode, fields
from ..asked import Asked, SoFar, call_key
from ..checking.checker import check
from ..plan import Estimate, Plan, TaskEstimate, wrong
from ..strategies.strategy import Strategy
from . import words
from .failure import Failure, undone
from .grafting import in_place_of, in_place_of_all
from .options import options
from .pressure import Amounts, need, pressed, room_of, short
from .state import Ended, State, entries_args, taken_apart
from .wiring import stem
from .without import without

REPLANNED = "replanned"
"""`Plan.strategy` of a plan that stands in the place of another one."""


@dataclass(frozen=True)
class Replanner:
    """Changes plans. `model` plans where the model is trusted (`Asked.trusted`), `rules` where it is not; either may be
    missing: then only what needs nobody is done. Rules break down only work that no tool is bound to.

    For each task that failed, the cheapest that may do: the same call once more, corrected arguments, another tool or
    agent, one call for each of several things; then the task broken down by a strategy (ADaPT, Prasad et al. 2023), then
    the rest planned anew, and last the plan without it, which says what is `missing`. From the `limit`-th change on what
    fails is only given up, so that every run ends: each such change makes the plan smaller.
    """

    model: Strategy | None = None
    rules: Strategy | None = None
    limit: int = 4

    async def change(self, asked: Asked, ctx: RunContext) -> Plan | None:
        """The next plan, checked; None where nothing useful is left to do, of which a note then says what is missing.

        The same is decided again from the same journal: nothing else is asked but models, and those by `ctx`.
        """
        if asked.so_far is None or not asked.so_far.failures:
            return None
        given = State.of(asked)
        if not given.failures:
            return None
        given = replace(given, tried=given.tried | _tried_entries(ctx, asked.so_far))
        room = await self._room(ctx, asked)
        state = taken_apart(given, lambda entry: _ended(ctx, entry))
        if asked.so_far.changes < self.limit:
            state = await self._mended(state, asked, ctx)
        else:
            note = f"The plan was changed {asked.so_far.changes} times already: what fails now is given up."
            state = replace(state, notes=(*state.notes, note))
        return await self._rest(given, state, asked, ctx, room)

    async def _mended(self, state: State, asked: Asked, ctx: RunContext) -> State:
        """With something in the place of each failed task for which there is anything."""
        state = self._without_asking(state)
        strategy = self.model if asked.trusted else self.rules
        if strategy is None:
            return state
        for task_id, failure in list(state.failures.items()):
            task = state.task(task_id)
            if (
                failure.kind in ("rejected", "allowance")
                or failure.of_engine
                or (task.tool and not asked.trusted)
            ):
                continue
            if undone(failure, state.tool(task)):
                state = await self._broken_down(state, task, strategy, asked, ctx) or state
        if state.failures and asked.trusted and self.model is not None:
            made = await _made(self.model, asked, ctx)
            state = (in_place_of_all(state, made.tasks) if made is not None else None) or state
        return state

    def _without_asking(self, state: State) -> State:
        for task_id, failure in list(state.failures.items()):
            found = (state.changed(task_id, one) for one in options(state, state.task(task_id), failure))
            state = next((one for one in found if one is not None), state)
        return state

    async def _broken_down(
        self, state: State, task: Task, strategy: Strategy, asked: Asked, ctx: RunContext
    ) -> State | None:
        smaller = replace(
            asked, request=task.description or asked.request, so_far=None, examples=(), history=()
        )
        made = await _made(strategy, smaller, ctx)
        change = in_place_of(state, task, made.tasks) if made is not None else None
        return state.changed(task.id, change) if change is not None else None

    async def _rest(
        self, given: State, state: State, asked: Asked, ctx: RunContext, room: Amounts
    ) -> Plan | None:
        """The plan with what nothing was found for given up, cheap enough for what is left of the budget."""
        missing: list[str] = []
        language = state.language
        if state.failures:
            left = without(
                state.tasks,
                set(state.failures),
                state.crew,
                request=asked.request,
                number=state.number,
                taken=state.taken,
            )
            missing += [words.lost(state.task(t), failure, language) for t, failure in state.failures.items()]
            if left is None:
                await ctx.note(" ".join(("There is nothing left to answer with. Missing:", *missing)))
                return None
            missing += [
                words.needing(state.task(t), state.task(other), language) for t, other in left.dropped.items()
            ]
            state = replace(state, tasks=left.tasks, failures={})
        estimates = self._estimates(ctx, given, state)
        cheaper = pressed(
            state.tasks, estimates, state.done, room, state.crew, request=asked.request, number=state.number
        )
        if cheaper is not None:
            kept = {task.id for task in cheaper.tasks}
            why = Failure("pressed", "")
            missing += [
                words.lost(task, why, language)
                for task in state.tasks
                if task.id not in kept and task.id not in state.done
            ]
            lack = short(need((t for t in state.tasks if t.id not in state.done), estimates), room)
            note = f"The rest was thought to take {lack}: a cheaper plan takes its place."
            state = replace(state, tasks=cheaper.tasks, notes=(*state.notes, note))
        return await self._checked(state, ctx, tuple(dict.fromkeys(missing)))

    async def _checked(self, state: State, ctx: RunContext, missing: tuple[str, ...]) -> Plan | None:
        findings = check(state.tasks, state.crew)
        open_calls = {call_key(task) for task in state.tasks if task.id not in state.done}
        if wrong(findings) or (open_calls and open_calls <= state.tried):
            await ctx.note("Every plan that is left was tried before or is not valid: the run ends here.")
            return None
        rest = tuple(finding for finding in findings if finding.severity != "wrong")
        return Plan(tasks=state.tasks, strategy=REPLANNED, notes=state.notes, findings=rest, missing=missing)

    async def _room(self, ctx: RunContext, asked: Asked) -> Amounts:
        """What is left of the budget now; a replay, which has none, reads it back."""
        so_far = asked.so_far
        assert so_far is not None, "there is something to change"

        async def look() -> Amounts:
            return room_of(ctx.meter)

        inputs = {"change": so_far.changes + 1, "failed": sorted(so_far.failures)}
        return await ctx.step("room", look, inputs=inputs, returns=Amounts)

    def _estimates(self, ctx: RunContext, given: State, state: State) -> Mapping[str, TaskEstimate]:
        """What tasks are thought to take: those of the plan before as it said, new ones as those that they stand for."""
        place = given.number - 1
        plans = ctx.journal.plans
        if place >= len(plans):
            return {}
        told = cast(PlanMade, decode(plans[place])).estimate
        if told is None:
            return {}
        try:
            known = Estimate.model_validate(told).tasks
        except ValidationError:
            return {}
        thought = {stem(task_id): one for task_id, one in known.items()}
        by_tool = {task.tool: _once(task, known[task.id]) for task in given.tasks if task.id in known}
        return {
            task.id: known.get(task.id)
            or thought.get(stem(task.id))
            or by_tool.get(task.tool, TaskEstimate())
            for task in state.tasks
        }


def _once(task: Task, thought: TaskEstimate) -> TaskEstimate:
    """What one entry is thought to take, where the task is done for each of a list."""
    if task.each is None or thought.tool_calls < 2:
        return thought
    count = thought.tool_calls
    update = {"tokens": thought.tokens // count, "money": thought.money / count, "tool_calls": 1}
    return thought.model_copy(update=update)


async def _made(strategy: Strategy, asked: Asked, ctx: RunContext) -> Plan | None:
    try:
        made = await strategy.plan(asked, ctx)
    except (InvalidPlan, InvalidInput, EngineError) as error:
        await ctx.note(f"No other plan was made: {error}")
        return None
    return made if made.tasks and not wrong(check(made.tasks, asked.crew)) else None


def _tried_entries(ctx: RunContext, so_far: SoFar) -> frozenset[str]:
    """The calls of failed entries of maps that earlier plans left out: each is a call of its own."""
    found: set[str] = set()
    plans = [cast(PlanMade, decode(row)) for row in ctx.journal.plans[1 : so_far.changes + 1]]
    for task in (task for plan in plans for task in plan.left_out if task.each is not None):
        for number, args in enumerate(entries_args(task, so_far.results) or ()):
            if ctx.journal.failed_task(f"{task.id}.{number}") is not None:
                found.add(call_key(task.model_copy(update={"args": args, "each": None})))
    return frozenset(found)


def _ended(ctx: RunContext, entry: str) -> Ended:
    """How an entry of a map ended, by the journal: failed entries are never begun again under their ids."""
    finished = ctx.finished_task(entry)
    if finished is not None:
        return Ended(finished.result)
    row = ctx.journal.failed_task(entry)
    if row is None:
        return Ended()
    said = fields(row)
    return Ended(None, Failure.of(str(said.get("code", "")), str(said.get("error", ""))))
