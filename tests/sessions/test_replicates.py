"""Replicates and further runs: real git, a harness that is a function of genome and seed."""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.ledger import read_experiments, read_replicates, tsv_text
from harness.result import Outcome, RunResult
from harness.verdict import Verdict
from sessions import aftermath
from sessions.store import HOME_VARIABLE, leases_home
from sessions.submission import SubmissionError
from tests.sessions.experiment_bench import BRANCH, Bench

KEEP, DISCARD, CRASH, ABORTED = Verdict.KEEP, Verdict.DISCARD, Verdict.CRASH, Verdict.ABORTED
# Mean 2, sigma 0.01.
NOISY = "RATE = [2.0, 2.01, 1.99, 2.0, 2.01, 1.99][SEED]\n"


def changed_by(gain: float) -> str:
    return NOISY.rstrip() + f" - {gain}\n"


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    made = Bench(tmp_path, NOISY)
    made.make(replicates=3, most_runs=3, top_up_every=2)
    yield made
    made.disk_free.set()
    await made.kill()


async def tried(bench: Bench, text: str, message: str = "x") -> int:
    bench.edit(text)
    number = bench.one.submit(message)
    await bench.one.wait(number)
    return number


async def test_the_baseline_measures_the_noise(bench: Bench) -> None:
    """After its experiment the baseline runs twice more with seeds of their own; best and sigma are of all three."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    assert [(one.seed, one.commit) for one in bench.run.requests] == [(seed, bench.base) for seed in range(3)]
    assert bench.one.noise is not None
    assert bench.one.noise.sigma == pytest.approx(0.01)
    assert (bench.one.best, bench.one.baseline) == (pytest.approx(2.0), pytest.approx(2.0))
    kept = read_replicates(bench.session.replicates)
    assert [(one.number, one.commit, one.result["seed"]) for one in kept.records] == [
        (0, bench.base, n) for n in (1, 2)
    ]
    assert (len(bench.one.records), bench.one.total, bench.one.incumbent.runs) == (1, 0, 3)
    assert bench.session.results.read_text() == tsv_text(bench.one.records)
    assert [one["sigma"] for one in bench.entries("replicate")][-1] == pytest.approx(0.01)


async def test_an_experiment_waits_for_the_noise(bench: Bench) -> None:
    """A submission while the noise is measured queues behind it, and a second one is told what runs."""
    bench.run.go.clear()
    bench.start()
    bench.one.submit_baseline()
    await bench.until_running()
    bench.run.go.set()
    await bench.one.wait(0)
    bench.run.go.clear()
    running = await bench.until_running()
    assert (running.number, running.replicate, running.run, running.most_runs) == (0, True, 1, 2)
    assert running.because == "measures the noise"
    assert not bench.one.pending
    bench.edit(changed_by(0.2))
    number = bench.one.submit("better")
    assert bench.one.pending
    with pytest.raises(SubmissionError, match=r"experiment 1 has yet to run \(the noise is being measured\)"):
        bench.one.submit("second")
    bench.run.go.set()
    record = await bench.one.wait(number)
    assert [one.seed for one in bench.run.requests] == [0, 1, 2, 0]
    assert (record.verdict, record.sigma) == (KEEP, pytest.approx(0.01))


async def test_a_doubtful_change_runs_again(bench: Bench) -> None:
    """Within the noise it runs with the baseline's seeds, up to the cap, is judged on the mean, and is one row."""
    bench.start()
    await bench.baseline()
    number = await tried(bench, changed_by(0.008))
    record = bench.one.records[-1]
    assert [one.seed for one in bench.run.requests[3:]] == [0, 1, 2]
    assert (record.number, record.verdict, record.val_bpb) == (number, DISCARD, pytest.approx(1.992))
    assert record.reason.startswith("within noise: ")
    assert len(record.runs) == 3
    assert record.result == record.runs[-1]
    assert bench.session.results.read_text().count("\n") == 3
    assert [one["run"] for one in bench.entries("another run")] == [2, 3]
    [verdict] = [one for one in bench.entries("verdict") if one["number"] == number]
    assert (verdict["runs"], verdict["sigma"]) == (3, record.sigma)
    logs = sorted(str(one.relative_to(bench.session.runs)) for one in bench.session.runs.rglob("run.log"))
    assert logs == ["0/replicate-1/run.log", "0/replicate-2/run.log", "0/run.log"] + [
        f"1/{name}" for name in ("run-2/run.log", "run-3/run.log", "run.log")
    ]
    assert not list(bench.session.runs.rglob("scratch"))


