"""Experiments: real git, a run that is a function."""

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import ledger
from harness.ledger import TSV_HEADER, read_experiments, tsv_text
from harness.result import Outcome
from harness.verdict import Verdict
from sessions import aftermath, experiments, inflight, store
from sessions.lab import LabError
from sessions.submission import SubmissionError
from tests.sessions.experiment_bench import BRANCH, Bench

KEEP, DISCARD, CRASH, ABORTED = Verdict.KEEP, Verdict.DISCARD, Verdict.CRASH, Verdict.ABORTED


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.disk_free.set()
    await made.kill()


async def test_a_better_change_is_kept(bench: Bench) -> None:
    """After the baseline, a lower number becomes the incumbent, and the branch stays on its commit."""
    bench.start()
    await bench.baseline()
    bench.edit("RATE = 1.25\n")
    number = bench.one.submit("raise the\nrate\x1b[31m")
    record = await bench.one.wait(number)
    assert (number, record.verdict, record.message, record.delta) == (1, KEEP, "raise the rate", -0.25)
    assert record.parent == bench.base
    assert bench.git("rev-parse", BRANCH) == record.commit == bench.git("rev-parse", "refs/autoresearch/nov23/1")
    assert bench.git("status", "--porcelain") == ""
    seen = (bench.one.best, bench.one.best_number, bench.one.baseline, bench.one.kept, bench.one.total)
    assert seen == (1.25, 1, 1.5, 1, 1)
    assert bench.run.requests[1].commit == record.commit
    assert not bench.session.inflight.exists()


async def test_a_worse_change_is_reset_and_stays_reachable(bench: Bench) -> None:
    """A discarded commit leaves the branch and is kept under its ref; the worktree is the incumbent again."""
    bench.start()
    await bench.baseline()
    bench.edit("RATE = 2\n")
    record = await bench.one.wait(bench.one.submit("worse"))
    assert (record.verdict, record.best) == (DISCARD, 1.5)
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert bench.git("show", "refs/autoresearch/nov23/1:train.py") == "RATE = 2"
    assert (bench.session.worktree / "train.py").read_text() == "RATE = 1.5\n"
    assert (bench.one.kept, bench.one.total) == (0, 1)


async def test_what_is_kept_was_looked_at_closer(bench: Bench) -> None:
    """The weights of each run that is to be kept are scored again, every row asked twice; of others they are not."""
    bench.start()
    await bench.baseline()
    for rate in ("1.25", "2"):
        bench.edit(f"RATE = {rate}\n")
        await bench.one.wait(bench.one.submit(rate))
    assert [one.commit for one in bench.run.closer] == [one.commit for one in bench.one.records if one.verdict == KEEP]
    assert [one.verdict for one in bench.one.records] == [KEEP, KEEP, DISCARD]


async def test_a_leak_that_only_the_closer_look_finds_is_not_kept(bench: Bench) -> None:
    """Its verdict is the closer look's, with the number that it had before, and the branch is the incumbent's again."""
    bench.start()
    await bench.baseline()
    bench.run.seen_closer = lambda seen: replace(seen, outcome=Outcome.REJECTED, val_bpb=None, reason="leaks")
    bench.edit("RATE = 1.25\n")
    record = await bench.one.wait(bench.one.submit("see the next token, seldom"))
    assert (record.verdict, record.reason) == (Verdict.REJECTED, "leaks (run 1; val_bpb was 1.250000 before)")
    assert (bench.one.best, bench.git("rev-parse", BRANCH)) == (1.5, bench.base)


async def test_a_closer_look_that_was_cut_short_is_told(bench: Bench) -> None:
    """What was measured stands, and a person is told that not every row was looked at."""
    bench.start()
    await bench.baseline()
    bench.run.seen_closer = lambda seen: replace(seen, outcome=Outcome.ABORTED, val_bpb=None, reason="stopped")
    bench.edit("RATE = 1.25\n")
    record = await bench.one.wait(bench.one.submit("better"))
    assert (record.verdict, record.flags) == (KEEP, ["not every row was looked at for leaks: stopped"])


