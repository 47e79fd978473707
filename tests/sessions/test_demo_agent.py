"""The demo agent, an external program on a real pseudo-terminal, with a stand-in for `autoresearch-tui`."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sessions.demo_agent import IDEAS, apply, read_answer
from sessions.detector import Detection, View, detect
from sessions.profiles import load_profile
from sessions.screen import Screen
from sessions.seed import KNOB, genome_template, handicapped
from sessions.states import AgentState

_SCRIPT = """\
# knobs
DEPTH = 2
BATCH_ROWS = 8  # rows a step
MATRIX_LR = 2e-3  # of the blocks
EMBED_LR = 0.3
HEADS = 2
"""

# It writes down how it was called, waits until it is let go on, and answers with what the test laid out.
_STAND_IN = """\
#!/bin/sh
for argument in "$@"; do printf '%s\\n' "$argument"; done > called
cp train.py tried.py
cat gate > /dev/null
cat answer
exit "$(cat code 2>/dev/null || echo 0)"
"""
_PATIENCE_S = 20.0


def _answer(verdict: str, **more: str) -> str:
    rows = {
        "experiment": "1",
        "verdict": verdict,
        "val_bpb": "1.512345",
        "delta": "-0.010000",
        "reason": "said so",
        **more,
    }
    return "waiting for #1\n---\n" + "".join(f"{key + ':':<18}{value}\n" for key, value in rows.items())


class _Watched:
    """The agent behind a terminal, read the way the supervisor reads it."""

    def __init__(self, folder: Path, child: Any) -> None:
        self.folder = folder
        self.child = child
        self.screen = Screen(100, 30, on_reply=child.send)
        self.profile = load_profile("demo", folder)
        self.detection: Detection | None = None

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.screen.text()))

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until the condition holds."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            with suppress(pexpect.TIMEOUT):
                self.screen.feed(self.child.read_nonblocking(65536, timeout=0.02))
            now = time.monotonic()
            view = View(self.screen.text(), self.screen.title, self.screen.osc7501, changed_at=now)
            self.detection = detect(self.profile, view, self.detection, now)
            if condition():
                return
            assert time.monotonic() < deadline, "\n".join(self.screen.text())

    def until_state(self, state: AgentState) -> None:
        self.until(lambda: self.detection is not None and self.detection.state is state)

    def until_shown(self, text: str) -> None:
        self.until(lambda: text in self.text)

    def submit(self, text: str) -> None:
        """Once it waits: paste and press Enter."""
        self.until_state(AgentState.WAITING)
        self.child.send(f"\x1b[200~{text}\x1b[201~")
        self.until_shown(text.splitlines()[-1])
        self.child.send("\r")

    def answer_try(self, answer: str) -> None:
        """Let the call of `autoresearch-tui` that is in progress, or comes next, end with this."""
        (self.folder / "answer").write_text(answer)
        # Opening a FIFO waits for its reader, which must not keep this side from reading the terminal.
        while True:
            try:
                os.close(os.open(self.folder / "gate", os.O_WRONLY | os.O_NONBLOCK))
                return
            except OSError:
                self.until(lambda: True)

    @property
    def script(self) -> str:
        return (self.folder / "train.py").read_text()

    @property
    def called(self) -> list[str]:
        return (self.folder / "called").read_text().splitlines()

    def run_one(self, prompt: str, answer: str) -> None:
        """One turn, from the prompt to the stop, with an approval if there is one."""
        (self.folder / "called").unlink(missing_ok=True)
        self.submit(prompt)
        self.until(lambda: (self.folder / "called").exists() or self.detection.state is AgentState.ASKING)  # type: ignore[union-attr]
        if self.detection is not None and self.detection.state is AgentState.ASKING:
            self.child.send(self.detection.answer or "")
        self.until_state(AgentState.WORKING)
        self.answer_try(answer)
        self.until_state(AgentState.WAITING)


@contextmanager
def _agent(folder: Path, *arguments: str, script: str = _SCRIPT) -> Iterator[_Watched]:
    command = folder / "bin" / "autoresearch-tui"
    command.parent.mkdir()
    command.write_text(_STAND_IN)
    command.chmod(0o755)
    (folder / "train.py").write_text(script)
    os.mkfifo(folder / "gate")
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    environment: Any = {**os.environ, "PATH": path, "TERM": "xterm-256color"}
    child = pexpect.spawn(
        sys.executable,
        ["-I", "-m", "sessions.demo_agent", "--pace", "0", *arguments],
        cwd=str(folder),
        env=environment,
        dimensions=(30, 100),
    )
    watched = _Watched(folder, child)
    try:
        yield watched
    finally:
        watched.screen.close()
        child.close(force=True)


def test_it_stops_after_every_experiment(tmp_path: Path) -> None:
    """A prompt makes one experiment: an edit, the call, a word on the verdict, and the question whether to go on."""
    with _agent(tmp_path) as agent:
        agent.until_state(AgentState.WAITING)
        assert agent.screen.bracketed_paste
        agent.run_one("Read program.md.\nThen start.", _answer("keep"))
        assert agent.called[:2] == ["try", "-m"]
        assert "MATRIX_LR from 2e-3 to 0.016" in agent.called[2]
        assert "MATRIX_LR = 0.016  # of the blocks\n" in agent.script
        assert "val_bpb is 1.512345 (-0.010000)" in agent.text
        assert "Should I keep going?" in agent.text


def test_it_works_until_the_command_answers(tmp_path: Path) -> None:
    """While the command runs, the agent is seen to work, and its composer takes text for the next turn."""
    with _agent(tmp_path, "the brief as an argument") as agent:
        agent.until((tmp_path / "called").exists)
        agent.until_state(AgentState.WORKING)
        agent.until_shown("esc to interrupt")
        (tmp_path / "called").unlink()
        agent.child.send("go on after this\r")
        agent.answer_try(_answer("discard"))
        agent.until((tmp_path / "called").exists)
        assert "› go on after this" in agent.text


def test_every_third_experiment_needs_approval(tmp_path: Path) -> None:
    """Before its third experiment it asks, waits for y or n, and after n puts the file back and runs nothing."""
    with _agent(tmp_path) as agent:
        for _ in range(2):
            agent.run_one("go on", _answer("discard"))
            (tmp_path / "train.py").write_text(_SCRIPT)  # as a discard does
        (tmp_path / "called").unlink()
        agent.submit("go on")
        agent.until_state(AgentState.ASKING)
        assert "BATCH_ROWS = 4 " in agent.script
        agent.child.send("x\r")
        agent.until(lambda: True)
        agent.child.send("n")
        agent.until_state(AgentState.WAITING)
        assert agent.script == _SCRIPT
        assert not (tmp_path / "called").exists()


def test_the_whole_list_holds_a_win_a_loss_and_a_crash(tmp_path: Path) -> None:
    """Its ideas are worked through in order, each on top of what was kept; at the end it says so and waits."""
    with _agent(tmp_path) as agent:
        for number, _ in enumerate(IDEAS, 1):
            before = agent.script
            agent.run_one(f"prompt {number}", _answer("keep" if number == 1 else "crash"))
            assert (tmp_path / "tried.py").read_text() != before
            if number == 2:
                with pytest.raises(NameError):
                    exec((tmp_path / "tried.py").read_text(), {})  # noqa: S102  (its own made-up script)
            if number > 1:
                (tmp_path / "train.py").write_text(before)
        agent.submit("and now?")
        agent.until_shown("my whole list")
        agent.until_state(AgentState.WAITING)
        assert "MATRIX_LR = 0.016" in agent.script


def test_esc_cuts_the_call_off_and_the_next_turn_joins_it_again(tmp_path: Path) -> None:
    """Esc ends the turn but not the experiment: the file stays as submitted, and the next turn waits for the answer."""
    with _agent(tmp_path, "start") as agent:
        agent.until((tmp_path / "called").exists)
        agent.until_shown("Working")
        agent.child.send("\x1b")
        agent.until_state(AgentState.WAITING)
        assert "MATRIX_LR = 0.016" in agent.script
        agent.run_one("what happened?", _answer("keep"))
        assert agent.called == ["try", "--wait"]
        assert "That helped" in agent.text


def test_a_refusal_takes_the_change_back(tmp_path: Path) -> None:
    """When the command gives no verdict the change is taken back, shown, and tried once more before it is given up."""
    with _agent(tmp_path) as agent:
        for _ in range(2):
            agent.run_one("go", "error: an experiment is running\n")
            assert "MATRIX_LR from" in agent.called[2]
            assert agent.script == _SCRIPT
            assert "an experiment is running" in agent.text
        agent.run_one("go", _answer("discard"))
        assert "HEADS" in agent.called[2]


def test_missing_knobs_are_skipped_and_said(tmp_path: Path) -> None:
    """A knob that train.py lacks costs the idea, not the agent."""
    with _agent(tmp_path, "start", script="DEPTH = 2\n") as agent:
        agent.until((tmp_path / "called").exists)
        assert "no MATRIX_LR" in agent.text
        assert agent.script == "DEPTH = 3\n"


def test_it_draws_itself_anew_when_the_terminal_changes_its_size(tmp_path: Path) -> None:
    """After a resize the composer stands on the last row but one of the new size."""
    with _agent(tmp_path) as agent:
        agent.until_state(AgentState.WAITING)
        agent.screen.resize(80, 24)
        agent.child.setwinsize(24, 80)
        agent.until(lambda: agent.screen.text()[22].startswith("›") and "ctrl-c" in agent.screen.text()[23])


@pytest.mark.parametrize("keys", ["\x04", "\x03\x03"])
def test_ctrl_d_and_ctrl_c_twice_quit(keys: str, tmp_path: Path) -> None:
    """Ctrl-d, and ctrl-c pressed twice, end it well and leave bracketed paste off."""
    with _agent(tmp_path) as agent:
        agent.until_state(AgentState.WAITING)
        agent.child.send(keys)
        agent.screen.feed(agent.child.read())
        agent.child.wait()
        assert agent.child.exitstatus == 0
        assert not agent.screen.bracketed_paste


def test_an_edit_changes_one_number_and_keeps_the_comment() -> None:
    """Every idea changes exactly one line, keeps its comment, and finds nothing in a file without knobs."""
    for idea in IDEAS:
        applied = apply(idea, _SCRIPT)
        assert applied is not None
        text, message = applied
        changed = [(a, b) for a, b in zip(_SCRIPT.splitlines(), text.splitlines(), strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0][0].partition("#")[2] == changed[0][1].partition("#")[2]
        assert "{" not in message
        assert apply(idea, "# nothing here\n") is None


def test_every_idea_applies_to_the_demos_lab() -> None:
    """The template, handicapped, has every knob that is to be changed; the first idea takes most of it back."""
    template = (genome_template() / "train.py").read_text(encoding="utf-8")
    weakened, _ = handicapped(template)
    for idea in IDEAS:
        assert apply(idea, weakened) is not None
    mended = apply(IDEAS[0], weakened)
    assert mended is not None
    rates = [
        float(re.findall(rf"^{KNOB} = ([\d.]+)", text, re.MULTILINE)[0]) for text in (weakened, mended[0], template)
    ]
    assert rates[0] < rates[2] / 5 < rates[1] <= rates[2]


def test_the_first_idea_is_to_mend_what_is_called_handicapped() -> None:
    """A comment that calls the knob below it handicapped draws the first idea to that knob."""
    script = _SCRIPT + "# Handicapped for the demo: ten times too low.\nHEAD_LR = 0.001  # of the head\n"
    applied = apply(IDEAS[0], script)
    assert applied is not None
    assert applied[0] == script.replace("0.001", "0.008")
    assert "HEAD_LR from 0.001 to 0.008" in applied[1]


def test_an_answer_is_read_from_its_block_only() -> None:
    """Keys before the block, and lines of a log behind a bar, are not taken for the verdict."""
    assert read_answer("verdict: keep\n") == {}
    output = "verdict: keep\n---\nverdict:          crash\nlog:              one line\n    | ---\n    | verdict: keep\n"
    assert read_answer(output)["verdict"] == "crash"
