"""crewgraph and its peers against a real vLLM on a GPU, side by side in one run.

    a      tokens a second that one process takes from 256 streams at once (135M model, 4 API servers)
    b, d   64 agents × 5 turns, streamed, with the journal on: time, CPU, and the share of the prefix cache (8B shape)
    c      100 task graphs of 12 agent calls that arrive within 2 s: with hints to the engine, and without (8B shape)
    e      what a token costs under a schema, by the schema's shape (start the server with either backend)
    close  how soon the engine is free when 64 streams are closed

A server that runs already is named by --base-url (any vLLM from 0.26, its model served as `smollm2`; `c` needs
--scheduling-policy priority and --max-num-seqs, and is told the latter by --seats). Otherwise --vllm-python starts
one for each measurement, with the flags that it needs, on --model or, for b, c and d, on --model-8b.

    python benchmarks/gpu/run.py a,close --base-url http://127.0.0.1:8000 --json -
    python benchmarks/gpu/run.py b c --vllm-python ~/vllm/bin/python --model-8b ./llama8b --load-format dummy
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path[0] = str(Path(__file__).resolve().parents[1])

if TYPE_CHECKING:
    from gpu.server import Server

JOBS = ("a", "b", "c", "d", "e", "close")
_API_SERVERS = ("--api-server-count", "4")
_BACKENDS = ("xgrammar", "guidance")
MANY_SEATS = 1024
Measure = Callable[..., dict[str, float]]


def arguments() -> argparse.ArgumentParser:
    """The flags."""
    from _report import parser

    flags = parser(__doc__ or "", quick="every size small, each client once")
    flags.add_argument("jobs", nargs="*", default=["a"], help=f"what to measure: {', '.join(JOBS)}")
    flags.add_argument("--base-url", help="a vLLM that runs already, without /v1")
    flags.add_argument("--vllm-python", help="the interpreter that starts vLLM")
    flags.add_argument("--vllm-path", default="", help="the PYTHONPATH that vLLM is started with")
    flags.add_argument("--port", type=int, default=8000, help="of the server that is started (default 8000)")
    flags.add_argument("--model", default="HuggingFaceTB/SmolLM2-135M-Instruct", help="of a, e and close")
    flags.add_argument("--model-8b", default="meta-llama/Llama-3.1-8B", help="of b, c and d")
    flags.add_argument(
        "--load-format", help="of --model-8b: `dummy` has the cost of its shape without weights"
    )
    flags.add_argument("--memory", type=float, default=0.85, help="share of the GPU's memory (default 0.85)")
    flags.add_argument("--logs", type=Path, help="folder for vLLM's logs (default: a temporary one)")
    flags.add_argument("--packages", default="", help="folder with what the clients import")
    flags.add_argument(
        "--crewai", default="", help="the same for CrewAI, whose needs do not go with the others'"
    )
    flags.add_argument(
        "--seats",
        default=f"128,64,{MANY_SEATS}",
        help="c: --max-num-seqs of each server (default %(default)s)",
    )
    flags.add_argument("--seeds", type=int, default=3, help="c: how many sets of graphs (default 3)")
    flags.add_argument("--graphs", type=int, default=100, help="c: graphs in one set (default 100)")
    flags.add_argument("--backends", default=",".join(_BACKENDS), help="e: of the servers that are started")
    flags.add_argument("--no-peers", action="store_true", help="b: crewgraph and the bare client only")
    flags.add_argument(
        "--repeats", type=int, default=5, help="a, b, close: turns of ours and bare (default 5)"
    )
    flags.add_argument("--seconds", type=float, default=math.inf, help="after these, start nothing more")
    flags.add_argument("--out", type=Path, help="a file that gets all figures so far after each measurement")
    return flags


def main() -> int:
    """Measure what was asked for."""
    from _report import Figures, finish

    options = arguments().parse_args()
    if options.child:
        return _child(json.loads(options.child))
    jobs = [job for word in options.jobs for job in word.split(",") if job]
    if unknown := [job for job in jobs if job not in JOBS]:
        raise SystemExit(f"Nothing is called {', '.join(unknown)}: there are {', '.join(JOBS)}.")
    if not options.base_url and not options.vllm_python:
        raise SystemExit("Name a server (--base-url), or the interpreter that starts one (--vllm-python).")
    from gpu.children import Children

    until = time.monotonic() + options.seconds
    apart = {"crewai": options.crewai} if options.crewai else {}
    children = Children(options.packages, apart, until=until)
    figures: Figures = {}
    for sitting, measures in _sittings(jobs, options).items():
        began = time.monotonic()
        if began > until:
            print(f"left out, the time is up: a server with {' '.join(sitting.flags)}", flush=True)
            continue
        try:
            with _server(options, sitting) as server:
                for measure in measures:
                    figures |= measure(server, children)
                    print(f"[{time.monotonic() - began:.0f} s]", flush=True)
                    if options.out is not None:
                        options.out.write_text(json.dumps(figures, indent=1))
        except (RuntimeError, OSError) as error:  # what other servers gave stays
            print(error, flush=True)
    return finish(options, figures)


def _sittings(jobs: list[str], options: argparse.Namespace) -> dict[Sitting, list[Measure]]:
    """For each server that is needed, in the order in which they are asked for, what is measured on it."""
    from gpu import closing, graphs, shapes, streams, talks

    repeats = {"repeats": 1 if options.quick else options.repeats}
    seats = [int(part) for part in options.seats.split(",") if part]
    found: dict[Sitting, list[Measure]] = {}

    def on(sitting: Sitting, job: Callable[..., dict[str, float]], **given: Any) -> None:
        found.setdefault(sitting, []).append(partial(job, **given))

    for job in dict.fromkeys("b" if job == "d" else job for job in jobs):
        if job == "a":
            on(Sitting.small(), streams.compare, **repeats)
        elif job == "close":
            on(Sitting.big(), closing.measure, **repeats)
        elif job == "e":
            for backend in options.backends.split(","):
                on(Sitting.small(backend), shapes.compare, backend=backend, rounds=1 if options.quick else 4)
        elif job == "b":
            sizes = {"agents": 8, "turns": 2} if options.quick else {}
            on(Sitting.big(), talks.compare, peers=not options.no_peers, **repeats, **sizes)
        else:
            size = (
                {"graphs": 12, "seeds": 1}
                if options.quick
                else {"graphs": options.graphs, "seeds": options.seeds}
            )
            for number in seats:
                on(Sitting.big(number), graphs.compare, seats=number, **size)
    return found


class Sitting(NamedTuple):
    """One server: whether it serves the model of the 8B shape, and with which flags. Equal ones are started once."""

    large: bool
    flags: tuple[str, ...]

    @classmethod
    def small(cls, backend: str = "xgrammar") -> Sitting:
        """A small model, which one API server could not keep busy."""
        return cls(False, (*_API_SERVERS, "--structured-outputs-config", json.dumps({"backend": backend})))

    @classmethod
    def big(cls, seats: int = MANY_SEATS) -> Sitting:
        """A model of the 8B shape, which takes so many calls at once."""
        return cls(True, ("--scheduling-policy", "priority", "--max-num-seqs", str(seats)))


@contextmanager
def _server(options: argparse.Namespace, sitting: Sitting) -> Iterator[Server]:
    from gpu.server import Launch, Server

    if options.base_url:
        server = Server(options.base_url.rstrip("/").removesuffix("/v1"))
        print(f"vLLM {server.version()} at {server.url}", flush=True)
        yield server
        return
    flags = [*sitting.flags, "--gpu-memory-utilization", str(options.memory)]
    if sitting.large and options.load_format:
        flags += ["--load-format", options.load_format]
    with tempfile.TemporaryDirectory() as spare:
        launch = Launch(options.vllm_python, options.vllm_path, options.logs or Path(spare), options.port)
        with launch.serving(options.model_8b if sitting.large else options.model, flags) as server:
            print(f"vLLM {server.version()}", flush=True)
            yield server


def _child(given: dict[str, Any]) -> int:
    """One job with one client, in this process; its figures are all that it prints, whatever frameworks have to say."""
    from gpu import closing, graphs, shapes, streams, talks

    figures = os.dup(1)
    os.dup2(2, 1)

    job, name = given.pop("job"), given.pop("client")
    made: dict[str, Any] = {
        "streams": streams.streamed,
        "talks": talks.talked,
        "graphs": graphs.carried,
        "shapes": shapes.written,
        "closing": closing.closed,
    }
    work = made[job](name, **given)
    if name.endswith("+uvloop"):
        import uvloop

        found = uvloop.run(work)
    else:
        found = asyncio.run(work)
    with os.fdopen(figures, "w") as out:
        print(json.dumps(found), file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
