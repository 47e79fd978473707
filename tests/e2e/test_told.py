"""What the agent is told, end to end: by the person's own prompts, and of what it tried before."""

import subprocess
import sys
from pathlib import Path

import pytest

from sessions.store import find_session, session_dirs
from tests.e2e.following import until

pytestmark = pytest.mark.timeout(120)

# It says what it is told, and never starts an experiment.
ECHO = "print('ready', flush=True)\nwhile True:\n    print('heard', input(), flush=True)\n"


def _ours(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autoresearch_tui", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _new(home: Path) -> subprocess.CompletedProcess[str]:
    words = ("new", "--detach", "--tag", "t", "--lab", str(home / "lab"), "--idle-nudges", "1")
    return _ours(*words, "--", sys.executable, "-c", ECHO)


def _write_prompts(home: Path, text: str) -> None:
    (home / "config").mkdir()
    (home / "config" / "prompts.toml").write_text(text)


def test_a_mistaken_prompt_is_said_before_anything_begins(home: Path) -> None:
    """With a mistake in the person's prompts.toml a session does not begin; one line says what is wrong with it."""
    _write_prompts(home, 'nudge = "go on, {bset}"')
    done = _new(home)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "prompts.toml: nudge: {bset} is no placeholder" in done.stderr
    assert session_dirs() == []


def test_the_persons_words_reach_the_agent(home: Path) -> None:
    """A nudge is typed as her prompts.toml words it."""
    _write_prompts(home, 'nudge = "on with {next}, in {genome}"')
    assert _new(home).returncode == 0
    status = until(find_session("t"), lambda one: one["nudges"] == 1)
    assert status["last_nudge"] == "on with 1, in train.py"


def test_the_same_try_twice(home: Path) -> None:
    """`try` refuses what was tried, runs it with --again, and says of which experiment it is the same."""
    assert _new(home).returncode == 0
    genome = find_session("t").worktree / "train.py"
    text = genome.read_text() + "# changed\n"
    until(find_session("t"), lambda one: one["queued"] == 0 and one["running"] is None and one["total"] == 0)
    answers = []
    for words in ((), (), ("--again",)):
        genome.write_text(text)
        answers.append(_ours("try", "--session", "t", "-m", "a change", *words))
    first, refused, again = answers
    assert (first.returncode, refused.returncode, again.returncode) == (0, 1, 0)
    assert "note" not in first.stdout
    assert "this is experiment 1 again, to the letter (crash, gave no val_bpb)" in refused.stderr
    said = "the same as #1 (crash), run again"
    assert f"note: {said}\n" in again.stdout
    assert f"\nnote:             {said}\n" in again.stdout
