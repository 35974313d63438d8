"""What starting costs: CPU and wall seconds of `import crewgraph` and of `crewgraph --help`, in fresh processes.

Figures, medians: `import_cpu_s`, `import_wall_s`, `help_cpu_s`, `help_wall_s`, each over a bare interpreter start for
the import (what `python -c pass` costs is taken off) and whole for the command.

    python benchmarks/startup.py [--quick] [--json -]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import crewgraph"],
    "help": [str(Path(sys.executable).with_name("crewgraph")), "--help"],
}


def once(command: list[str]) -> tuple[float, float]:
    """CPU (user and system) and wall seconds of one process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="5 runs of each instead of 25")
    parser.add_argument("--json", metavar="-", help="also print one JSON object as the last line")
    options = parser.parse_args()
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        once(command)  # the first fills the disk cache
    for _ in range(5 if options.quick else 25):
        for name, command in COMMANDS.items():
            runs[name].append(once(command))
    medians = {
        name: tuple(statistics.median(r[i] for r in found) for i in (0, 1)) for name, found in runs.items()
    }
    figures = {
        "import_cpu_s": round(medians["import"][0] - medians["bare"][0], 4),
        "import_wall_s": round(medians["import"][1] - medians["bare"][1], 4),
        "help_cpu_s": round(medians["help"][0], 4),
        "help_wall_s": round(medians["help"][1], 4),
    }
    print(f"{'':<24}{'CPU s':>10}{'wall s':>10}{'bar':>10}")
    print(
        f"{'import crewgraph':<24}{figures['import_cpu_s']:>10.3f}{figures['import_wall_s']:>10.3f}{'0.100':>10}"
    )
    print(
        f"{'crewgraph --help':<24}{figures['help_cpu_s']:>10.3f}{figures['help_wall_s']:>10.3f}{'0.250':>10}"
    )
    if options.json:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
