"""The processes of a run: how they are started, and all ended.

The trainer (`harness.child`) and the scorer (`harness.evaluate`), below which is the model's process
(`harness.model_host`); and the witness (`harness.machine`). What they say is not read here.
"""

import contextlib
import importlib
import math
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.child_process import ChildProcess
from harness.process_tree import adopting_orphans, children, end_descendants
from harness.run_environment import run_environment
from harness.run_log import RunLog
from harness.watch import Talk, Watch
from harness.witness import Witness


class RunProcesses:
    """What a run has started; made by `run_processes`."""

    def __init__(self, run_id: str, scratch: Path, log_fd: int, watch: Watch, stack: contextlib.ExitStack) -> None:
        self.watch: Final = watch
        self._run_id = run_id
        self._scratch = scratch
        self._log_fd = log_fd
        self._stack = stack
        self._spared = children()
        stack.callback(end_descendants, self._spared)

    def start_witness(self, budget_s: float) -> Witness:
        """Start what watches the machine, and hear it."""
        witness = Witness(budget_s, run_environment(os.environ, self._run_id, str(self._scratch)))
        self._stack.callback(witness.close)
        self._spared |= {witness.child.pid}
        self.watch.hear(witness.fd, witness.hear)
        return witness

    def end_witness(self, witness: Witness) -> None:
        """Hear it no more, and end it."""
        self.watch.unhear(witness.fd)
        witness.child.kill()

    def start_trainer(self, more: Mapping[str, str]) -> Talk:
        """Start the trainer, with some variables more than the others have; it waits for its request."""
        return self._talk("harness.child", "trainer", more)

    def start_scorer(self) -> Talk:
        """Start the scorer, which forks the model's process; the runner talks to the scorer alone."""
        scorer = self._talk("harness.evaluate", "scorer")
        self._spared |= {scorer.child.pid}
        return scorer

    def spared(self) -> frozenset[int]:
        """The children of this process that are not the trainer's."""
        return self._spared

    def end_trainer(self, trainer: Talk) -> None:
        """End what is left of the trainer: itself, and whatever it started."""
        trainer.child.kill()
        end_descendants(self._spared)

    def _talk(self, module: str, name: str, more: Mapping[str, str] = MappingProxyType({})) -> Talk:
        """Run a module's `main` in a child, and talk to it over a pair of pipes."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            their_read, write = os.pipe()
            theirs.callback(os.close, their_read)
            ours.callback(os.close, write)
            read, their_write = os.pipe()
            theirs.callback(os.close, their_write)
            ours.callback(os.close, read)
            environment = {**run_environment(os.environ, self._run_id, str(self._scratch)), **more}
            child = ChildProcess(
                partial(_enter, module, their_read, their_write),
                name,
                keep=(their_read, their_write),
                environment=environment,
                directory=self._scratch,
                log_fd=self._log_fd,
            )
            ours.callback(child.close)
            self._stack.push(ours.pop_all())
        return Talk(child, write, read)


def _enter(module: str, read_fd: int, write_fd: int) -> None:
    """By its name, because the runner itself does without torch; below a fork server it is there already."""
    importlib.import_module(module).main(read_fd, write_fd)


@contextlib.contextmanager
def run_processes(run_id: str, scratch: Path, log_path: Path, stop_fd: int | None) -> Iterator[RunProcesses]:
    """What is needed to start a run's processes; at the end all of them are dead, and the log is whole.

    Args:
        run_id: marks them in their environment.
        scratch: the directory that they may write to.
        log_path: where what they print goes.
        stop_fd: readable when the run must be aborted.

    Raises:
        OSError: the log cannot be written.
    """
    with contextlib.ExitStack() as stack:
        log = RunLog(log_path)
        stack.callback(log.close)
        log_read, log_write = _pipe(stack)
        watch = Watch(log, log_read, math.inf, stop_fd)
        stack.callback(watch.close)
        stack.callback(watch.drain)
        stack.enter_context(adopting_orphans())
        yield RunProcesses(run_id, scratch, log_write, watch, stack)


def _pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe's reading and writing end, closed with the stack."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    stack.callback(os.close, write)
    return read, write
