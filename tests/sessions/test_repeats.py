"""What was tried before: refused where it is the same to the letter, noted where it is the same change."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.result import Experiment, Outcome
from harness.verdict import Verdict
from sessions.repeats import identity, note_on
from sessions.submission import SubmissionError
from tests.sessions.experiment_bench import Bench


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = Bench(tmp_path)
    made.start()
    await made.baseline()
    yield made
    await made.kill()


async def _try(bench: Bench, text: str, **options: Any) -> int:
    bench.edit(text)
    number = bench.one.submit("a change", **options)
    await bench.one.wait(number)
    return number


async def test_the_same_again_is_refused(bench: Bench) -> None:
    """A genome that ran before is refused in one line that names the experiment, its number and the way around."""
    await _try(bench, "RATE = 1.75\n")
    refs = bench.git("for-each-ref")
    bench.edit("RATE = 1.75\n")
    with pytest.raises(SubmissionError) as caught:
        bench.one.submit("in other words")
    assert str(caught.value) == (
        "this is experiment 1 again, to the letter (discard, val_bpb 1.750000); change something, or run it all the "
        'same: autoresearch-tui try --again -m "..."'
    )
    assert bench.git("for-each-ref") == refs
    assert (bench.session.worktree / "train.py").read_text() == "RATE = 1.75\n"
    assert not bench.session.inflight.exists()


async def test_a_crash_again_is_refused_without_a_number(bench: Bench) -> None:
    """What crashed would crash again; the refusal says that it gave no number."""
    await _try(bench, "RATE = nonsense\n")
    with pytest.raises(SubmissionError, match=r"experiment 1 again, to the letter \(crash, gave no val_bpb\)"):
        await _try(bench, "RATE = nonsense\n")


async def test_the_way_back_is_refused(bench: Bench) -> None:
    """After a kept change, the baseline's text is an experiment that was made."""
    await _try(bench, "RATE = 1.25\n")
    with pytest.raises(SubmissionError, match="this is experiment 0 again"):
        await _try(bench, "RATE = 1.5\n")


async def test_it_runs_again_if_that_is_wanted(bench: Bench) -> None:
    """With `again` it runs, and note and journal say of which experiment it is the same; so does its record."""
    await _try(bench, "RATE = 1.75\n")
    bench.edit("RATE = 1.75\n")
    number = bench.one.submit("once more", again=True)
    said = "the same as #1 (discard, +0.2500), run again"
    assert bench.one.note(number) == said
    record = await bench.one.wait(number)
    assert (record.val_bpb, bench.one.note(number)) == (1.75, said)
    with pytest.raises(SubmissionError, match="this is experiment 2 again"):
        await _try(bench, "RATE = 1.75\n")
    assert [one.get("note") for one in bench.entries("submitted")] == [None, None, said]


async def test_what_was_stopped_was_not_tried(bench: Bench) -> None:
    """An experiment that was aborted may be submitted again without a word."""
    bench.run.change = lambda result: replace(result, outcome=Outcome.ABORTED, val_bpb=None, reason="stopped")
    await _try(bench, "RATE = 1.75\n")
    bench.run.change = lambda result: result
    number = await _try(bench, "RATE = 1.75\n")
    assert bench.one.records[-1].verdict == Verdict.DISCARD
    assert bench.one.note(number) == ""


async def test_the_same_change_on_another_incumbent_runs_with_a_note(bench: Bench) -> None:
    """What failed before may help on what was kept since: it runs, and its note names the one before."""
    first = await _try(bench, "RATE = 1.5\nWIDTH = 16\n")
    await _try(bench, "RATE = 1.25\n")
    bench.edit("RATE = 1.25\nWIDTH = 16\n")
    number = bench.one.submit("wider again")
    said = f"the same change as #{first} (discard, +0.0000), on another incumbent"
    assert bench.one.note(number) == said
    record = await bench.one.wait(number)
    assert record.change == bench.one.records[first].change != ""
    assert note_on(record, bench.one.records) == said
    assert bench.one.note(first) == bench.one.note(77) == ""


