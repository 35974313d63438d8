"""A cable that can be cut: a network namespace of its own behind a veth pair, for a process that is to be cut off."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from typing import Self


def cannot() -> str:
    """Why there can be no such cable here; empty where there can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    if shutil.which("ip") is None:
        return "the command `ip` (iproute2) is missing"
    try:
        with Cable():
            return ""
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made ({error.stderr.decode().strip()})"


class Cable:
    """Use it as ``with``. A command after `within` runs on the far side; `near` is how it reaches this side."""

    def __init__(self) -> None:
        token = secrets.token_hex(3)
        self._space = f"cg-{token}"
        self._here = f"cgh{token}"
        self._there = f"cgt{token}"
        net = secrets.randbelow(200) + 20
        self.near = f"10.203.{net}.1"
        self._far = f"10.203.{net}.2"
        self.within: Sequence[str] = ("ip", "netns", "exec", self._space)

    def __enter__(self) -> Self:
        try:
            _ip("netns", "add", self._space)
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there)
            _ip("link", "set", self._there, "netns", self._space)
            _ip("addr", "add", f"{self.near}/30", "dev", self._here)
            _ip("link", "set", self._here, "up")
            _ip("-n", self._space, "addr", "add", f"{self._far}/30", "dev", self._there)
            _ip("-n", self._space, "link", "set", self._there, "up")
            _ip("-n", self._space, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for arguments in (("link", "del", self._here), ("netns", "del", self._space)):
            subprocess.run(["ip", *arguments], capture_output=True, check=False)

    def cut(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        _ip("link", "set", self._here, "down")

    def mend(self) -> None:
        """Packets get through again."""
        _ip("link", "set", self._here, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)
