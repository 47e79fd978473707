"""An agent CLI without a model: it works through a list of changes to train.py, for `autoresearch-tui demo`.

    python -m sessions.demo_agent [--pace SECONDS] [BRIEF]

An external program like any other agent: standard library only, nothing of this project but its own terminal, and
it knows of the supervisor what a real agent would, the command `autoresearch-tui try`. Like a real one it stops
after every experiment to ask whether it should go on, and asks for approval now and then. It is no judge of its
changes: what is kept, the answer to `try` says.
"""

import argparse
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.demo_terminal import InterruptedTurnError, QuitError, Terminal

_SCRIPT: Final = Path("train.py")
_COMMAND: Final = "autoresearch-tui"
_ASK_EVERY: Final = 3
_MAX_REFUSALS: Final = 2


@dataclass(frozen=True)
class Idea:
    """A change to one knob, relative to its present value.

    Attributes:
        knob: the name in `KNOB = value`.
        change: from the value to the source text that replaces it.
        message: why, with {knob}, {old} and {new}.
        handicapped: rather change the knob that a comment above it calls handicapped, if there is one.
    """

    knob: str
    change: Callable[[float], str]
    message: str
    handicapped: bool = False


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) >= 1 else f"{value:.4g}"


# A sure win where the baseline is handicapped, a mistake that crashes, a sure loss, and three that nobody can foretell.
IDEAS: Final = (
    Idea("MATRIX_LR", lambda v: _number(v * 8), "raise {knob} from {old} to {new}: it looks too low", handicapped=True),
    Idea("HEADS", lambda _: "WIDHT // 32", "let {knob} follow from the width: {new}"),
    Idea("BATCH_ROWS", lambda v: _number(max(1, v // 2)), "halve {knob} from {old} to {new}: twice the steps"),
    Idea("EMBED_LR", lambda v: _number(v / 20), "lower {knob} from {old} to {new}: calmer steps"),
    Idea("DEPTH", lambda v: _number(v + 1), "one more layer: {knob} from {old} to {new}"),
    Idea("EMBED_LR", lambda v: _number(v * 2), "raise {knob} from {old} to {new}: rare tokens see few steps"),
)

_VALUE: Final = r"[ \t]*=[ \t]*(?P<value>[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?)"
_HANDICAPPED: Final = re.compile(
    r"^#[^\n]*\bhandicapped\b[^\n]*\n(?P<knob>[A-Z_]+)" + _VALUE, re.MULTILINE | re.IGNORECASE
)


def apply(idea: Idea, source: str) -> tuple[str, str] | None:
    """The script with the idea in it, and the message; None where the knob is not there or would not change."""
    found = _HANDICAPPED.search(source) if idea.handicapped else None
    found = found or re.search(rf"^(?P<knob>{idea.knob}){_VALUE}", source, re.MULTILINE)
    if found is None or (new := idea.change(float(found["value"]))) == found["value"]:
        return None
    message = idea.message.format(knob=found["knob"], old=found["value"], new=new)
    return source[: found.start("value")] + new + source[found.end("value") :], message


def read_answer(output: str) -> dict[str, str]:
    """The `key: value` lines of the block that `try` printed; empty where there is none with a verdict."""
    _, _, block = f"\n{output}".partition("\n---\n")
    answer = dict(re.findall(r"^([a-z_]+):[ \t]+(.*)$", block, re.MULTILINE))
    return answer if "verdict" in answer else {}


class Agent:
    """The conversation: a prompt, one experiment, a question whether to go on."""

    def __init__(self, terminal: Terminal, pace: float) -> None:
        self._terminal = terminal
        self._pace = pace
        self._ideas = list(IDEAS)
        self._experiments = 0
        self._refusals = 0
        self._cut_off = False

    def run(self, brief: str | None) -> None:
        """Converse until the person leaves.

        Raises:
            QuitError: she does.
        """
        self._terminal.add("demo agent: no model, a list of changes to train.py")
        while True:
            prompt = brief or self._terminal.read_prompt()
            brief = None
            self._terminal.add("")
            self._terminal.add(f"› {prompt}")
            self._terminal.add("")
            self._terminal.busy(True)
            try:
                self._turn()
            except InterruptedTurnError:
                self._terminal.add("■ Interrupted. What should I do instead?")
            finally:
                self._terminal.busy(False)

    def _turn(self) -> None:
        self._terminal.sleep(self._pace)
        if self._cut_off:
            self._say("I was interrupted while an experiment ran. I will join it again.")
            output: str | None = self._call(["try", "--wait"])
            self._ideas.pop(0)
        else:
            prepared = self._edit()
            if prepared is None:
                return
            output = self._measure(*prepared)
        self._say(self._comment(output))

    def _measure(self, before: str, message: str) -> str | None:
        """Try the change that was written; what the command printed, or None if it was not allowed to run.

        A change that was not submitted, or refused, is taken back: `before` is train.py's text without it.
        """
        try:
            output = self._call(["try", "-m", message]) if self._may_run(message) else None
        except (InterruptedTurnError, QuitError):
            if not self._cut_off:
                _SCRIPT.write_text(before, encoding="utf-8")
            raise
        answered = output is not None and bool(read_answer(output))
        if not answered:
            _SCRIPT.write_text(before, encoding="utf-8")
            self._refusals += 1
        if answered or output is None or self._refusals >= _MAX_REFUSALS:
            self._ideas.pop(0)
            self._refusals = 0
        return output

    def _may_run(self, message: str) -> bool:
        if (self._experiments + 1) % _ASK_EVERY:
            return True
        return self._terminal.ask(shlex.join([_COMMAND, "try", "-m", message]))

    def _comment(self, output: str | None) -> str:
        if output is None:
            return "Then I leave that out and have put train.py back. Should I go on with the next idea?"
        answer = read_answer(output)
        if not answer:
            return "The command gave no verdict. Should I try again?"
        self._experiments += 1
        verdict, bpb, delta = (answer.get(key, "unknown") for key in ("verdict", "val_bpb", "delta"))
        comment = {
            "keep": f"That helped: val_bpb is {bpb} ({delta}), and the change is kept.",
            "discard": f"No gain: val_bpb is {bpb} ({delta}), and the change is undone.",
        }.get(verdict, f"It ended as {verdict}: {answer.get('reason')}. The change is undone.")
        return f"I ran one experiment. {comment} Should I keep going?"

    def _edit(self) -> tuple[str, str] | None:
        """Write the next idea into train.py; the text before and the message, or None if that was all."""
        try:
            source = _SCRIPT.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"I cannot read train.py here ({error}). What should I do?")
            return None
        while self._ideas:
            idea = self._ideas[0]
            applied = apply(idea, source)
            if applied is None:
                self._terminal.add(f"• train.py has no {idea.knob} that I could change; I skip that idea")
                self._ideas.pop(0)
                continue
            text, message = applied
            self._say(f"I will try this: {message}.")
            _SCRIPT.write_text(text, encoding="utf-8")
            self._terminal.add("• Edited train.py")
            return source, message
        self._say("That was my whole list of ideas. Tell me what to do next.")
        return None

    def _call(self, arguments: list[str]) -> str:
        """Run `autoresearch-tui` with its output in the transcript; everything that it printed."""
        command = [_COMMAND, *arguments]
        self._terminal.add(f"• Ran {shlex.join(command)}")
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            self._terminal.add(f"  └ {error}")
            return ""
        with child:
            try:
                output = self._read_all(child)
            except (InterruptedTurnError, QuitError):
                self._cut_off = True
                child.terminate()
                raise
        self._cut_off = False
        return output

    def _read_all(self, child: subprocess.Popen[bytes]) -> str:
        assert child.stdout is not None  # noqa: S101  (it was asked for, which the type does not say)
        output, shown = "", 0
        while True:
            if not self._terminal.pump(None, child.stdout.fileno()):
                continue
            data = os.read(child.stdout.fileno(), 65536)
            output += data.decode("utf-8", "replace")
            lines = output.split("\n")
            for line in lines[shown:-1]:
                self._terminal.add(f"  └ {line}")
            shown = len(lines) - 1
            if not data:
                return output

    def _say(self, text: str) -> None:
        """Say a sentence the way a model's words arrive."""
        words = text.split(" ")
        self._terminal.add(f"• {words[0]}")
        for word in words[1:]:
            self._terminal.sleep(self._pace / 20)
            self._terminal.extend(f" {word}")


def main() -> None:
    """Run in the current directory, on a terminal."""
    parser = argparse.ArgumentParser(prog="demo_agent", description="Works through a list of changes to train.py.")
    parser.add_argument("--pace", type=float, default=1.0, metavar="SECONDS", help="time to think about each step")
    parser.add_argument("brief", nargs="?", help="the first prompt")
    arguments = parser.parse_args()
    try:
        with Terminal() as terminal:
            Agent(terminal, arguments.pace).run(arguments.brief)
    except QuitError:
        return


if __name__ == "__main__":
    main()
