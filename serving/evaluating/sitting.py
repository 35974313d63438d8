"""Owns one sitting of an evaluation: the house opened, the record taken up, every trial carried out that is not done."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..house import House
from .bench import Means
from .evaluation import Evaluation, OnTrial, heading_of
from .record import Heading, Record, Trial, read_record, writing

if TYPE_CHECKING:
    from ...agents.crew import Crew
    from ...agents.model import ModelClient
    from ...planner.ways import Mode
    from ...runtime.budget import Budget
    from ..engines.progress import Progress
    from ..settings import Settings
    from .case import Wanted
    from .dataset import Dataset

FOLDER = "evaluations"


@dataclass(frozen=True)
class Sitting:
    """How evaluations are carried out: see `Evaluation`. Records lie in `out` (left out: in the home folder).

    Plans that worked are neither used nor kept unless `learn` says so, so that no case helps another. `fresh` begins
    anew. `client` stands in the place of the engine.
    """

    settings: Settings
    dataset: Dataset
    scorers: Sequence[Wanted] = ()
    planner: Mode = "auto"
    budget: Budget | None = None
    parallel: int = 1
    repeat: int = 1
    limit: int | None = None
    again: bool = False
    fresh: bool = False
    learn: bool = False
    judge_model: str | None = None
    out: Path | None = None
    client: ModelClient | None = field(default=None, repr=False)

    def place(self, crew: Crew, crew_file: str) -> Path:
        """Where the record of this crew's evaluation lies, or will lie."""
        heading = self._heading(crew, crew_file)
        name = re.sub(r"[^\w-]+", "-", f"{crew.name}-{Path(self.dataset.name).stem}").strip("-")[:80]
        return (self.out or self.settings.home / FOLDER) / f"{name}-{heading.key}.jsonl"

    async def evaluate(
        self,
        crew: Crew,
        crew_file: str,
        *,
        on_trial: OnTrial = lambda _, __: None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> tuple[Record, list[Trial]]:
        """The crew's record, and the trials of this sitting, all over. Cut off, it is gone on with by calling again.

        Raises:
            StoreError: the database cannot be used.
            InvalidInput: the record cannot be written, or another process works on it.
        """
        settings = self.settings if self.learn else replace(self.settings, plans="off")
        path = self.place(crew, crew_file)
        with writing(path, self._heading(crew, crew_file), fresh=self.fresh) as record:
            async with House.open(settings, client=self.client, on_progress=on_progress) as house:
                means = Means(house, settings, self.judge_model)
                evaluation = Evaluation(
                    house,
                    means,
                    crew,
                    crew_file,
                    self.dataset,
                    self.scorers,
                    self.planner,
                    self.budget,
                    self.parallel,
                    self.repeat,
                    self.limit,
                    self.again,
                    keep_text=not settings.database_keys,
                )
                try:
                    trials = await evaluation.carry_out(record, on_trial)
                finally:
                    await means.aclose()
        return read_record(path), trials

    def _heading(self, crew: Crew, crew_file: str) -> Heading:
        model = " ".join(part for part in (self.settings.model_url, self.settings.model) if part)
        return heading_of(
            crew, crew_file, self.dataset, planner=self.planner, model=model, budget=self.budget
        )
