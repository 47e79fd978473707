"""What an evaluation with blind probes costs, and which leaks it sees.

The reference for the cost is one process that does the same sums without probes or isolation. Both take turns, and the
medians are compared; a process of its own does this, because it forks. What is seen is counted over drawn plans, for
leaks that are open in some share of the rows or positions: seen where a cut lies at an open position.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
from safetensors.torch import save_model

from harness.batches import validation_rows
from harness.corpus import prepare
from harness.examination import Examination
from harness.genome_file import load_genome, sha256_of
from harness.hosts import start_hosts
from harness.logits_memory import chunk_shape
from harness.probes import Cell, Splicer, plan
from harness.run_environment import run_environment
from harness.score import Score, losses
from harness.settings import EMBEDDED
from harness.training import ModelSpec

Array = np.ndarray[Any, Any]

ROUNDS = 5
PLANS = 300
GENOME = Path(__file__).resolve().parents[2] / "genome" / "train.py"


def in_process(model: torch.nn.Module, rows: Array, token_bytes: Array, slots: int) -> float:
    """Bits per byte by asking the model here, `slots` rows at a time."""
    score = Score(rows[:, 1:], token_bytes)
    tokens = torch.from_numpy(rows.astype(np.int64))
    for start in range(0, len(rows), slots):
        part = tokens[start : start + slots]
        with torch.no_grad():
            logits = model(part[:, :-1].contiguous())
        score.add(np.arange(start, start + len(part)), losses(logits, part[:, 1:].contiguous()))
    return score.bits_per_byte()


def timed(work: Callable[[], float]) -> tuple[float, float, float]:
    """What it returns, and its seconds: on the wall, and of this process and its children."""

    def used() -> float:
        everyone = [psutil.Process(), *psutil.Process().children()]
        return sum(times.user + times.system for times in (one.cpu_times() for one in everyone))

    wall, cpu = time.perf_counter(), used()
    value = work()
    return value, time.perf_counter() - wall, used() - cpu


def measure(folder: Path) -> dict[str, list[float]]:
    """Seconds of both ways, by round."""
    torch.set_num_threads(1)
    shape = chunk_shape(EMBEDDED)
    hosts = start_hosts(shape)
    corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None)
    rows = validation_rows(corpus, EMBEDDED.eval_tokens // EMBEDDED.sequence_len, EMBEDDED.sequence_len)
    genome, weights, sha256 = GENOME, folder / "weights.safetensors", sha256_of(GENOME.read_bytes())
    model = load_genome(genome, sha256, ()).build_model(ModelSpec(shape.vocab_size, shape.sequence_len)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.1)
    save_model(model, str(weights))
    for host in hosts:
        paths = {"genome": str(genome), "genome_sha256": sha256, "weights": str(weights)}
        host.load({**paths, "device": "cpu", "seed": 0, "answer_seed": 0})
    for host in hosts:
        host.loaded()
    seconds: dict[str, list[float]] = {"wall": [], "cpu": [], "plain wall": [], "plain cpu": []}
    for _ in range(ROUNDS + 1):
        plain, plain_wall, plain_cpu = timed(lambda: in_process(model, rows, corpus.token_bytes, shape.rows))
        examination = Examination(rows, corpus.token_bytes, np.random.default_rng())
        value, wall, cpu = timed(lambda one=examination: one.bits_per_byte(hosts, shape.rows))
        if abs(value - plain) > 1e-6:
            raise AssertionError(f"the two scores differ: {value} and {plain}")
        for name, number in zip(seconds, (wall, cpu, plain_wall, plain_cpu), strict=True):
            seconds[name].append(number)
    rng = np.random.default_rng(0)
    return {**{name: all_[1:] for name, all_ in seconds.items()}, "seen": seen(rows, shape.rows, rng)}


def seen(rows: Array, slots: int, rng: np.random.Generator) -> list[float]:
    """How often leaks are seen that are open in 8 % of the rows, at 8 % of the positions, and where text is dear.

    The last is open at the positions that pairs of tokens call the dearest, which hold 8 % of the whole cost between
    them; their share of all positions is the fourth number.
    """
    splicer = Splicer(rows, rng)
    open_rows = rng.random(len(rows)) < 0.08
    open_places = rng.random(rows[:, :-1].shape) < 0.08
    cost = np.array([splicer._surprise(row[:-1].astype(np.int64)) for row in rows])
    falling = np.sort(cost.reshape(-1))[::-1]
    dear = cost >= falling[np.searchsorted(falling.cumsum(), 0.08 * falling.sum())]
    caught = np.zeros(3)
    for _ in range(PLANS):
        cuts = [(row, splicer.splice(rows[row])[1]) for row in _probed(rows, slots, rng)]
        cuts = [(row, cut) for row, cut in cuts if cut < rows.shape[1] - 1]
        caught += [
            any(open_rows[row] for row, _ in cuts),
            any(open_places[row, cut - 1] for row, cut in cuts),
            any(dear[row, cut - 1] for row, cut in cuts),
        ]
    return [*(caught / PLANS).tolist(), float(dear.mean())]


def _probed(rows: Array, slots: int, rng: np.random.Generator) -> list[int]:
    return [int(row) for one in plan(len(rows), slots, rng) for row in one.rows[one.cells == Cell.PROBE]]


def figures() -> list[dict[str, Any]]:
    """Cost on the wall and in processor time, each beside the plain way's; then how often leaks are seen."""
    with tempfile.TemporaryDirectory(prefix="bench-probes-") as scratch:
        command = [sys.executable, "-m", "tests.bench.bench_probes", scratch]
        environment = run_environment(os.environ, "bench", scratch)
        output = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True).stdout
    found = json.loads(output.splitlines()[-1])
    goals = {"wall": 1.3, "cpu": 1.6}  # three processes work at once; on hyperthreads each is slower for it
    rows = [
        _cost(f"evaluation with probes, {name}", found[name], found[f"plain {name}"], goal)
        for name, goal in goals.items()
    ]
    in_rows, anywhere, dear, share = found["seen"]
    return [
        *rows,
        _sight("in 8 % of the rows", in_rows, 0.08),
        _sight("at 8 % of the positions", anywhere, 0.08),
        _sight(f"at the dearest {share:.1%}, 8 % of the cost", dear, share),
    ]


def _cost(name: str, ours: list[float], plain: list[float], goal: float) -> dict[str, Any]:
    value, reference = median(ours), median(plain)
    ratio = round(value / reference, 2)
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "s",
        "reference": round(reference, 3),
        "ratio": ratio,
        "goal": f"<= {goal:g}",
        "met": ratio <= goal,
    }


def _sight(name: str, rate: float, share: float) -> dict[str, Any]:
    """How often a leak is seen; the reference is what 56 cuts anywhere would see of that share of positions."""
    expected = 1 - (1 - share) ** 56
    return {
        "name": f"a leak {name}: seen",
        "value": round(rate, 3),
        "unit": "of runs",
        "reference": round(expected, 3),
        "ratio": round(rate / expected, 3),
        "goal": "value >= 0.95",
        "met": rate >= 0.95,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
