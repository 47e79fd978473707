"""From an agent's stop to the nudge in its hands, through the whole supervisor, with the generic profile."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sessions.store import HOME_VARIABLE

_STOPS = 5

# Works with a spinner for half a second, stops with a question, and notes how long it waits for a line.
_AGENT = f"""
import json, sys, time
waits = []
for turn in range({_STOPS} + 1):
    for tick in range(5):
        print("\\rworking", "|/-"[tick % 3], end="", flush=True)
        time.sleep(0.1)
    print("\\nI ran one experiment. Should I keep going?", flush=True)
    stopped = time.monotonic()
    sys.stdin.readline()
    waits.append(time.monotonic() - stopped)
with open(sys.argv[1], "w") as out:
    json.dump(waits[1:], out)  # the first was for the brief
"""
_GENOME = "def build_model(spec):\n    raise SystemExit(1)\n\n\ndef train(model, run):\n    pass\n"


def figures() -> list[dict[str, Any]]:
    """The median over a few stops, beside the three seconds that are promised."""
    with tempfile.TemporaryDirectory(prefix="art-") as home:
        waits = _waits(Path(home))
    value = statistics.median(waits)
    return [
        {
            "name": "stop to nudge, generic agent, median",
            "value": value,
            "unit": "s",
            "reference": 3.0,
            "ratio": value / 3.0,
            "goal": "<= 1",
            "met": max(waits) <= 3.0,
        }
    ]


def _waits(home: Path) -> list[float]:
    environment = {**os.environ, HOME_VARIABLE: str(home)}
    lab, out = home / "lab", home / "waits.json"
    lab.mkdir()
    (lab / "train.py").write_text(_GENOME)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "base"]):
        subprocess.run(["git", *words], cwd=lab, check=True)
    ours = [sys.executable, "-m", "autoresearch_tui"]
    agent = [sys.executable, "-c", _AGENT, str(out)]
    new = [*ours, "new", "--detach", "--tag", "bench", "--lab", str(lab), "--idle-nudges", str(_STOPS + 1), "--"]
    subprocess.run([*new, *agent], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        follow = [sys.executable, "-c", _FOLLOW, "bench"]
        subprocess.run(follow, env=environment, check=True, timeout=120)
    finally:
        subprocess.run([*ours, "stop", "bench"], env=environment, check=False, stdout=subprocess.DEVNULL)
    return list(json.loads(out.read_text()))


# Waits for the supervisor's word that all nudges were typed and the agent has ended.
_FOLLOW = f"""
import asyncio, sys
from sessions.client import connect
from sessions.store import find_session

async def follow():
    connection = await connect(find_session(sys.argv[1]))
    connection.send("watch")
    async for event in connection.events():
        if event["type"] == "status" and event["status"]["nudges"] >= {_STOPS}:
            if event["status"]["state"] in ("exited", "starting"):
                break

asyncio.run(follow())
"""
