"""What importing costs: heavy packages are loaded where they are used, and only there.

import-linter holds who may name a package; this holds when it is loaded, in a fresh interpreter.
"""

import pkgutil
import subprocess
import sys

import pytest

import sessions

HEAVY = frozenset(
    {"git", "kernels", "numpy", "pexpect", "pyarrow", "pyghostty", "rustbpe", "textual", "tiktoken", "torch"}
)
DRAWING = frozenset({"rich", "textual"})
TRAINING = frozenset({"kernels", "pyarrow", "rustbpe", "tiktoken", "torch"})


def loaded(*modules: str) -> set[str]:
    """The top-level names in a fresh interpreter after it imported `modules`."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *modules], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_command_line_is_light() -> None:
    """`autoresearch_tui.cli`, which `ls` and `try` pay for every time, loads nothing heavy."""
    assert not loaded("autoresearch_tui.cli") & HEAVY


def test_the_supervisor_trains_and_draws_nothing() -> None:
    """A supervisor, of which there is one a session all night, loads neither torch nor Textual."""
    assert not loaded("sessions.supervisor") & (TRAINING | DRAWING)


def test_no_session_module_trains_or_draws() -> None:
    """No module of `sessions`, whichever is imported, loads torch or Textual."""
    everything = [one.name for one in pkgutil.walk_packages(sessions.__path__, "sessions.")]
    assert len(everything) > 10
    assert not loaded(*everything) & (TRAINING | DRAWING)


@pytest.mark.parametrize("module", ["harness", "harness.ledger", "harness.result", "harness.text", "harness.verdict"])
def test_the_words_of_the_harness_are_light(module: str) -> None:
    """The records and the judgement that every room shares load nothing heavy."""
    assert not loaded(module) & HEAVY


def test_the_sampler_is_light() -> None:
    """The sampler runs all night beside a training run: nothing heavy, and no NVML until it is asked for a sample."""
    assert not loaded("harness.machine") & (HEAVY | {"pynvml"})


def test_the_runner_stays_outside() -> None:
    """The runner starts the process that trains and does not train: no torch in it."""
    assert not loaded("harness.runner") & (TRAINING | DRAWING)


def test_this_can_fail() -> None:
    """What is loaded is seen: Textual's own import shows Textual."""
    assert {"textual", "rich"} <= loaded("textual")
