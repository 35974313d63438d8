"""Crews of other frameworks on our client tell nobody outside of the machine: a process of its own is watched to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = """
import os, sys

def hook(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if host not in ("127.0.0.1", "::1", "localhost"):
        os.write(1, f"TRIED {host}\\n".encode())

sys.addaudithook(hook)
"""
CREW = """
from crewgraph.agents.interop import as_crewai
from crewgraph.agents.testing import ScriptedModel

llm = as_crewai(ScriptedModel(["All done."]))
from crewai import Agent, Crew, Task

agent = Agent(role="clerk", goal="work", backstory="old hand", llm=llm)
task = Task(description="work", expected_output="words", agent=agent)
print(Crew(agents=[agent], tasks=[task]).kickoff().raw)
llm.close()
"""
TEAM = """
import asyncio
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from crewgraph.agents.interop import as_autogen
from crewgraph.agents.testing import ScriptedModel

async def main():
    agent = AssistantAgent("clerk", model_client=as_autogen(ScriptedModel(["All done."])))
    print((await RoundRobinGroupChat([agent], max_turns=1).run(task="work")).messages[-1].content)

asyncio.run(main())
"""
GRAPH = """
from crewgraph.agents.interop import as_langchain
from crewgraph.agents.testing import ScriptedModel

model = as_langchain(ScriptedModel(["All done."]))
print(model.invoke("work").content)
model.close()
"""
CONTROL = """
import socket

try:
    socket.getaddrinfo("outside.invalid", 80)
except OSError:
    pass
"""


@pytest.mark.parametrize(
    ("framework", "program"),
    [("crewai", CREW), ("crewai", f"import crewai\n{CREW}"), ("autogen", TEAM), ("langgraph", GRAPH)],
    ids=["crewai", "crewai imported before", "autogen", "langgraph"],
)
def test_a_run_reaches_for_nobody(
    framework: str, program: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if framework != "langgraph":
        request.getfixturevalue(f"{framework}_here")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("CREWAI", "OTEL"))}
    ours |= {"CREWAI_STORAGE_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WATCH + program + CONTROL],
        cwd=tmp_path,
        env=ours,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "All done." in done.stdout
    tried = [line for line in done.stdout.splitlines() if line.startswith("TRIED")]
    assert tried == ["TRIED outside.invalid"], "only the control, which shows that attempts are seen"


def test_importing_crewgraph_imports_no_framework() -> None:
    program = """
import sys
import crewgraph, crewgraph.agents.interop, crewgraph.agents.interop.crewai, crewgraph.agents.interop.autogen
import crewgraph.agents.interop.langchain
heavy = [name for name in ("crewai", "autogen_core", "langchain_core", "litellm") if name in sys.modules]
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
