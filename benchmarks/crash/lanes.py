"""Lanes: points carried out side by side, each lane a process that forks the sittings of its points."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from crash import point
from crash.point import Place, Profile, Report
from crash.stores import Stores
from crash.verdict import Verdict

LANES = 2
_TOKEN = 4
_SHOWN = 12


def sweep(stores: Stores, numbers: Sequence[int], seed: int, *, jobs: int) -> list[Report]:
    """Carry out these points, the stores taking turns; their reports in order."""
    profiles: dict[str, dict[int, Profile]] = {place.name: {} for place in stores.places}
    reports: list[Report] = []
    for place in stores.places:
        for job in range(seed * 1000, seed * 1000 + jobs):
            found, report = point.profile(place, stores.folder / f"job-{place.name}-{job}", job)
            if found is not None:
                profiles[place.name][job] = found
            else:
                reports.append(report)
    if not all(profiles.values()):  # not even undisturbed does a run end as it should
        return reports
    tokens, give = os.pipe()
    for number in numbers:
        os.write(give, number.to_bytes(_TOKEN, "big"))
    os.close(give)
    reading, writing = os.pipe()
    lanes = [
        _start(lane, stores.places, tokens, writing, stores.folder / f"lane-{lane}", seed, profiles)
        for lane in range(LANES)
    ]
    os.close(tokens)
    os.close(writing)
    before = len(reports)
    with os.fdopen(reading) as lines:
        for line in lines:
            held = json.loads(line)
            reports.append(Report(**{**held, "verdict": Verdict(**held["verdict"])}))
            if sys.stderr.isatty():
                print(
                    f"\r{len(reports) - before} of {len(numbers)} points", end="", file=sys.stderr, flush=True
                )
    codes = [os.waitstatus_to_exitcode(os.waitpid(lane, 0)[1]) for lane in lanes]
    if any(codes) or len(reports) - before != len(numbers):
        raise RuntimeError(
            f"A lane broke: {codes}, {len(reports) - before} of {len(numbers)} points were reported."
        )
    return sorted(reports, key=lambda report: report.number)


def _start(
    lane: int,
    places: Sequence[Place],
    tokens: int,
    writing: int,
    folder: Path,
    seed: int,
    profiles: dict[str, dict[int, Profile]],
) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        while token := os.read(tokens, _TOKEN):
            number = int.from_bytes(token, "big")
            place = places[number % len(places)]
            report = point.go(number, seed, place, folder / str(number), profiles[place.name])
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