@pytest.mark.parametrize(("failures", "verdict"), [(1, DISCARD), (2, ABORTED)])
async def test_a_run_that_the_harness_failed_is_made_once_more(bench: Bench, failures: int, verdict: str) -> None:
    """A killed runner costs no experiment; one that fails again does."""
    bench.start()
    await bench.baseline()
    left = iter(range(failures))
    bench.run.change = lambda result: (
        result if next(left, None) is None else replace(result, outcome=Outcome.ABORTED, val_bpb=None, reason="killed")
    )
    bench.edit("RATE = 2\n")
    record = await bench.one.wait(bench.one.submit("worse"))
    assert record.verdict == verdict
    assert [one["reason"] for one in bench.entries("run repeated")] == ["killed"]


async def test_a_crash_is_recorded_and_reset(bench: Bench) -> None:
    """A genome that fails is a crash with its reason and no number, and its log stays while its weights go."""
    bench.start()
    await bench.baseline()
    bench.edit("RATE = nonsense\n")
    record = await bench.one.wait(bench.one.submit("a bug"))
    assert (record.verdict, record.val_bpb, record.delta) == (CRASH, None, None)
    assert "nonsense" in record.reason
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert [one.name for one in (bench.session.runs / "1").iterdir()] == ["run.log"]


async def test_the_ledgers_agree(bench: Bench) -> None:
    """experiments.jsonl holds every record; results.tsv in both places is made from it."""
    bench.start()
    await bench.baseline()
    for text in ("RATE = 1\n", "RATE = 3\n", "RATE = oops\n"):
        bench.edit(text)
        await bench.one.wait(bench.one.submit(text))
    read = read_experiments(bench.session.experiments)
    assert (read.records, read.broken) == (bench.one.records, 0)
    assert [one.verdict for one in read.records] == [KEEP, KEEP, DISCARD, CRASH]
    expected = tsv_text(read.records)
    assert expected.startswith(TSV_HEADER)
    assert expected.count("\n") == 5
    assert bench.session.results.read_text() == expected == (bench.session.worktree / "results.tsv").read_text()


async def test_the_gate(bench: Bench) -> None:
    """Nothing changed, other files, a missing or linked genome, no message: each is refused, nothing is committed."""
    bench.start()
    await bench.baseline()
    worktree = bench.session.worktree
    before = bench.git("for-each-ref")
    with pytest.raises(SubmissionError, match="nothing changed"):
        bench.one.submit("x")
    bench.edit("RATE = 1\n")
    with pytest.raises(SubmissionError, match="say what the change tries"):
        bench.one.submit(" \x1b[0m\n")
    (worktree / "program.md").write_text("cheat\n")
    (worktree / "new\x1b[31m.py").write_text("x\n")
    with pytest.raises(SubmissionError, match=r"only train\.py may change; also changed: new\.py, program\.md"):
        bench.one.submit("x")
    (worktree / "new\x1b[31m.py").unlink()
    bench.git("checkout", "--", "program.md")
    (worktree / "train.py").unlink()
    with pytest.raises(SubmissionError, match=r"train\.py is missing"):
        bench.one.submit("x")
    (worktree / "train.py").symlink_to("/dev/null")
    with pytest.raises(LabError, match="not a regular file"):
        bench.one.submit("x")
    assert bench.git("for-each-ref") == before
    assert not bench.session.inflight.exists()


async def test_one_at_a_time(bench: Bench) -> None:
    """While the baseline runs one experiment may queue, no second; while an experiment runs none may."""
    bench.run.go.clear()
    bench.start()
    bench.one.submit_baseline()
    await bench.run.started.wait()
    assert bench.one.running is not None
    assert (bench.one.running.number, bench.one.running.steps, bench.one.running.phase) == (0, 3, "training")
    bench.edit("RATE = 1\n")
    assert bench.one.submit("queued") == 1
    assert bench.one.queued == 1
    bench.edit("RATE = 0.5\n")
    with pytest.raises(SubmissionError, match=r"experiment 1 has yet to run \(the baseline runs first\); wait"):
        bench.one.submit("second")
    bench.run.started.clear()
    bench.run.go.set()
    await bench.one.wait(0)
    bench.run.go.clear()
    await bench.run.started.wait()
    with pytest.raises(SubmissionError, match="experiment 1 is still running; wait for it with"):
        bench.one.submit("third")
    bench.run.go.set()
    assert (await bench.one.wait(None)).number == 1


