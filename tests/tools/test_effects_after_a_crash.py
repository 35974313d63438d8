"""Killed in the middle of a payment, a run finds out whether it was made, and makes it exactly once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("crash_child.py")


def sitting(folder: Path, run_id: str, dies: str) -> tuple[int, list[str]]:
    command = [sys.executable, str(CHILD), str(folder / "runs.db"), str(folder / "bank.db"), run_id, dies]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout.split("\n")


@pytest.mark.parametrize(("dies", "paid_before", "said"), [("before", 0, "paid"), ("after", 1, "found 1")])
def test_a_payment_is_made_once_wherever_the_process_dies(
    tmp_path: Path, dies: str, paid_before: int, said: str
) -> None:
    code, (run_id, *_) = sitting(tmp_path, "", dies)
    assert code == -signal.SIGKILL
    with sqlite3.connect(tmp_path / "bank.db") as bank:
        bank.execute("create table if not exists payments (key text, payee text)")
        assert bank.execute("select count(*) from payments").fetchone() == (paid_before,)
    for _ in range(2):  # the second time it is read back
        code, (again, answer, *_) = sitting(tmp_path, run_id, "never")
        assert (code, again, answer) == (0, run_id, said)
    payments = bank.execute("select key, payee from payments").fetchall()
    bank.close()
    assert len(payments) == 1
    assert payments[0][0].startswith(f"{run_id}/")
