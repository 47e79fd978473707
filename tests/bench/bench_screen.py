"""How fast the emulator is: fed, beside the terminal that feeds it; looked at, beside its library's plain way.

Rounds alternate, so that a machine that slows down slows both; the median of the rounds' ratios counts.
"""

import json
import os
import select
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyghostty import Terminal

from sessions.pty import AgentPty
from sessions.screen import Screen

RECORDING = Path(__file__).parents[1] / "recordings" / "codex-reprompt-100x30.cast"
SIZE = (120, 40)
MEGABYTES = 8
ROUNDS = 5


def figures() -> list[dict[str, Any]]:
    """Each figure with the reference that was measured in turn with it."""
    events = map(json.loads, RECORDING.read_text(encoding="utf-8").splitlines()[1:])
    recorded = "".join(data for _, kind, data in events if kind == "o").encode()
    stream = recorded * (MEGABYTES * 1_000_000 // len(recorded) + 1)
    return [_feed_against_drain(stream), _frame_against_cells(recorded[: len(recorded) // 2])]


def _feed_against_drain(stream: bytes) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(stream)
        file.flush()
        pairs = [
            (_rate(stream, lambda: _feed(stream)), _rate(stream, lambda: _drain(file.name))) for _ in range(ROUNDS)
        ]
    ratio = statistics.median(feed / drain for feed, drain in pairs)
    return {
        "name": "screen: output fed / read from a PTY",
        "value": round(statistics.median(feed for feed, _ in pairs), 1),
        "unit": "MB/s",
        "reference": round(statistics.median(drain for _, drain in pairs), 1),
        "ratio": round(ratio, 2),
        "goal": ">= 1",  # then the emulator is not what slows an agent down
        "met": ratio >= 1.0,
    }


def _frame_against_cells(recorded: bytes) -> dict[str, Any]:
    terminal = Terminal(*SIZE)
    terminal.feed(recorded)
    pairs = []
    for _ in range(ROUNDS):
        screen = Screen(*SIZE, on_reply=lambda _reply: None)
        screen.feed(recorded)
        pairs.append((_seconds(lambda: screen.frame_since(None)), _seconds(lambda: _every_style(terminal))))  # noqa: B023 - called at once
    ratio = statistics.median(frame / cells for frame, cells in pairs)
    return {
        "name": f"screen: frame of {SIZE[0]}x{SIZE[1]} / style of every cell",
        "value": round(statistics.median(frame for frame, _ in pairs) * 1000, 2),
        "unit": "ms",
        "reference": round(statistics.median(cells for _, cells in pairs) * 1000, 2),
        "ratio": round(ratio, 4),
        "goal": "<= 0.1",
        "met": ratio <= 0.1,
    }


def _feed(stream: bytes) -> None:
    screen = Screen(*SIZE, on_reply=lambda _reply: None)
    for start in range(0, len(stream), 65536):  # what a supervisor takes at once
        screen.feed(stream[start : start + 65536])


def _drain(name: str) -> None:
    agent = AgentPty.launch(["cat", name], Path("/"), os.environ, *SIZE)
    try:
        while True:
            select.select([agent.fd], [], [])
            agent.read()
    except EOFError:
        os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOWAIT)
        agent.exit_status()
        agent.close()


def _every_style(terminal: Terminal) -> None:
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            terminal.style(x, y)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rate(stream: bytes, work: Callable[[], object]) -> float:
    return len(stream) / 1e6 / _seconds(work)
