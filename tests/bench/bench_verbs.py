"""How long a person or an agent waits for the shell's prompt: verbs against a bare interpreter."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from sessions.store import HOME_VARIABLE

_RUNS = 9


def figures() -> list[dict[str, Any]]:
    """`autoresearch-tui ls` with ten sessions whose supervisors are gone, beside `python -c pass`, in turn."""
    with tempfile.TemporaryDirectory(prefix="art-") as home:
        environment = {**os.environ, HOME_VARIABLE: home}
        _make_sessions(environment)
        ours = [sys.executable, "-m", "autoresearch_tui", "ls"]
        bare = [sys.executable, "-c", "pass"]
        pairs = [(_seconds(ours, environment), _seconds(bare, environment)) for _ in range(_RUNS)]
    value = statistics.median(pair[0] for pair in pairs)
    reference = statistics.median(pair[1] for pair in pairs)
    return [
        {
            "name": "ls, ten sessions, against a bare interpreter",
            "value": value,
            "unit": "s",
            "reference": reference,
            "ratio": value / reference,
            "goal": "value <= 0.3 s",
            "met": value <= 0.3,
        }
    ]


def _make_sessions(environment: dict[str, str]) -> None:
    code = (
        "from sessions.spec import SessionSpec\n"
        "from sessions.store import create_session\n"
        "for n in range(10):\n"
        "    create_session(SessionSpec(session=f's{n}', agent='generic', argv=['cat'], lab='/', branch='b',\n"
        "        base='0' * 40, corpus='/', preset='embedded', budget_s=20.0))\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    before = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before
