"""How soon a run trains, and what an experiment costs besides its budget.

From being asked until the first training step, through a fork server that is ready; the reference is the same run in a
process that has to be started, `python -I -m harness run`. Both take turns, in the sandbox, and the medians are
compared. Then one experiment of the embedded preset with the template's genome: all its seconds but the budget.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from harness.corpus import prepare
from harness.result import Outcome, RunRequest, RunResult
from harness.settings import EMBEDDED
from sessions.harness_process import Harness

ROUNDS = 5
BUDGET_S = 20.0
GENOME = Path(__file__).resolve().parents[2] / "genome" / "train.py"

# The template with a note of when its first step was over.
NOTED = """
def train(model, run, _train=train):
    import time
    from pathlib import Path

    batches = run.batches

    def noted(rows):
        for step, batch in enumerate(batches(rows)):
            if step == 1:
                Path("first_step").write_text(str(time.monotonic()))
            yield batch

    run.batches = noted
    _train(model, run)
"""


def request_in(folder: Path, corpus: Path, genome: Path, budget_s: float) -> RunRequest:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    return RunRequest(
        run_id=f"bench-{folder.name}",
        commit="",
        genome=str(genome),
        scratch=str(folder / "scratch"),
        corpus=str(corpus),
        preset=EMBEDDED.name,
        budget_s=budget_s,
        device="cpu",
    )


def until_first_step(request: RunRequest, asked: float) -> float:
    return float((Path(request.scratch) / "first_step").read_text()) - asked


async def warm(harness: Harness, request: RunRequest) -> tuple[float, RunResult]:
    """Seconds until the first step, and the result."""
    asked = time.monotonic()
    result = await harness.run(request, lambda _: None, asyncio.Event())
    if result.outcome != Outcome.OK:
        raise AssertionError(result.reason)
    return until_first_step(request, asked), result


def cold(request: RunRequest) -> float:
    """Seconds until the first step of a run whose process has to be started."""
    file = Path(request.scratch).parent / "request.json"
    file.write_text(request.to_json(), encoding="utf-8")
    asked = time.monotonic()
    subprocess.run(
        [sys.executable, "-I", "-m", "harness", "run", "--request", str(file)], check=True, capture_output=True
    )
    return until_first_step(request, asked)


async def measure(folder: Path) -> tuple[list[float], list[float], RunResult]:
    """Seconds until the first step, warm and cold, by round; and one whole experiment."""
    corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None).path
    noted = folder / "train.py"
    noted.write_text(GENOME.read_text(encoding="utf-8") + NOTED, encoding="utf-8")
    harness = Harness()
    harness.start()
    try:
        warms, colds = [], []
        for _ in range(ROUNDS + 1):
            warms.append((await warm(harness, request_in(folder / "warm", corpus, noted, 0.3)))[0])
            colds.append(cold(request_in(folder / "cold", corpus, noted, 0.3)))
        _, whole = await warm(harness, request_in(folder / "whole", corpus, noted, BUDGET_S))
    finally:
        harness.close()
    return warms[1:], colds[1:], whole


def figures() -> list[dict[str, Any]]:
    """The time to the first step beside that of a cold start, and the overhead beside its bound."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        warms, colds, whole = asyncio.run(measure(Path(folder)))
    value, reference = median(warms), median(colds)
    ratio = round(value / reference, 3)
    overhead = whole.total_s - whole.budget_s
    return [
        {
            "name": "from asking to the first step (reference: a cold start)",
            "value": round(value, 3),
            "unit": "s",
            "reference": round(reference, 3),
            "ratio": ratio,
            "goal": "<= 0.2",
            "met": ratio <= 0.2,
        },
        {
            "name": f"a {BUDGET_S:.0f} s experiment, all but its budget (reference: the budget)",
            "value": round(overhead, 3),
            "unit": "s",
            "reference": whole.budget_s,
            "ratio": round(overhead / whole.budget_s, 3),
            "goal": "value <= 2.5 s",
            "met": overhead <= 2.5,
        },
    ]
