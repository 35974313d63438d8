"""Each client in a process of its own, with the packages that it needs, so that none pays for another's imports."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = Path(__file__).with_name("run.py")
_SOURCE = Path(__file__).resolve().parents[2] / "src"
_OFFLINE = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "OPENAI_API_KEY": "x",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "LANGSMITH_TRACING": "false",
}


@dataclass(frozen=True)
class Children:
    """How clients' processes are started. `packages` is a folder that holds what they import, where this
    interpreter does not ("" for none); `others` names another folder for a client that does not go with the rest.
    After `until` (of `time.monotonic`) none is started any more.
    """

    packages: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 240.0
    until: float = math.inf

    def measured(self, job: str, client: str, **options: Any) -> dict[str, Any]:
        """What one job with one client came to.

        Raises:
            RuntimeError: its process failed; the message holds the end of what it said.
        """
        path = [str(_SOURCE), self.others.get(client, self.packages)]
        inherited = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        }
        given = {"job": job, "client": client, **options}
        try:
            made = subprocess.run(
                [sys.executable, str(RUN), "--child", json.dumps(given)],
                capture_output=True,
                text=True,
                timeout=self.patience_s,
                check=False,
                env={**inherited, **_OFFLINE, "PYTHONPATH": os.pathsep.join(p for p in path if p)},
            )
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"{client} had not ended after {late.timeout:.0f} s") from None
        lines = made.stdout.strip().splitlines()
        if made.returncode or not lines or not lines[-1].startswith("{"):
            raise RuntimeError(
                f"{client} ended with {made.returncode}: {(made.stderr or made.stdout)[-1500:]}"
            )
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def tried(self, job: str, client: str, **options: Any) -> dict[str, Any] | None:
        """`measured`, or None where it failed or there is no time left: that is said, and the others go on."""
        if time.monotonic() > self.until:
            print(f"  {client}: left out, the time is up", flush=True)
            return None
        try:
            return self.measured(job, client, **options)
        except RuntimeError as error:
            print(f"  {client}: {error}", flush=True)
            return None