async def test_waiting_for_what_there_is_not(bench: Bench) -> None:
    """Waiting for nothing is answered at once, with a line."""
    bench.start()
    with pytest.raises(SubmissionError, match="no experiment yet"):
        await bench.one.wait(None)
    with pytest.raises(SubmissionError, match="no experiment 7"):
        await bench.one.wait(7)
    await bench.baseline()
    assert (await bench.one.wait(None)).number == 0


async def test_a_held_session_starts_nothing(bench: Bench) -> None:
    """While paused a submission is committed and waits; released, it runs."""
    bench.start()
    await bench.baseline()
    bench.one.hold()
    bench.edit("RATE = 1\n")
    number = bench.one.submit("later")
    with pytest.raises(SubmissionError, match="the session is paused"):
        bench.one.submit("again")
    waiting = asyncio.ensure_future(bench.one.wait(number))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert (bench.one.queued, bench.one.running, len(bench.run.requests)) == (1, None, 1)
    bench.one.release()
    assert (await waiting).verdict == KEEP


async def test_a_session_that_is_done_refuses(bench: Bench) -> None:
    """With its number of experiments made, a session takes no further one."""
    bench.make(max_experiments=1)
    bench.start()
    await bench.baseline()
    bench.edit("RATE = 1\n")
    await bench.one.wait(bench.one.submit("first"))
    bench.edit("RATE = 0.5\n")
    with pytest.raises(SubmissionError, match="has made its 1 experiments"):
        bench.one.submit("second")


async def test_abort_is_recorded_after_the_work_was_cancelled(bench: Bench) -> None:
    """At the end of a session the experiment in progress is stopped and recorded, and the branch is reset."""
    task = bench.start()
    await bench.baseline()
    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 1\n")
    bench.one.submit("stopped")
    await bench.run.started.wait()
    task.cancel()
    await bench.one.abort("the session was stopped")
    record = bench.one.records[-1]
    assert (record.number, record.verdict, record.reason) == (1, ABORTED, "the session was stopped")
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert not bench.session.inflight.exists()
    assert bench.one.total == 0
    assert "stopped" not in bench.session.results.read_text()
    await bench.one.abort("again")  # nothing runs: nothing happens


async def test_edits_during_a_run_are_saved(bench: Bench) -> None:
    """What the agent prepared while a run was going survives the reset, and the journal says where."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 2\n")
    number = bench.one.submit("worse")
    await bench.run.started.wait()
    bench.edit("RATE = 0.1\n")
    bench.run.go.set()
    await bench.one.wait(number)
    assert (bench.session.worktree / "train.py").read_text() == "RATE = 1.5\n"
    [entry] = bench.entries("edits saved")
    assert bench.git("show", f"{entry['ref']}:train.py") == "RATE = 0.1"


async def test_a_baseline_without_a_number(bench: Bench) -> None:
    """A baseline that fails calls the person; it is not repeated, and the next number becomes the incumbent."""
    bench.run.change = lambda result: replace(result, outcome=Outcome.CRASH, val_bpb=None, reason="no such corpus")
    bench.start()
    await bench.baseline()
    assert bench.one.alert == "the baseline gave no number: no such corpus"
    bench.one.submit_baseline()
    assert bench.one.queued == 0
    bench.run.change = lambda result: result
    bench.edit("RATE = 9\n")
    record = await bench.one.wait(bench.one.submit("mend it"))
    assert (record.verdict, record.reason, bench.one.best, bench.one.alert) == (KEEP, "baseline", 9.0, "")


async def test_numbers_that_are_none(bench: Bench) -> None:
    """NaN is a crash that JSON can hold; a result of another run is no result."""
    bench.start()
    await bench.baseline()
    bench.run.change = lambda result: replace(result, val_bpb=float("nan"))
    bench.edit("RATE = 1\n")
    assert (await bench.one.wait(bench.one.submit("nan"))).verdict == CRASH
    bench.run.change = lambda result: replace(result, commit="f" * 40)
    bench.edit("RATE = 2\n")
    record = await bench.one.wait(bench.one.submit("swapped"))
    assert record.verdict == ABORTED
    assert "another run" in record.reason
    assert read_experiments(bench.session.experiments).broken == 0


async def test_a_supervisor_that_died_during_a_run(bench: Bench) -> None:
    """The next one records the experiment as aborted, ends what is left of the run, resets, and goes on."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 1\n")
    bench.one.submit("lost")
    await bench.run.started.wait()
    bench.edit("RATE = 0.7\n")
    environment = {**os.environ, "AUTORESEARCH_RUN_ID": bench.run.requests[-1].run_id}
    left = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment)
    await bench.kill()
    assert bench.session.inflight.exists()

    bench.run.go.set()
    bench.make()
    bench.start()
    record = await bench.one.wait(1)
    assert (record.verdict, record.reason) == (ABORTED, "the supervisor died while it ran")
    with left:  # its standard input is still open: it did not end by itself
        left.wait()
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert bench.git("show", "refs/autoresearch/nov23/saved-1:train.py") == "RATE = 0.7"
    assert not bench.session.inflight.exists()
    bench.edit("RATE = 1\n")
    assert (await bench.one.wait(bench.one.submit("again"))).number == 2