async def test_which_run_it_is(bench: Bench) -> None:
    """While a doubtful change runs again, the run in progress says which one it is, of how many, and why."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    bench.edit(changed_by(0.005))
    bench.run.pause_at_seed = 1
    bench.one.submit("doubtful")
    running = await bench.until_running(run=2)
    assert (running.number, running.run, running.most_runs, running.replicate) == (1, 2, 3, False)
    assert running.because.startswith("within noise")


async def test_the_incumbent_is_topped_up(bench: Bench) -> None:
    """After as many experiments the incumbent runs once more with a fresh seed; its number is the mean of all."""
    bench.start()
    await bench.baseline()
    first = await tried(bench, changed_by(0.2))
    await tried(bench, changed_by(0.1))
    await bench.idle()
    last = bench.run.requests[-1]
    assert (last.commit, last.seed) == (bench.one.records[first].commit, 1)
    assert (bench.one.best, bench.one.incumbent.runs) == (pytest.approx(1.805), 2)
    assert bench.one.records[first].val_bpb == pytest.approx(1.8)
    await tried(bench, changed_by(0.15))
    assert bench.one.records[-1].best == pytest.approx(1.805)
    await bench.idle()
    assert len(read_replicates(bench.session.replicates).records) == 3


async def test_a_session_that_has_made_its_experiments_runs_nothing_more(bench: Bench) -> None:
    """The incumbent is not topped up for experiments that will not come."""
    bench.make(max_experiments=2)
    bench.start()
    await bench.baseline()
    for gain in (0.2, 0.1):
        await tried(bench, changed_by(gain))
    await bench.idle()
    assert len(read_replicates(bench.session.replicates).records) == 2


async def test_noise_that_is_not_wanted_is_not_measured(bench: Bench) -> None:
    """With one run of the baseline asked for, nothing runs twice, and a lower number is kept."""
    bench.make(replicates=1)
    bench.start()
    await bench.baseline()
    for gain in (0.002, 0.001, 0.003):
        await tried(bench, changed_by(gain))
    assert [one.seed for one in bench.run.requests] == [0] * 4
    assert [one.verdict for one in bench.one.records] == [KEEP, KEEP, DISCARD, KEEP]
    assert bench.one.noise is None


async def test_a_tainted_run_is_repeated(bench: Bench) -> None:
    """A disturbed run is made again with its seed, and both are on record; so is a disturbed replicate."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    disturbed: list[RunResult] = []

    def disturb(result: RunResult) -> RunResult:
        if disturbed:
            return result
        disturbed.append(result)
        return replace(result, val_bpb=1.0, taints=["contended: 9 others"])

    bench.run.change = disturb
    await tried(bench, changed_by(0.2))
    record = bench.one.records[-1]
    assert [run["seed"] for run in record.runs] == [0, 0]
    assert (record.verdict, record.val_bpb) == (KEEP, pytest.approx(1.8))
    assert record.flags == ["run 1 of 2: contended: 9 others"]
    disturbed.clear()
    bench.run.change = lambda result: result
    await tried(bench, changed_by(0.0), "as before")
    await bench.kill()
    bench.run.change = disturb
    bench.make(top_up_every=1)
    bench.start()
    await bench.idle()
    assert [one.result["seed"] for one in read_replicates(bench.session.replicates).records] == [1, 2, 1, 1]
    assert bench.one.best == pytest.approx(1.805)


async def test_a_change_that_fails_when_it_runs_again(bench: Bench) -> None:
    """A crash of a further run is the experiment's verdict, and the branch is reset."""
    bench.start()
    await bench.baseline()
    await tried(bench, changed_by(0.005) + "RATE = RATE if SEED < 1 else nonsense\n")
    record = bench.one.records[-1]
    assert (record.verdict, record.val_bpb, len(record.runs)) == (CRASH, None, 2)
    assert bench.git("rev-parse", BRANCH) == bench.base


async def test_a_supervisor_that_died_while_it_measured_the_noise(bench: Bench) -> None:
    """The replicate that was lost runs again, before the experiment that was queued, and none is there twice."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    await bench.until_running()
    bench.edit(changed_by(0.2))
    number = bench.one.submit("queued")
    await bench.kill()
    before = len(read_replicates(bench.session.replicates).records)
    bench.run.go.set()
    bench.make()
    bench.start()
    record = await bench.one.wait(number)
    assert before < 2
    assert (record.verdict, [one.number for one in bench.one.records]) == (KEEP, [0, 1])
    assert [one.result["seed"] for one in read_replicates(bench.session.replicates).records] == [1, 2]
    assert not bench.session.inflight.exists()


async def test_a_supervisor_that_died_during_a_further_run(bench: Bench) -> None:
    """The experiment is recorded as aborted with the runs that it had, and is not judged by them."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    bench.edit(changed_by(0.005))
    bench.run.pause_at_seed = 1
    bench.one.submit("lost")
    await bench.until_running(run=2)
    await bench.kill()
    bench.run.pause_at_seed = None
    bench.make()
    bench.start()
    record = await bench.one.wait(1)
    assert (record.verdict, record.reason) == (ABORTED, "the supervisor died while it ran")
    assert [run["outcome"] for run in record.runs] == [Outcome.OK, Outcome.ABORTED]
    assert (bench.one.total, bench.git("rev-parse", BRANCH)) == (0, bench.base)


