"""The command line: errors in one line, exit codes, what is imported."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoresearch_tui.cli import main, parser
from harness.settings import RULE, Rule
from sessions import store
from sessions.begin import Plan
from sessions.spec import SessionSpec

VERBS = (
    "demo",
    "new",
    "ls",
    "attach",
    "nudge",
    "pause",
    "resume",
    "stop",
    "verify",
    "confirm",
    "replay",
    "try",
    "prepare",
    "doctor",
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of this test's own, short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="art-"))
    monkeypatch.setenv(store.HOME_VARIABLE, str(path))
    yield path
    shutil.rmtree(path)


def one_line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What stderr holds, which must be one line of ours."""
    error = capsys.readouterr().err
    assert error.startswith("autoresearch-tui: ")
    assert error.count("\n") == 1
    return error


def dead_session(tag: str = "nov23") -> store.SessionDir:
    """A session whose supervisor is gone."""
    return store.create_session(
        SessionSpec(
            session=tag,
            agent="generic",
            argv=["cat"],
            lab="/lab",
            branch=f"autoresearch/{tag}",
            base="0" * 40,
            corpus="/corpus",
            preset="embedded",
            budget_s=20.0,
        )
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`VERB --help` exits 0 and names the verb; the top help lists it."""
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"autoresearch-tui {verb}" in capsys.readouterr().out
    assert f"    {verb} " in parser().format_help()


@pytest.mark.parametrize(
    "words",
    [
        *(["frobnicate"], ["nudge"]),
        *(["new", "--budget", "0"], ["new", "--budget", "nan"], ["new", "--experiments", "-1"]),
        *(
            ["new", "--sigmas", "0"],
            ["new", "--sigmas", "nan"],
            ["new", "--replicates", "0"],
            ["new", "--retests", "-1"],
        ),
    ],
)
def test_bad_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What argparse refuses exits with 2 and says why on stderr."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ([], RULE),
        (["--sigmas", "3", "--replicates", "5", "--retests", "0"], replace(RULE, k=3, replicates=5, most_runs=1)),
    ],
)
def test_how_noise_is_weighed_is_asked_for(words: list[str], rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """`new` begins a session with the rule that was asked for, and with ours where nothing was."""
    plans: list[Plan] = []

    def begin(plan: Plan, say: object) -> store.SessionDir:
        plans.append(plan)
        return dead_session()

    monkeypatch.setattr("sessions.begin.begin", begin)
    assert main(["new", "--lab", "/lab", "--json", *words, "--", "cat"]) == 0
    assert [plan.rule for plan in plans] == [rule]


def test_a_session_from_before_the_noise_was_weighed() -> None:
    """A session.json that says nothing of noise gets the rule's own numbers."""
    session = dead_session()
    asked = json.loads(session.spec_file.read_text())
    for name in ("k", "replicates", "most_runs", "top_up_every"):
        del asked[name]
    session.spec_file.write_text(json.dumps(asked))
    assert session.spec().rule == RULE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["attach"], "no session"),
        (["attach", "nope"], "no session 'nope'"),
        (["nudge", "nope", "go on"], "no session 'nope'"),
        (["pause"], "no session"),
        (["try", "-m", "x"], "no session"),
        (["try"], "no session"),
        (["new"], "which agent?"),
        (["new", "--agent", "frobnicate", "--lab", "LAB"], "no agent profile 'frobnicate'"),
        (["new", "--lab", "LAB", "--", "no-such-agent"], "not on PATH"),
        (["new", "--preset", "reference", "--device", "cpu", "--lab", "LAB", "--", "sh"], "is for a CUDA device"),
        ([], "needs a terminal"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], says: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure exits with 1, says why in one line, and shows no traceback."""
    monkeypatch.chdir(home)
    assert main([str(home / "lab") if word == "LAB" else word for word in words]) == 1
    assert says in one_line_of(capsys)


def test_a_dead_session_says_how_to_bring_it_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A verb that needs the supervisor names the command that starts it."""
    dead_session()
    assert main(["nudge", "go on"]) == 1
    assert "autoresearch-tui resume nov23" in one_line_of(capsys)


def test_ls_lists_dead_sessions_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a supervisor a session is listed as dead; `--json` holds the same."""
    dead_session()
    assert main(["ls"]) == 0
    assert "dead" in capsys.readouterr().out
    assert main(["ls", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)
    assert (one["session"], one["phase"]) == ("nov23", "dead")


def test_ls_without_sessions_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is an invitation."""
    assert main(["ls"]) == 0
    assert "autoresearch-tui demo" in capsys.readouterr().out


def test_an_unforeseen_error_leaves_its_traceback_in_a_file(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours costs the person one line; the traceback is in the file that the line names."""

    def broken() -> list[store.SessionDir]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("autoresearch_tui.verbs.steer.session_dirs", broken)
    assert main(["ls"]) == 1
    assert str(home / "crash.log") in one_line_of(capsys)
    assert "ZeroDivisionError" in (home / "crash.log").read_text()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(unbuffered: str) -> None:
    """`autoresearch-tui ls | true` ends without a complaint, whether Python buffers its output or not."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "autoresearch_tui", "ls"],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_session_without_a_message_is_not_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """`nudge SESSION` asks for the text instead of typing the session's name to the agent."""
    dead_session()
    assert main(["nudge", "nov23"]) == 1
    assert "what should nov23 be told?" in one_line_of(capsys)


def test_words_behind_two_dashes_are_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """`stop -- TAG` means that session, as with any command line."""
    dead_session("night-1")
    dead_session("night-2")
    assert main(["stop", "--", "night-2"]) == 0
    assert "night-2" in capsys.readouterr().out
