"""A written brief by researcher, analyst and editor: the author fixes the outline, the planner fills in the calls."""

from countries import table

from crewgraph import Agent, Crew, Task

crew = Crew(
    name="brief",
    agents=[
        Agent("researcher", "Gather the facts about the countries in question.", tools=table.tools()),
        Agent("analyst", "Compare the figures that were gathered."),
        Agent("editor", "Write a short brief that a busy reader understands.", max_tokens=200),
    ],
    tasks=[
        Task(id="research", description="Gather population, area and capital.", agent="researcher"),
        Task(id="analyse", description="Compare the figures.", agent="analyst", depends_on=("research",)),
        Task(
            id="edit",
            description="Write the brief.",
            expected_output="Write a brief of three plain sentences.",
            agent="editor",
            depends_on=("research", "analyse"),
        ),
    ],
)