async def test_paused_at_once_while_the_noise_is_measured(bench: Bench) -> None:
    """A replicate that is stopped leaves no record; after the pause it runs again."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    await bench.until_running()
    bench.one.hold()
    await bench.one.abort("paused by a person")
    before = len(read_replicates(bench.session.replicates).records)
    assert bench.one.running is None
    bench.run.go.set()
    bench.one.release()
    await bench.idle()
    assert before < 2
    kept = read_replicates(bench.session.replicates).records
    assert [(one.result["seed"], one.result["outcome"]) for one in kept] == [(1, Outcome.OK), (2, Outcome.OK)]
    assert [one.verdict for one in bench.one.records] == [KEEP]


async def test_an_incumbent_that_fails_is_not_run_for_ever(bench: Bench) -> None:
    """Replicates that give no number are made, and tried once more; the person is told, and a lower number is kept."""
    bench.run.change = lambda result: (
        result if result.seed == 0 else replace(result, outcome=Outcome.ABORTED, val_bpb=None, reason="no such device")
    )
    bench.start()
    await bench.baseline()
    await bench.idle()
    assert [one.seed for one in bench.run.requests] == [0, 1, 1, 2, 2]
    assert bench.one.alert == "the noise is not known: another run of #0 gave no number: no such device"
    await tried(bench, changed_by(0.001))
    assert bench.one.records[-1].verdict == KEEP


async def test_a_full_disk_loses_no_replicate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replicate that cannot be written is said, tried again until it goes through, and is there once."""
    bench.start()
    append_line = aftermath.append_line

    def refuse(path: Path, line: str) -> None:
        if path.name == "replicates.jsonl" and not bench.disk_free.is_set():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        append_line(path, line)

    monkeypatch.setattr(aftermath, "append_line", refuse)
    await bench.baseline()
    await bench.rested.wait()
    assert bench.one.alert.startswith("disk full: ")
    bench.disk_free.set()
    await bench.idle()
    assert [one.result["seed"] for one in read_replicates(bench.session.replicates).records] == [1, 2]
    assert bench.one.alert == ""


async def test_torn_lines_cost_themselves_alone(bench: Bench) -> None:
    """Lines of replicates.jsonl that are no records are said and passed over; what is missing is run again."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    await bench.kill()
    whole = bench.session.replicates.read_bytes()
    bench.session.replicates.write_bytes(b"not a record\n" + whole[: len(whole) - 9])
    bench.make()
    bench.start()
    await bench.idle()
    reading = read_replicates(bench.session.replicates)
    assert [one.result["seed"] for one in reading.records] == [1, 2]
    assert any("replicates.jsonl: 1 lines are not records" in one["reason"] for one in bench.entries("alert"))


async def test_an_older_session_measures_its_incumbent(bench: Bench) -> None:
    """A session from before there were replicates makes them of the incumbent that it has."""
    bench.make(replicates=1)
    bench.start()
    await bench.baseline()
    await tried(bench, changed_by(0.2))
    await bench.kill()
    lines = [replace(one, runs=[], sigma=None) for one in read_experiments(bench.session.experiments).records]
    bench.session.experiments.write_text("".join(one.to_json() + "\n" for one in lines))
    bench.make(replicates=3)
    bench.start()
    await bench.idle()
    assert {one.commit for one in read_replicates(bench.session.replicates).records} == {lines[-1].commit}
    assert bench.one.noise is not None
    assert (bench.one.incumbent.runs, bench.one.best) == (3, pytest.approx(1.8))


async def test_a_report_of_progress_is_no_change(bench: Bench) -> None:
    """While a run comes further, only the one who asked for progress is called: no ledger has changed."""
    reports: list[int] = []
    bench.make(replicates=1)
    bench.on_progress = lambda: reports.append(bench.changes)
    bench.make()
    bench.run.go.clear()
    bench.start()
    bench.one.submit_baseline()
    await bench.until_running()
    before = bench.changes
    for _ in range(5):
        bench.run.report()
    assert bench.changes == before
    assert len(reports) == 6


async def test_places_for_the_gpu(bench: Bench) -> None:
    """A request names the queue for a GPU that all sessions share, and a private folder for what compilers make."""
    bench.start()
    await bench.baseline()
    request = bench.run.requests[0]
    assert request.leases == str(leases_home())
    assert request.compiled == str(bench.session.compiled)
    assert stat.S_IMODE(os.stat(request.compiled).st_mode) == 0o700  # noqa: PTH116


async def test_waiting_for_the_latest_passes_over_replicates(bench: Bench) -> None:
    """The latest experiment is the one that was submitted last, whatever is run for the noise."""
    bench.start()
    await bench.baseline()
    await bench.idle()
    await tried(bench, changed_by(-0.2))
    bench.edit(changed_by(-0.3))
    bench.one.submit("worse")
    await bench.one.wait(2)
    bench.run.go.clear()
    running = await bench.until_running()
    assert (running.number, running.replicate) == (0, True)
    assert (await asyncio.wait_for(bench.one.wait(None), 10)).number == 2
