"""Owns what a crew file may say, as pydantic models; the published JSON schema is made of them.

Where something of Python is meant (a tool, a type, a check), the file names it by an import path, ``module:name``;
the file's own folder is importable.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

from ...runtime.events import Effect
from ...runtime.graph import Task
from ...runtime.policy import Allowance, Retry

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class Said(BaseModel):
    """A part of a crew file: only the keys that it has, and types as they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _is_text(value: object) -> str:
    return "named" if isinstance(value, str) else "described"


def _is_truth(value: object) -> str:
    return "all" if isinstance(value, bool) else "roles"


def _is_board(value: object) -> str:
    return "all" if isinstance(value, bool) else "described"


class DocumentsSaid(Said):
    """A folder of texts (.md, .txt, .rst) that can be searched."""

    folder: str
    """Where it is, seen from the crew file."""
    about: str = ""
    """What the documents are about, for planners."""
    name: str = "search_documents"
    """What the tool that searches them is called."""


DocumentsEntry = Annotated[
    Annotated[str, Tag("named")] | Annotated[DocumentsSaid, Tag("described")], Discriminator(_is_text)
]
"""A folder of texts, or more said of it."""

SchemaEntry = Annotated[
    Annotated[str, Tag("named")] | Annotated[dict[str, JsonValue], Tag("described")], Discriminator(_is_text)
]
"""A pydantic model by its import path, or a JSON schema."""

DelegatesEntry = Annotated[
    Annotated[bool, Tag("all")] | Annotated[tuple[str, ...], Tag("roles")], Discriminator(_is_truth)
]


class ColumnSaid(Said):
    """A column of a table that may be asked for."""

    about: str
    """What it tells."""
    unit: str = ""
    names: tuple[str, ...] = ()
    """Other names for it, in any language."""


class TableSaid(Said):
    """A CSV file (UTF-8, a header line) whose figures can be looked up, compared and ranked."""

    file: str
    """Where it is, seen from the crew file."""
    key: str
    """The column with the name of each row."""
    thing: str
    """What one row is, in one word: country."""
    columns: dict[str, ColumnSaid]
    plural: str = ""
    other_names: tuple[str, ...] = ()
    """Columns with further names of a row, separated by ";"."""
    groups: tuple[str, ...] = ()
    """Columns by whose values rows can be told apart."""
    group_names: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    name: str = ""


class ToolSaid(Said):
    """A tool with more said of it: exactly one of `use`, `read_file`, `documents` and `table`, and what differs."""

    use: str | None = None
    """An import path, or the name of a built-in tool."""
    read_file: str | None = None
    """A folder, seen from the crew file: the tool reads the files in it."""
    documents: DocumentsSaid | None = None
    table: TableSaid | None = None
    effect: Effect | None = None
    """What running it twice would do."""
    approval: bool | None = None
    """Whether a person is asked before each call."""
    timeout: float | None = Field(default=None, gt=0)
    """How many seconds one call may take."""
    limit: int | None = Field(default=None, ge=1)
    """How many calls go on at once in a run."""
    retry: Retry | None = None


ToolEntry = Annotated[
    Annotated[str, Tag("named")] | Annotated[ToolSaid, Tag("described")], Discriminator(_is_text)
]
"""A tool: an import path or the name of a built-in one, or more said of it."""


