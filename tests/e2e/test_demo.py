"""The product's main job, whole: the headless demo with a short budget, as a person would start it."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.ledger import TSV_HEADER, read_experiments
from sessions.store import HOME_VARIABLE

pytestmark = pytest.mark.timeout(600)  # on a crowded machine each run is made twice


@pytest.fixture(scope="module")
def night() -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    """One demo, from nothing: its state directory and what it printed."""
    home = Path(tempfile.mkdtemp(prefix="art-"))
    done = subprocess.run(
        [sys.executable, "-m", "autoresearch_tui", "demo", "--headless", "--budget", "2"],
        env={**os.environ, HOME_VARIABLE: str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=570,
    )
    yield home, done
    shutil.rmtree(home)


def session(home: Path) -> Path:
    return home / "sessions" / "demo"


def test_it_ends_well(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """It exits 0, which it does only when a change was kept and a nudge was needed, and prints a summary."""
    _home, done = night
    assert done.returncode == 0, done.stdout + done.stderr
    assert "best_val_bpb:" in done.stdout


def test_experiments_end_in_every_way(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Six experiments after the baseline, among them a keep, a discard and a crash, numbered without a gap."""
    home, _done = night
    records = read_experiments(session(home) / "experiments.jsonl").records
    assert [one.number for one in records] == list(range(7))
    assert {"keep", "discard", "crash"} <= {one.verdict for one in records[1:]}
    assert all(one.result["corpus"] == records[0].result["corpus"] for one in records if one.val_bpb is not None)


def test_results_tsv_is_the_ecosystems(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """results.tsv has the five columns in order, its statuses are the known three, and the worktree has the same."""
    home, _done = night
    text = (session(home) / "results.tsv").read_text()
    assert text.splitlines()[0] == TSV_HEADER
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    assert len(rows) == 7
    assert {row["status"] for row in rows} == {"keep", "discard", "crash"}
    assert all(row["val_bpb"] == "0.000000" for row in rows if row["status"] == "crash")
    assert (session(home) / "worktree" / "results.tsv").read_text() == text


def test_the_branch_holds_what_was_kept(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The branch's commits after the base are the kept experiments in order; every other one is under a ref."""
    home, _done = night
    records = read_experiments(session(home) / "experiments.jsonl").records
    spec = json.loads((session(home) / "session.json").read_text())

    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", "-C", spec["lab"], *words], capture_output=True, text=True, check=True)
        return done.stdout.split()

    kept = [one.commit for one in records[1:] if one.verdict == "keep"]
    assert git("rev-list", "--reverse", f"{spec['base']}..{spec['branch']}") == kept
    refs = git("for-each-ref", "--format=%(objectname)", "refs/autoresearch/demo")
    assert {one.commit for one in records[1:]} <= set(refs)


def test_nudges_answered_stops_and_nothing_else(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Every nudge was typed to a waiting agent while no experiment was in progress."""
    home, _done = night
    entries = [json.loads(line) for line in (session(home) / "journal.jsonl").read_text().splitlines()]
    nudges = [one for one in entries if one["kind"] == "nudge" and one["what"] != "brief"]
    assert nudges
    assert {one["state"] for one in nudges} == {"waiting"}
    records = read_experiments(session(home) / "experiments.jsonl").records
    for nudge in nudges:
        assert not any(one.started_at < nudge["at"] < one.ended_at for one in records)


def test_nothing_is_left_running(night: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """After the demo no process has its state directory in its command line, and the socket is gone."""
    home, _done = night
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(home).encode() not in process.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert not (session(home) / "sock").exists()
