"""`replay` prints what would have been done over a recording, for a reader and for scripts, and clear errors."""

import json
from pathlib import Path

import pytest

from autoresearch_tui.cli import main
from sessions import store
from sessions.cast import Event, event_line, header_line

_RECORDING = str(Path(__file__).parents[1] / "recordings" / "codex-reprompt-100x30.cast")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of this test's own."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    return tmp_path


def test_one_object_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints a line for each change of state and each action, with exactly the five keys."""
    assert main(["replay", _RECORDING, "--agent", "codex", "--json"]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {tuple(step) for step in steps} == {("t", "state", "action", "rule", "evidence")}
    assert [step["action"] for step in steps if step["action"]] == ["brief", "nudge", "nudge", "nudge", "nudge"]
    assert [step["t"] for step in steps] == sorted(step["t"] for step in steps)
    assert all(isinstance(step["t"], float) for step in steps)


def test_a_table_for_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` the same is a table with a heading."""
    assert main(["replay", _RECORDING, "--agent", "codex"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["seconds", "state", "action", "rule", "evidence"]
    assert sum("nudge" in row.split() for row in rows) == 4


def test_the_size_can_be_another(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """`--size` holds from the beginning to the end, whatever sizes were recorded."""
    cast = home / "one.cast"
    events = [Event(0.1, "r", "80x24"), Event(0.2, "o", "\x1b[24;60HDo you want to proceed?")]
    cast.write_text(header_line((80, 24), 0) + "".join(map(event_line, events)))
    assert main(["replay", str(cast), "--agent", "generic", "--size", "120x40"]) == 0
    assert "the agent asks: Do you want" in capsys.readouterr().out
    assert main(["replay", str(cast), "--agent", "generic"]) == 0
    assert "Do you want" not in capsys.readouterr().out


def test_answers_are_given_only_where_they_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    """An approval calls the person; with `--answer-approvals` it is answered."""
    recording = _RECORDING.replace("reprompt", "approval")
    assert main(["replay", recording, "--agent", "codex", "--json"]) == 0
    assert {json.loads(line)["action"] for line in capsys.readouterr().out.splitlines()} == {
        "", "brief", "alert", "nudge"
    }  # fmt: skip
    assert main(["replay", recording, "--agent", "codex", "--json", "--answer-approvals"]) == 0
    assert "answer" in {json.loads(line)["action"] for line in capsys.readouterr().out.splitlines()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.cast", "--agent", "codex"], "nowhere.cast: cannot be read: No such file"),
        (["broken.cast", "--agent", "codex"], "broken.cast, line 1: no header of an asciinema cast"),
        (["torn.cast", "--agent", "codex"], "torn.cast, line 3: no event"),
        ([_RECORDING, "--agent", "frobnicate"], "no agent profile 'frobnicate'"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    words: list[str], says: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad file or agent exits with 1 and one line that says what is wrong."""
    monkeypatch.chdir(home)
    (home / "broken.cast").write_bytes(b"\x1b[31m\xff not a cast\n")
    (home / "torn.cast").write_text(header_line((80, 24), 0) + '[1, "o", "a"]\nrubbish\n[2, "o", "b"]\n')
    assert main(["replay", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("autoresearch-tui: ")
    assert says in error
    assert error.count("\n") == 1


def test_what_a_cast_says_is_cleaned(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Evidence from a hostile cast brings no escape sequence to the reader's terminal."""
    cast = home / "one.cast"
    events = [Event(0.1, "o", "\x1b]7501;state=blocked\x1b[31m\u202e:evil\x07"), Event(9.0, "o", "x")]
    cast.write_text(header_line((80, 24), 0) + "".join(map(event_line, events)))
    assert main(["replay", str(cast), "--agent", "codex"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed


@pytest.mark.parametrize("size", ["80", "0x0", "80x24x2", "99999x3"])
def test_a_bad_size_is_bad_usage(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A size that is none exits with 2."""
    with pytest.raises(SystemExit) as end:
        main(["replay", _RECORDING, "--agent", "codex", "--size", size])
    assert end.value.code == 2
    assert "--size" in capsys.readouterr().err