async def test_a_supervisor_that_died_during_the_baseline(bench: Bench) -> None:
    """The baseline runs again, before the experiment that was queued behind it, and that is not lost."""
    bench.run.go.clear()
    bench.start()
    bench.one.submit_baseline()
    await bench.run.started.wait()
    bench.edit("RATE = 1\n")
    assert bench.one.submit("queued") == 1
    await bench.kill()

    bench.run.go.set()
    bench.make()
    bench.start()
    record = await bench.one.wait(1)
    assert [(one.number, one.verdict) for one in bench.one.records] == [(0, ABORTED), (0, KEEP), (1, KEEP)]
    assert record.delta == -0.5
    assert (await bench.one.wait(0)).val_bpb == 1.5
    assert (bench.one.baseline, bench.one.total) == (1.5, 1)


@pytest.mark.parametrize("step", ["reset", "write_results", "write_inflight", "clear_away"])
async def test_a_supervisor_that_died_after_the_verdict(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it died after the ledger was written, the rest is done at the next start and nothing twice."""
    bench.start()
    await bench.baseline()
    died = asyncio.Event()

    def die(*_: Any, **__: Any) -> None:
        died.set()
        raise KeyError(step)

    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 2\n")
    bench.one.submit("worse")
    await bench.run.started.wait()
    place = {"reset": "sessions.worktree.Worktree.reset", "write_inflight": "sessions.inflight.write_inflight"}
    with monkeypatch.context() as patch:
        patch.setattr(place.get(step, f"sessions.aftermath.{step}"), die)
        bench.run.go.set()
        await died.wait()
        with contextlib.suppress(KeyError):
            await bench.kill()

    bench.make()
    bench.start()
    record = await bench.one.wait(1)
    assert record.verdict == DISCARD
    assert [one.number for one in read_experiments(bench.session.experiments).records] == [0, 1]
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert bench.session.results.read_text() == tsv_text(bench.one.records)
    assert [one.name for one in (bench.session.runs / "1").iterdir()] == ["run.log"]
    assert not bench.session.inflight.exists()


@pytest.mark.parametrize("file", ["experiments.jsonl", "results.tsv", "journal.jsonl", "inflight.json", "copy", "git"])
async def test_a_full_disk_loses_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """Whichever write the disk refuses, it is said, tried again until it goes through, and then all goes on."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 2\n")
    number = bench.one.submit("worse")
    if file != "copy":
        await bench.run.started.wait()
    refused = asyncio.Event()
    full = OSError(errno.ENOSPC, "No space left on device", file)

    def refusing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            if bench.disk_free.is_set() or (isinstance(path, Path) and path.name != file):
                return original(path, *arguments, **named)
            refused.set()
            raise LabError(str(full)) if file in {"git", "copy"} else full

        return call

    match file:
        case "journal.jsonl":
            monkeypatch.setattr("sessions.journal.append_line", refusing(ledger.append_line))
        case "experiments.jsonl":
            monkeypatch.setattr(aftermath, "append_line", refusing(ledger.append_line))
        case "results.tsv":
            monkeypatch.setattr("sessions.results_file.replace_file", refusing(store.replace_file))
        case "inflight.json":
            monkeypatch.setattr(inflight, "write_inflight", refusing(inflight.write_inflight))
        case "copy":
            monkeypatch.setattr("sessions.lab.Lab.export", refusing(type(bench.lab).export))
        case "git":
            monkeypatch.setattr("sessions.worktree.Worktree.reset", refusing(experiments.Worktree.reset))
    bench.run.go.set()
    await refused.wait()
    await bench.rested.wait()
    assert bench.one.alert.startswith("disk full: ")
    waiting = asyncio.ensure_future(bench.one.wait(number))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    bench.disk_free.set()
    record = await waiting
    assert (record.verdict, bench.one.alert) == (DISCARD, "")
    assert read_experiments(bench.session.experiments).records == bench.one.records
    assert bench.session.results.read_text() == tsv_text(bench.one.records)
    assert [one["number"] for one in bench.entries("verdict")] == [0, 1]
    assert bench.git("rev-parse", BRANCH) == bench.base
    assert not bench.session.inflight.exists()