async def test_nearly_the_same_is_said_so(bench: Bench) -> None:
    """The same lines with other blanks, on the same incumbent, are not the same to the letter."""
    await _try(bench, "RATE = 1.75\n")
    assert bench.one.note(await _try(bench, "RATE =  1.75\n")) == "nearly the same change as #1 (discard, +0.2500)"


async def test_a_supervisor_that_dies_forgets_nothing(bench: Bench) -> None:
    """Change and note of a queued experiment are on disk, and its record has the change."""
    await _try(bench, "RATE = 1.75\n")
    bench.one.hold()
    bench.edit("RATE = 1.75\n")
    number = bench.one.submit("again", again=True)
    before = bench.one.note(number)
    await bench.kill()
    other = bench.make()
    bench.start()
    assert other.note(number) == before != ""
    record = await other.wait(number)
    assert record.change == bench.one.records[1].change != ""


async def test_a_lost_commit_is_no_obstacle(bench: Bench) -> None:
    """An agent that prunes the repository loses the comparison with what it pruned, and nothing else."""
    await _try(bench, "RATE = 1.75\n")
    bench.git("update-ref", "-d", "refs/autoresearch/nov23/1")
    bench.git("reflog", "expire", "--expire=now", "--all")
    bench.git("gc", "--quiet", "--prune=now")
    assert await _try(bench, "RATE = 1.75\n") == 2


async def test_a_run_that_read_no_genome_repeats_nothing(bench: Bench) -> None:
    """Two runs that ended before their genome was read are not the same for that."""
    bench.run.change = lambda result: replace(result, outcome=Outcome.CRASH, val_bpb=None, genome_sha256="")
    await _try(bench, "RATE = 1.75\n")
    assert bench.one.note(await _try(bench, "RATE = 1.625\n")) == ""


_HEAD = "diff --git a/train.py b/train.py\nindex 1..2 100644\n--- a/train.py\n+++ b/train.py\n"


def test_where_a_change_is_does_not_count() -> None:
    """Line numbers, blob ids and white space leave the identity alone; words, signs and files do not."""
    one = identity(f"{_HEAD}@@ -1 +1 @@\n-RATE = 1\n+RATE = 2\n")
    other_place = _HEAD.replace("1..2", "8..9") + "@@ -70 +81 @@ def f():\n-RATE = 1\n+  RATE =  2 \n"
    assert identity(other_place) == one != ""
    assert identity(f"{_HEAD}@@ -1 +1 @@\n-RATE = 1\n+RATE = 3\n") != one
    assert identity(f"{_HEAD}@@ -1 +1 @@\n+RATE = 1\n-RATE = 2\n") != one
    assert identity(f"{_HEAD}@@ -1 +1 @@\n-RATE = 1\n+RATE = 2\n".replace("train", "model")) != one


def test_a_diff_that_says_nothing_has_no_identity() -> None:
    """No change, and files that git takes for binary, cannot be told from each other, so nothing is said of them."""
    assert identity("") == identity("diff --git a/x b/x\nindex 1..2\nBinary files a/x and b/x differ\n") == ""


@given(st.text(max_size=200))
def test_any_diff_has_an_identity(diff: str) -> None:
    """Whatever an agent wrote into a file, there is an answer, and it is the same the next time."""
    assert identity(diff) == identity(diff)
    assert len(identity(diff)) in {0, 16}


def _record(number: int, **changes: Any) -> Experiment:
    facts = {
        "commit": "c",
        "message": "",
        "verdict": "discard",
        "reason": "",
        "val_bpb": 1.5,
        "delta": None,
        "best": 1.5,
    }
    times = dict.fromkeys(("submitted_at", "started_at", "ended_at"), 0.0)
    return Experiment.from_dict({"number": number, "parent": "p", **facts, **times, **changes})


def test_the_last_of_several_is_named() -> None:
    """Of several experiments with the same change, the last before this one is told; one without a name is of none."""
    records = [_record(number, change=change) for number, change in enumerate(["", "x", "x", "y", "", "x", "x"])]
    told = [note_on(one, records) for one in records]
    near = "nearly the same change as #{} (discard)"
    assert told == ["", "", near.format(1), "", "", near.format(2), near.format(5)]
