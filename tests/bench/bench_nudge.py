"""From an agent's stop to the nudge in its hands, through the whole supervisor: with its own signals, and without."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sessions.store import HOME_VARIABLE
from tests.bench.lab import make_lab

_STOPS = 15

# Works with a spinner for a second and a half, stops with a question, says so through a hook if it was given one, and
# notes how long it waits for a line.
_AGENT = f"""
import json, subprocess, sys, time
out, hook = sys.argv[1], sys.argv[2:]
waits = []
for turn in range({_STOPS} + 1):
    for tick in range(15):
        print("\\rworking", "|/-"[tick % 3], end="", flush=True)
        time.sleep(0.1)
    print("\\nI ran one experiment. Should I keep going?", flush=True)
    stopped = time.monotonic()
    if hook:
        subprocess.run([*hook, "Stop", "{{}}"])
    sys.stdin.readline()
    waits.append(time.monotonic() - stopped)
with open(out, "w") as stream:
    json.dump(waits[1:], stream)  # the first was for the brief
"""

_PROFILE = """
seen_on = "the agent of this benchmark"
argv = ["{python}", "-c", {agent}, {out}, "{{hook}}"]

[[rule]]
name = "spinner"
state = "working"
source = "screen"
bottom = 1
pattern = '^working'

[[rule]]
name = "question"
state = "waiting"
source = "screen"
bottom = 1
quiet_s = 60.0
pattern = 'keep going'

[[hook]]
event = "Stop"
state = "waiting"
"""


def figures() -> list[dict[str, Any]]:
    """Medians and 95th percentiles over some stops, beside what is promised."""
    found = []
    for name, hooked, promised in (("with a hook", True, 0.5), ("by the screen alone", False, 1.5)):
        with tempfile.TemporaryDirectory(prefix="art-") as home:
            waits = _waits(Path(home), hooked=hooked)
        found.append(_figure(f"stop to nudge {name}, median", statistics.median(waits), promised))
        found.append(_figure(f"stop to nudge {name}, 95 %", statistics.quantiles(waits, n=20)[-1], 2 * promised))
    return found


def _figure(name: str, value: float, promised: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": "s",
        "reference": promised,
        "ratio": value / promised,
        "goal": "<= 1",
        "met": value <= promised,
    }


def _waits(home: Path, *, hooked: bool) -> list[float]:
    environment = {**os.environ, HOME_VARIABLE: str(home)}
    out = home / "waits.json"
    make_lab(home / "lab")
    words = ["--agent", "hooked"] if hooked else ["--", sys.executable, "-c", _AGENT, str(out)]
    if hooked:
        profile = home / "config" / "profiles" / "hooked.toml"
        profile.parent.mkdir(parents=True)
        profile.write_text(_PROFILE.format(python=sys.executable, agent=json.dumps(_AGENT), out=json.dumps(str(out))))
    ours = [sys.executable, "-m", "autoresearch_tui"]
    most = ["--idle-nudges", str(10 * _STOPS)]  # far from other words and fresh contexts
    new = [*ours, "new", "--detach", "--tag", "bench", "--lab", str(home / "lab"), *most, *words]
    subprocess.run(new, env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        follow = [sys.executable, "-c", _FOLLOW, "bench"]
        subprocess.run(follow, env=environment, check=True, timeout=240)
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
