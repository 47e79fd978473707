"""What the README tells a person to type does exist, and does what it says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch_tui.cli import parser
from harness.result import Experiment
from sessions.store import HOME_VARIABLE
from sessions.wording import answer_block

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
OURS = [one for one in COMMANDS if "autoresearch-tui" in one.split()[0]]


def test_it_has_commands() -> None:
    """The README's shell blocks were found, and begin with the two commands."""
    assert COMMANDS[:2] == ["make demo", "make test"]
    assert len(OURS) >= 6


@pytest.mark.parametrize("command", OURS)
def test_each_of_our_commands_is_understood(command: str) -> None:
    """The command line takes every example as it stands."""
    words = shlex.split(command)[1:]
    arguments = parser().parse_args(words[: words.index("--")] if "--" in words else words)
    assert callable(arguments.run)


@pytest.mark.parametrize("target", [one.split()[1] for one in COMMANDS if one.startswith("make ")])
def test_each_make_target_exists(target: str) -> None:
    """`make -n` knows every target that is named."""
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_lines_without_make_are_makes() -> None:
    """The README's pip lines are those that make runs."""
    lines = [one for one in COMMANDS if one.startswith((".venv/bin/pip", "python3 -m venv"))]
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin").replace("$(PYTHON)", "python3")
    assert len(lines) == 3
    for line in lines:
        assert line in makefile.replace(" --quiet", "")


@pytest.mark.parametrize("command", ["autoresearch-tui ls --json", "autoresearch-tui doctor"])
def test_the_harmless_ones_run(command: str, tmp_path: Path) -> None:
    """Commands that start nothing run as written, from the installed script, and print something."""
    assert command in COMMANDS
    words = command.split()
    done = subprocess.run(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        env={**os.environ, HOME_VARIABLE: str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


def test_the_answer_shown_is_the_answer_given() -> None:
    """The block that the README shows has the keys, in order, of what `try` prints."""
    measured = {"sigma": 0.004, "confidence": 0.999}
    experiment = Experiment(3, "9fe2c10", "a", "m", "keep", "r", 1.0, -0.1, 1.0, 0.0, 0.0, 0.0, **measured)
    given = [line.split(":")[0] for line in answer_block(experiment).splitlines()]
    [shown] = re.findall(r"^```\n(---\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert [line.split(":")[0] for line in shown.splitlines()] == given
