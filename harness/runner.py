"""Outside the sandbox: runs one genome to its end and says what came of it.

It keeps the wall deadline and the run's bounds, ends every process of the run, and believes no line of output: what the
trainer says only describes the run, and the scorer alone says what it is worth. All processes start at once, and the
clock begins when they are ready. It imports no torch, and judges nothing.

The process that calls `run` must have nothing else going on in other threads: every child process that it gets in the
meantime is taken to be the run's, and ended.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.child_process import describe_end
from harness.compile_cache import open_cache
from harness.findings import Findings
from harness.lease import lease
from harness.oversight import ExceededError, ScratchOversight, TrainingOversight
from harness.pipes import Message
from harness.process_tree import descendants
from harness.readable_paths import gpu_at_hand
from harness.result import WEIGHTS_FILE, Outcome, Phase, RunProgress, RunRequest, RunResult
from harness.run_processes import RunProcesses, run_processes
from harness.settings import PRESETS, ClockKind, Preset, misfit
from harness.taint import taints
from harness.text import one_line
from harness.visible_gpu import first_visible, lease_name
from harness.watch import DeadlineError, StoppedError, Talk

if TYPE_CHECKING:
    from harness.witness import Witness


_PROGRESS_EVERY_S: Final = 0.2
# Opening a cold GPU takes the driver a while; without its word a lease is by the GPU's number.
_FIRST_SAMPLE_S: Final = 10.0

OnRecord = Callable[[RunProgress], None]


def run(request: RunRequest, on_record: OnRecord, stop_fd: int | None = None) -> RunResult:
    """Train and score one genome. Whatever the genome does, this returns a result.

    What it printed is in `run.log` beside the scratch directory, its weights are in the scratch directory.

    Args:
        request: what to run.
        on_record: told where the run is, a few times a second.
        stop_fd: a descriptor; when it becomes readable the run is aborted.
    """
    return _Run(request, on_record).go(stop_fd)


class _EndedError(Exception):
    """The run is over before its score."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class _Run:
    """One run in progress, and what is known of it so far."""

    def __init__(self, request: RunRequest, on_record: OnRecord) -> None:
        self._started = time.monotonic()
        self._request = request
        self._on_record = on_record
        self._genome = Path(request.genome)
        self._scratch = Path(request.scratch)
        self._log = self._scratch.parent / "run.log"
        self._found = Findings(request)
        self._reported_at = -math.inf
        self._training: TrainingOversight | None = None
        self._witness: Witness | None = None
        at_hand = request.device != "cpu" and gpu_at_hand()
        self._gpu = first_visible(os.environ.get("CUDA_VISIBLE_DEVICES")) if at_hand else ""

    def go(self, stop_fd: int | None) -> RunResult:
        """Everything, from the checks to the record."""
        allowed_s = 0.0
        weights = Path(self._request.weights) if self._request.weights else None
        outcome, reason = Outcome.OK, ""
        try:
            preset = self._checked_preset()
            self._read_genome()
            self._found.settings(preset)
            allowed_s = preset.wall_factor * self._request.budget_s + preset.wall_grace_s
            with run_processes(self._request.run_id, self._scratch, self._log, stop_fd) as processes:
                if weights is None:
                    self._witness = processes.start_witness(self._request.budget_s)
                with self._turn(processes, stop_fd):
                    self._started = time.monotonic()
                    processes.watch.deadline = self._started + allowed_s
                    self._steps(processes, preset, weights)
        except _EndedError as end:
            outcome, reason = end.outcome, one_line(end.reason)
        except ExceededError as excess:
            outcome, reason = Outcome.CRASH, one_line(str(excess))
        except DeadlineError:
            outcome, reason = Outcome.TIMEOUT, f"killed at the wall deadline, {allowed_s:.0f} s after the start"
        except StoppedError:
            outcome, reason = Outcome.ABORTED, "stopped from outside"
        except OSError as error:  # the machine's doing: a full disk, no more processes
            outcome, reason = Outcome.ABORTED, one_line(f"the harness could not run it: {error}")
        return self._found.result(outcome, reason, time.monotonic() - self._started, self._log)

    def _checked_preset(self) -> Preset:
        request = self._request
        if request.preset not in PRESETS:
            raise _EndedError(Outcome.ABORTED, f"there is no preset {request.preset!r}")
        if reason := misfit(PRESETS[request.preset], request.device, gpu=gpu_at_hand()):
            raise _EndedError(Outcome.ABORTED, reason)
        if not (math.isfinite(request.budget_s) and request.budget_s > 0):
            raise _EndedError(
                Outcome.ABORTED, f"the budget must be a positive number of seconds, not {request.budget_s}"
            )
        if not self._scratch.is_dir():
            raise _EndedError(Outcome.ABORTED, f"there is no directory {self._scratch}")
        return PRESETS[request.preset]

    def _read_genome(self) -> None:
        try:
            source = self._genome.read_bytes()
        except OSError as error:
            raise _EndedError(Outcome.CRASH, f"{self._genome.name} cannot be read: {error.strerror}") from None
        self._found.genome(source)

    @contextlib.contextmanager
    def _turn(self, processes: RunProcesses, stop_fd: int | None) -> Iterator[None]:
        """Have the GPU to itself while this lasts, if it will use one; waits for its turn."""
        request = self._request
        if self._gpu and self._witness is not None:
            samples = self._witness.samples
            processes.watch.until(lambda: bool(samples), _FIRST_SAMPLE_S)
            if request.leases:
                name = lease_name(samples[-1].gpus if samples else [], self._gpu)
                told = partial(self._report, Phase.WAITING)
                with lease(Path(request.leases), name, request.run_id, stop_fd, on_wait=lambda _line: told()):
                    yield
                return
        yield

    def _look_after(self, processes: RunProcesses, scratch: ScratchOversight) -> None:
        """Have the run looked after while it is waited for."""

        def look() -> None:
            scratch.look(descendants(()))
            if self._training is not None:
                self._training.look()

        processes.watch.look = look

    def _steps(self, processes: RunProcesses, preset: Preset, weights: Path | None) -> None:
        """Train unless there are weights, then score; raises how the run ended if not with a score."""
        request = self._request
        self._report(Phase.STARTING)
        compiled = Path(request.compiled) if self._gpu and request.compiled and weights is None else None
        caches = open_cache(compiled, preset.scratch_bytes) if compiled else {}
        self._look_after(processes, ScratchOversight((self._scratch, *([compiled] if compiled else [])), preset))
        scorer = processes.start_scorer()
        scorer.send({"corpus": request.corpus, "preset": asdict(preset)})
        trainer = processes.start_trainer(caches) if weights is None else None
        if trainer is not None:
            trainer.send(
                {
                    "genome": request.genome,
                    "genome_sha256": self._found.genome_sha256,
                    "weights": str(self._scratch / WEIGHTS_FILE),
                    "corpus": request.corpus,
                    "device": request.device,
                    "seed": request.seed,
                    "budget_s": request.budget_s,
                    "preset": asdict(preset),
                    "compiled": str(compiled or ""),
                }
            )
        self._found.corpus(self._when_ready(processes, scorer))
        if trainer is not None:
            ready = self._when_ready(processes, trainer)
            self._found.confined(ready)
            clock: ClockKind = "wall" if ready.get("clock") == "wall" else "cpu"
            self._training = TrainingOversight(clock, request.budget_s, preset, processes.spared)
            self._train(processes, trainer, self._training)
        self._score(processes, scorer, weights or self._scratch / WEIGHTS_FILE)

    def _when_ready(self, processes: RunProcesses, talk: Talk) -> Message:
        for message in processes.watch.messages(talk):
            if message.get("kind") == "ready":
                return message
            if message.get("kind") == "fault":
                raise _EndedError(Outcome.ABORTED, str(message.get("reason")))
        talk.child.reap()
        raise _EndedError(
            Outcome.ABORTED, f"the harness did not start ({describe_end(talk.child.exit_code)}); {self._log} says why"
        )

    def _train(self, processes: RunProcesses, trainer: Talk, oversight: TrainingOversight) -> None:
        self._report(Phase.TRAINING)
        trainer.send({"kind": "go"})
        done, crash = False, ""
        try:
            for message in processes.watch.messages(trainer):
                match message.get("kind"):
                    case "progress":
                        self._found.trainer(message)
                        self._report(Phase.TRAINING, often=True)
                    case "done":
                        done = True
                        self._found.trainer(message)
                    case "crash":
                        crash = str(message.get("reason"))
                    case "fault":
                        raise _EndedError(Outcome.ABORTED, str(message.get("reason")))
        finally:
            self._training = None
            wall_s = oversight.wall_s
            processes.end_trainer(trainer)
            cpu_s = oversight.cpu_s()
            outside_s = wall_s if oversight.clock == "wall" else cpu_s
            self._found.outside(oversight.clock, outside_s, trainer.child.usage)
            if self._witness is not None:
                processes.end_witness(self._witness)
                gpu = self._gpu if oversight.clock == "wall" else ""
                seen = self._witness.report(started=self._started, began=oversight.began, gpu=gpu)
                self._found.machine(seen, taints(seen, clock=oversight.clock, wall_s=wall_s, cpu_s=cpu_s))
        if crash:
            raise _EndedError(Outcome.CRASH, crash)
        if not done or trainer.child.exit_code != 0:
            end = describe_end(trainer.child.exit_code)
            raise _EndedError(Outcome.CRASH, f"{self._genome.name} ended its process before it was done ({end})")
        oversight.compare(outside_s, self._found.training_s)

    def _score(self, processes: RunProcesses, scorer: Talk, weights: Path) -> None:
        self._report(Phase.EVALUATING)
        scorer.send(
            {
                "genome": self._request.genome,
                "genome_sha256": self._found.genome_sha256,
                "weights": str(weights),
                "device": self._request.device,
                "seed": self._request.seed,
                "probe_share": self._request.probe_share,
                "trained": self._found.trained,
            }
        )
        for message in processes.watch.messages(scorer):
            if message.get("kind") == "crash":
                raise _EndedError(Outcome.CRASH, str(message.get("reason")))
            if message.get("kind") == "rejected":
                raise _EndedError(Outcome.REJECTED, str(message.get("reason")))
            if message.get("kind") == "score":
                self._found.score(message)
                return
        scorer.child.reap()
        end = describe_end(scorer.child.exit_code)
        raise _EndedError(Outcome.ABORTED, f"the scorer failed ({end}); {self._log} says why")

    def _report(self, phase: Phase, often: bool = False) -> None:
        now = time.monotonic()
        if often and now - self._reported_at < _PROGRESS_EVERY_S:
            return
        # The first news of a phase must not be swallowed because the phase has just begun.
        self._reported_at = now if often else -math.inf
        found, request = self._found, self._request
        self._on_record(RunProgress(request.run_id, phase, found.training_s, request.budget_s, found.steps))
