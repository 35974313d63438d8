"""Owns reading lines from stdin beside an event loop, so that Ctrl-C is heard while nobody types.

The reading thread is a daemon: nothing can wake a thread that waits for a person, so it must not hold up the
end of the process. It reads pipes below Python's buffers, whose lock would do just that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator


async def typed_lines(prompt: str) -> AsyncGenerator[str, None]:
    """Lines as they are typed, or as they stand in a pipe, until their end."""
    terminal = sys.stdin.isatty()
    read = _terminal_reader(prompt) if terminal else _pipe_reader(sys.stdin.fileno())
    with _tidy_terminal() if terminal else contextlib.nullcontext():
        while (line := await _in_daemon(read)) is not None:
            yield line


def _terminal_reader(prompt: str) -> Callable[[], str | None]:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # importing it is what gives input() its line editing

    def read() -> str | None:
        try:
            return input(prompt)
        except EOFError:
            return None

    return read


def _pipe_reader(descriptor: int) -> Callable[[], str | None]:
    lines = _lines(descriptor)
    return lambda: next(lines, None)


def _lines(descriptor: int) -> Iterator[str]:
    left = b""
    while piece := os.read(descriptor, 65536):
        *whole, left = (left + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if left:
        yield left.decode(errors="replace")


async def _in_daemon(read: Callable[[], str | None]) -> str | None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(line: str | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(line)

    def work() -> None:
        line, error = None, None
        try:
            line = read()
        except Exception as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, line, error)

    threading.Thread(target=work, daemon=True, name="stdin").start()
    return await answer


@contextlib.contextmanager
def _tidy_terminal() -> Iterator[None]:
    """The terminal as it was: line editing that is broken off would leave it without an echo."""
    try:
        import termios
    except ImportError:
        yield
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
