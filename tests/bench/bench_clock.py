"""How far a competing load moves the score: on the harness's clock, and on the wall's.

The same genome with the same seed is run with each clock, beside busy processes that come and go by a script, another
one for each run. On a clock that a load does not move, all runs get the same training. A process of its own does this,
because runs are forked from it and one of the clocks is forced upon them.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import stdev
from typing import Any

import harness.evaluate  # noqa: F401 - what runs are forked from has imported it
from harness import child
from harness.corpus import prepare
from harness.result import Outcome, Phase, RunProgress, RunRequest, RunResult
from harness.run_environment import run_environment
from harness.runner import run
from harness.settings import EMBEDDED

RUNS = 6
BUDGET_S = 6.0
LOADERS = 4
SLOT_S = 0.7
SLOTS = 60
GENOME = Path(__file__).resolve().parents[2] / "genome" / "train.py"


def busy_slots(number: int) -> list[list[bool]]:
    """When each of the busy processes works beside the run of a number, by slots."""
    rng = random.Random(number)  # noqa: S311 - a script, no secret
    share = number / (RUNS - 1)  # from an idle machine to a crowded one
    return [[rng.random() < share for _ in range(SLOTS)] for _ in range(LOADERS)]


@contextlib.contextmanager
def load(number: int) -> Iterator[int]:
    """Busy processes that begin their script when the descriptor is closed; they end with the block."""
    gate, go = os.pipe()
    pids = []
    for slots in busy_slots(number):
        if (pid := os.fork()) == 0:
            os.close(go)
            os.setsid()  # as somebody else's: the kernel shares processors out among sessions
            os.read(gate, 1)
            work(slots)
            os._exit(0)
        pids.append(pid)
    os.close(gate)
    try:
        yield go
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def work(slots: list[bool]) -> None:
    began = time.monotonic()
    for n, busy in enumerate(slots, start=1):
        while busy and time.monotonic() < began + n * SLOT_S:
            pass
        time.sleep(max(0.0, began + n * SLOT_S - time.monotonic()))


def loaded_run(folder: Path, corpus: Path, number: int) -> RunResult:
    """A run beside the load of its number."""
    scratch = folder / f"run-{number}" / "scratch"
    scratch.mkdir(parents=True)
    request = RunRequest(
        run_id=f"bench-{number}",
        commit="",
        genome=str(GENOME),
        scratch=str(scratch),
        corpus=str(corpus),
        preset=EMBEDDED.name,
        budget_s=BUDGET_S,
        device="cpu",
    )
    with load(number) as go:
        waiting = [go]

        def begin(record: RunProgress) -> None:
            if record.phase == Phase.TRAINING and waiting:
                os.close(waiting.pop())

        result = run(request, begin)
    if result.outcome != Outcome.OK or result.val_bpb is None:
        raise AssertionError(result.reason)
    return result


def measure(folder: Path) -> dict[str, list[float]]:
    """val_bpb and steps of each run, by clock."""
    corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None).path
    found: dict[str, list[float]] = {}
    harness_clock = child.clock_kind
    for clock in ("cpu", "wall"):
        child.clock_kind = harness_clock if clock == "cpu" else lambda _device: "wall"
        results = [loaded_run(folder / clock, corpus, number) for number in range(RUNS)]
        if {one.clock for one in results} != {clock}:
            raise AssertionError(f"another clock was used than {clock}")
        found[clock] = [one.val_bpb or 0.0 for one in results]
        found[f"{clock} steps"] = [float(one.steps) for one in results]
    return found


def figures() -> list[dict[str, Any]]:
    """The spread of the score on the harness's clock, beside that on the wall's."""
    with tempfile.TemporaryDirectory(prefix="bench-clock-") as scratch:
        command = [sys.executable, "-m", "tests.bench.bench_clock", scratch]
        environment = run_environment(os.environ, "bench", scratch)
        output = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True).stdout
    found = json.loads(output)
    for clock in ("cpu", "wall"):
        print(f"{clock}: {found[clock]} in {found[f'{clock} steps']} steps", file=sys.stderr)
    value, reference = stdev(found["cpu"]), stdev(found["wall"])
    ratio = round(value / reference, 3)
    return [
        {
            "name": f"sd of val_bpb of {RUNS} runs beside a load (reference: a wall clock)",
            "value": round(value, 5),
            "unit": "bits",
            "reference": round(reference, 5),
            "ratio": ratio,
            "goal": "<= 0.25",
            "met": ratio <= 0.25,
        }
    ]


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
