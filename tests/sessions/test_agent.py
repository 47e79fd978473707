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