async def test_a_full_disk_at_the_submission(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A submission that cannot be noted down is refused; the change is still there and goes through later."""
    bench.start()
    await bench.baseline()
    bench.edit("RATE = 1\n")

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(inflight, "write_inflight", refuse)
        with pytest.raises(SubmissionError, match="No space left on device"):
            bench.one.submit("x")
    assert bench.one.queued == 0
    assert (await bench.one.wait(bench.one.submit("x"))).verdict == KEEP


async def test_a_foreign_results_file_is_left_alone(bench: Bench) -> None:
    """A results.tsv in the worktree that is not ours is never overwritten, which the journal says once."""
    mirror = bench.session.worktree / "results.tsv"
    mirror.write_text("commit\tmine\n")
    bench.start()
    await bench.baseline()
    bench.edit("RATE = 1\n")
    await bench.one.wait(bench.one.submit("x"))
    assert mirror.read_text() == "commit\tmine\n"
    assert bench.session.results.read_text() == tsv_text(bench.one.records)
    assert len([one for one in bench.entries("alert") if "left alone" in one["reason"]]) == 1
    mirror.unlink()
    os.mkfifo(mirror)  # reading it would wait for ever
    bench.edit("RATE = 0.5\n")
    await bench.one.wait(bench.one.submit("y"))
    assert mirror.is_fifo()


async def test_a_broken_ledger_is_said(bench: Bench) -> None:
    """Lines of experiments.jsonl that are no records cost themselves alone, and the journal names them."""
    bench.start()
    await bench.baseline()
    await bench.kill()
    with bench.session.experiments.open("ab") as stream:
        stream.write(b'not a record\n{"number": 5, "com')
    bench.make()
    bench.start()
    [entry] = bench.entries("alert")
    assert "1 lines are not records" in entry["reason"]
    bench.edit("RATE = 1\n")
    assert (await bench.one.wait(bench.one.submit("x"))).number == 1
    assert [one.number for one in read_experiments(bench.session.experiments).records] == [0, 1]


async def test_a_worktree_that_is_gone(bench: Bench) -> None:
    """With its worktree deleted the verdict still stands, the person is called, and a submission says why not."""
    bench.start()
    await bench.baseline()
    bench.run.go.clear()
    bench.run.started.clear()
    bench.edit("RATE = 2\n")
    number = bench.one.submit("worse")
    await bench.run.started.wait()
    shutil.rmtree(bench.session.worktree)
    bench.run.go.set()
    assert (await bench.one.wait(number)).verdict == DISCARD
    assert bench.one.alert.startswith("the worktree could not be put back")
    with pytest.raises((SubmissionError, LabError)):
        bench.one.submit("x")


async def test_a_broken_inflight_file_stops_nothing(bench: Bench) -> None:
    """A foreign inflight.json is no reason not to start."""
    bench.session.inflight.write_text('{"experiments": [7, {"number": "x"}]}')
    bench.make()
    bench.start()
    await bench.baseline()
    assert bench.one.best == 1.5
