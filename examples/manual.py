"""Answer from documents with citations: a crew over the SQLite manual."""

from pathlib import Path

from crewgraph import Agent, Crew, Documents

manual = Documents(
    Path(__file__).parent / "data" / "sqlite_manual", about="The manual of SQLite, a database engine."
)

crew = Crew(
    name="manual",
    agents=[
        Agent(
            "librarian",
            "Find the passages of the SQLite manual that answer a question.",
            tools=manual.tools(),
        ),
        Agent(
            "writer",
            "Answer questions about SQLite from the passages found.",
            backstory="You are friendly and brief.",
        ),
    ],
)
