"""The agent's terminal, with real processes."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessions.agent import Agent

# A wrapper whose program lives below it; at a line of input that starts another process.
_AGENT = """
import subprocess, sys
program = "import subprocess, sys; sys.stdin.readline(); print(subprocess.Popen(['sleep', '60'])); sys.stdin.readline()"
subprocess.run([sys.executable, "-u", "-c", program])
"""


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    one = Agent(lambda: None)
    one.launch([sys.executable, "-c", _AGENT], tmp_path, os.environ)
    yield one
    await one.hang_up()


async def _seen(agent: Agent, *, busy: bool) -> None:
    """Wait until the process tree says so."""
    while agent.view(time.monotonic(), None, datetime.now(UTC), tree=True).busy_children is not busy:
        await asyncio.sleep(0.02)


async def test_only_what_it_starts_after_a_prompt_is_its_work(agent: Agent) -> None:
    """The program behind a wrapper, which begins after the launch, is none; a command of a turn is."""
    below = asyncio.create_task(_seen(agent, busy=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(below, 1.5)
    await agent.submit("go", 0.01, 5.0)
    await asyncio.wait_for(_seen(agent, busy=True), 10.0)


# One that does not look at its terminal for a second, then shows what it reads, each piece in brackets.
_BUSY = """
import os, sys, time, tty
tty.setraw(0)
print("\\x1b[?2004hready", flush=True)
time.sleep(1.0)
while piece := os.read(0, 4096):
    print("[" + piece.decode().replace("\\r", "ENTER").replace("\\x1b", "^") + "]", end="\\r\\n", flush=True)
"""


async def _shows(agent: Agent, text: str) -> str:
    """Wait until that is on the screen, and give all of it."""
    while True:
        shown = " ".join(agent.view(time.monotonic(), None, datetime.now(UTC), tree=False).rows)
        if text in shown:
            return shown
        await asyncio.sleep(0.02)


async def test_enter_waits_for_the_text_to_be_read(tmp_path: Path) -> None:
    """A busy agent gets Enter in a read of its own, so that it does not take it for a part of the text."""
    busy = Agent(lambda: None)
    busy.launch([sys.executable, "-c", _BUSY], tmp_path, os.environ)
    try:
        await asyncio.wait_for(_shows(busy, "ready"), 10.0)
        await busy.submit("go", 0.05, 5.0)
        assert "[ENTER]" in await asyncio.wait_for(_shows(busy, "ENTER"), 10.0)
    finally:
        await busy.hang_up()