class ArchitectureSaid(BaseModel):
    """A way of working by its name, with options of its own."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str
    """One of ours, or an import path."""


ArchitectureEntry = Annotated[
    Annotated[str, Tag("named")] | Annotated[ArchitectureSaid, Tag("described")], Discriminator(_is_text)
]


class GuardrailSaid(Said):
    """A check of results: exactly one of `check`, `schema` and `judge`."""

    check: str | None = None
    """The import path of a function or of a guardrail."""
    schema_: SchemaEntry | None = Field(default=None, alias="schema")
    """A JSON schema that the result has to fit, or the import path of a pydantic model."""
    judge: str | None = None
    """What a model is to hold the result against, in words."""
    agent: str | None = None
    """Who judges, by role; left out: nobody in particular."""
    model: str | None = None
    """Of which model the judge is asked."""


GuardrailEntry = Annotated[
    Annotated[str, Tag("named")] | Annotated[GuardrailSaid, Tag("described")], Discriminator(_is_text)
]


class AgentSaid(Said):
    """One member of the crew."""

    role: str = Field(min_length=1)
    """A short name for what it does; no two agents of a crew have the same."""
    goal: str = Field(min_length=1)
    """What it is to achieve."""
    backstory: str = ""
    tools: tuple[ToolEntry, ...] = ()
    """Its own tools, beside those of the crew."""
    documents: tuple[DocumentsEntry, ...] = ()
    """Folders that it may search, beside those of the crew."""
    model: str | None = None
    adapter: str | None = None
    """A LoRA adapter on the model."""
    architecture: ArchitectureEntry | None = None
    """How it works on a task."""
    guardrails: tuple[GuardrailEntry, ...] = ()
    """What each of its results is held against."""
    corrections: int = Field(default=2, ge=0)
    """How often a result that does not pass is sent back to it."""
    output_type: SchemaEntry | None = None
    """The shape of its results: the import path of a pydantic model, or a JSON schema."""
    delegates: DelegatesEntry = False
    """Whom it may ask or hand its task to; true: all colleagues."""
    may: tuple[Effect, ...] | None = None
    """Which effects its tool calls may have."""
    allowance: Allowance | None = None
    """What each of its tasks may use."""
    max_turns: int = Field(default=6, ge=1)
    max_tokens: int = Field(default=256, ge=1)
    limit: int | None = Field(default=None, ge=1)
    """How many tasks it works on at once."""
    briefing: str = ""
    """What it is told before all else."""


class BoardSaid(Said):
    """A board on which agents tell each other things beside their results."""

    keys: dict[str, SchemaEntry] | None = None
    """What may be written under which key; left out: any key, any JSON."""
    agents: tuple[str, ...] | None = None
    """The roles who may post and look; left out: all."""


BoardEntry = Annotated[
    Annotated[bool, Tag("all")] | Annotated[BoardSaid, Tag("described")], Discriminator(_is_board)
]


class CrewSaid(Said):
    """A crew of crewgraph, in a file."""

    schema_: str | None = Field(default=None, alias="$schema")
    """Where editors find the JSON schema; crewgraph does not look at it."""
    name: str | None = None
    """Left out: the file's name."""
    description: str = ""
    briefing: str = ""
    """What every agent is told before all else."""
    agents: tuple[AgentSaid, ...] = Field(min_length=1)
    tools: tuple[ToolEntry, ...] = ()
    """Tools that every agent may use."""
    documents: tuple[DocumentsEntry, ...] = ()
    """Folders of texts that every agent may search."""
    tasks: tuple[Task, ...] = ()
    """The tasks, where they are fixed; left out: each request is planned."""
    guardrails: dict[str, tuple[GuardrailEntry, ...]] = Field(default_factory=dict)
    """What the results of tasks are held against, by the tasks' ids."""
    process: Literal["planned", "sequential", "hierarchical", "conversation"] = "planned"
    """How the crew goes about a request."""
    manager: AgentSaid | None = None
    """Who leads a hierarchical crew (left out: one is made), or says who speaks next in a conversation."""
    turns: int | None = Field(default=None, ge=1)
    """How many turns a conversation has at most; left out: three for each agent."""
    depth: int = Field(default=2, ge=0)
    """How far one question may lead to another where agents delegate."""
    board: BoardEntry = False
    """What agents tell each other on; true: anything, by all."""
    memory: bool = False
    """Whether its agents remember from run to run, in the memory of whoever runs it."""
    planner: str | None = None
    """The import path of a planning strategy of your own."""
    risky: Literal["ask", "note", "allow"] | None = None
    """What becomes of calls with an effect that a request has not asked for in so many words."""


def json_schema() -> dict[str, Any]:
    """The JSON schema of crew files (draft 2020-12), as it is published."""
    made = CrewSaid.model_json_schema(by_alias=True)
    return {"$schema": SCHEMA_ID, **made, "title": "crewgraph crew"}
