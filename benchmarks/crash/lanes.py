"""Lanes: points carried out side by side, each lane a process that forks the sittings of its points."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from crash import point
from crash.point import Place, Profiles, Report
from crash.stores import Stores
from crash.verdict import Verdict

LANES = 2
_TOKEN = 4
_SHOWN = 12


def sweep(stores: Stores, numbers: Sequence[int], seed: int) -> list[Report]:
    """Carry out these points, the stores taking turns; their reports in order."""
    tokens, give = os.pipe()
    for number in numbers:
        os.write(give, number.to_bytes(_TOKEN, "big"))
    os.close(give)
    reading, writing = os.pipe()
    lanes = [
        _start(lane, stores.places, tokens, writing, stores.folder / f"lane-{lane}", seed)
        for lane in range(LANES)
    ]
    os.close(tokens)
    os.close(writing)
    reports: list[Report] = []
    try:
        with os.fdopen(reading) as lines:
            for line in lines:
                held = json.loads(line)
                reports.append(Report(**{**held, "verdict": Verdict(**held["verdict"])}))
                if sys.stderr.isatty():
                    print(f"\r{len(reports)} of {len(numbers)} points", end="", file=sys.stderr, flush=True)
    except BaseException:
        for lane in lanes:
            os.kill(lane, signal.SIGKILL)
        raise
    finally:
        codes = [os.waitstatus_to_exitcode(os.waitpid(lane, 0)[1]) for lane in lanes]
    if any(codes) or len(reports) != len(numbers):
        raise RuntimeError(f"A lane broke: {codes}, {len(reports)} of {len(numbers)} points were reported.")
    return sorted(reports, key=lambda report: report.number)


def _start(
    lane: int,
    places: Sequence[Place],
    tokens: int,
    writing: int,
    folder: Path,
    seed: int,
) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    profiles: Profiles = {}
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while token := os.read(tokens, _TOKEN):
            number = int.from_bytes(token, "big")
            place = places[number % len(places)]
            report = point.go(number, seed, place, folder / str(number), profiles)
            os.write(writing, (json.dumps(_short(report)) + "\n").encode())
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _short(report: Report) -> dict[str, object]:
    """The report as data that a pipe takes in one piece."""
    held = asdict(report)
    for name, found in held["verdict"].items():
        if isinstance(found, list):
            held["verdict"][name] = [str(sentence)[:180] for sentence in found[:_SHOWN]]
            if len(json.dumps(held)) > 3800:
                held["verdict"][name] = [str(sentence)[:60] for sentence in found[:3]]
    return held
