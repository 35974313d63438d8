"""A crew that mixes frameworks: an agent of ours, a LangGraph graph, a CrewAI crew and an AutoGen team, in one durable run.

    crewgraph run examples/mixed.py "A tea stall at the summer fair."

Each of them asks the model that crewgraph was given, and each of its calls is a step of the run: kill it at any moment,
and `crewgraph resume last` goes on where it was; `crewgraph replay last` asks nobody. CrewAI and AutoGen are
extras (pip install 'crewgraph[crewai,autogen]'); whoever is not installed is left out.
"""

from importlib.util import find_spec
from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph

from crewgraph import Agent, Crew, Task, tool
from crewgraph.agents.interop import (
    as_langchain,
    autogen_agent,
    autogen_tools,
    crewai_agent,
    langchain_tools,
    langgraph_agent,
    task_model,
)


@tool
def price(item: str) -> float:
    """The price of an item in euros."""
    return {"tea": 2.5, "cake": 3.0}.get(item.lower(), 1.0)


def sums() -> Any:
    """A LangGraph graph: look a price up, then let the model say what it means. One graph serves all tasks and runs."""
    (look_up,) = langchain_tools([price])
    model = as_langchain(task_model())

    async def look(state: MessagesState) -> Any:
        return {
            "messages": [("user", f"{await look_up.ainvoke({'item': 'tea'})} Say what a stall can earn.")]
        }

    async def say(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("look", look)
    builder.add_node("say", say)
    builder.add_edge(START, "look")
    builder.add_edge("look", "say")
    builder.add_edge("say", END)
    return builder.compile()


def press(llm: Any) -> Any:
    """A CrewAI crew of two, made for each task with the LLM to use."""
    from crewai import Agent as Member
    from crewai import Crew as Members
    from crewai import Task as Job

    writer = Member(role="copywriter", goal="Draw people in.", backstory="Was a baker.", llm=llm)
    critic = Member(role="critic", goal="Keep it honest.", backstory="Reads all.", llm=llm.twin())
    draft = Job(description="Write a sign for: {request}", expected_output="A sentence.", agent=writer)
    check = Job(description="Make it shorter.", expected_output="A sentence.", agent=critic, context=[draft])
    return Members(agents=[writer, critic], tasks=[draft, check])


def panel(model: Any) -> Any:
    """An AutoGen team of two that speak in turns, made for each task with the model client to use."""
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.teams import RoundRobinGroupChat

    optimist = AssistantAgent("optimist", model_client=model, tools=autogen_tools([price]))
    sceptic = AssistantAgent("sceptic", model_client=model)
    return RoundRobinGroupChat([optimist, sceptic], max_turns=2)


agents = [
    Agent("host", "Say in two sentences what is needed.", architecture="direct"),
    Agent("accountant", "Say what it earns.", tools=[price], architecture=langgraph_agent(sums())),
]
if find_spec("crewai"):
    agents.append(Agent("press", "Write the sign.", architecture=crewai_agent(press)))
if find_spec("autogen_agentchat"):
    agents.append(Agent("panel", "Discuss it.", tools=[price], architecture=autogen_agent(panel)))
agents.append(Agent("editor", "Put it together in three sentences.", architecture="direct", max_tokens=160))

*parts, editor = agents
first, *others = parts
crew = Crew(
    name="mixed",
    agents=agents,
    tasks=[
        Task(id=first.role, description=first.goal, agent=first.role),
        *(
            Task(id=one.role, description=one.goal, agent=one.role, depends_on=(first.role,))
            for one in others
        ),
        Task(
            id=editor.role,
            description=editor.goal,
            agent=editor.role,
            depends_on=tuple(one.role for one in parts),
        ),
    ],
)
