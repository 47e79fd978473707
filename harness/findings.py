"""What is known of one run so far, and the record that it becomes. It asks nobody and judges nothing.

The genome lives in the trainer's process: of what comes from there, forms are checked and text is cleaned.
"""

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.genome_file import lines_of, sha256_of
from harness.machine_report import MachineReport
from harness.pipes import Message
from harness.result import Outcome, RecordError, RunRequest, RunResult
from harness.sandbox import Enforced, in_common
from harness.settings import ClockKind, Preset
from harness.text import one_line

if TYPE_CHECKING:
    import resource


class Findings:
    """See the module.

    Attributes:
        genome_sha256: of the file that runs.
        training_s: seconds that the trainer says it has spent on the clock.
        steps: that it says it has made.
    """

    def __init__(self, request: RunRequest) -> None:
        self.genome_sha256 = ""
        self.training_s = 0.0
        self.steps = 0
        self._request = request
        self._known: dict[str, Any] = {}  # further fields of the result
        self._enforced: list[Enforced] = []  # by each process that runs the genome, said before it does
        self._torch_bytes = 0.0
        self._driver_bytes = 0
        self._resident_kib = 0

    def settings(self, preset: Preset) -> None:
        """What it is measured with."""
        self._known |= {"settings": asdict(preset), "budget_s": self._request.budget_s}

    def genome(self, source: bytes) -> None:
        """The file that runs."""
        self.genome_sha256 = sha256_of(source)
        self._known["genome_lines"] = lines_of(source)

    def corpus(self, message: Message) -> None:
        """What the scorer says when it is ready."""
        self._known["corpus"] = str(message.get("corpus", ""))

    def confined(self, message: Message) -> None:
        """What a process, or several, were confined to."""
        try:
            self._enforced.append(Enforced.from_json(str(message.get("sandbox"))))
        except RecordError:
            self._enforced.append(Enforced(missing={"anything": "it was not said"}))

    def trainer(self, message: Message) -> None:
        """What the trainer says of itself, while it trains or at the end."""
        self.training_s = _number(message.get("spent_s"))
        self.steps = int(_number(message.get("steps")))
        self._known["tokens"] = int(_number(message.get("tokens")))
        self._known["device"] = one_line(str(message.get("device", "")), 100)
        self._torch_bytes = _number(message.get("gpu_memory_bytes"))

    def outside(self, clock: ClockKind, seconds: float, usage: "resource.struct_rusage | None") -> None:
        """What the runner saw of training: the clock, seconds on it, and what the kernel counted."""
        self._known |= {"outside_s": seconds, "clock": clock}
        if usage is not None:
            self._resident_kib = usage.ru_maxrss

    def machine(self, seen: MachineReport, taints: list[str]) -> None:
        """What the machine did meanwhile, and what that says of the number."""
        self._known |= {"machine": asdict(seen), "taints": taints}
        self._driver_bytes = seen.memory_peak or 0

    @property
    def trained(self) -> tuple[int, float]:
        """Tokens that training was given, by the trainer's word, and the seconds that it took; zeros: none was made."""
        return int(self._known.get("tokens", 0)), float(self._known.get("outside_s", 0.0))

    def score(self, message: Message) -> None:
        """What the scorer found."""
        self.confined(message)
        self._known |= {
            "val_bpb": float(message["val_bpb"]),
            "params": int(message["params"]),
            "probes": int(message["probes"]),
            "compressed_bpb": float(message["compressed_bpb"]),
            "alarm": str(message["alarm"]),
            "evaluation_s": float(message["evaluation_s"]),
        }

    def result(self, outcome: Outcome, reason: str, total_s: float, log: Path) -> RunResult:
        """The record."""
        on_gpu = self._driver_bytes or self._torch_bytes
        return RunResult(
            run_id=self._request.run_id,
            commit=self._request.commit,
            outcome=outcome,
            reason=reason,
            memory_gb=on_gpu / 2**30 or self._resident_kib / 2**20,  # Linux counts the latter in KiB
            training_s=self.training_s,
            total_s=total_s,
            steps=self.steps,
            preset=self._request.preset,
            seed=self._request.seed,
            genome_sha256=self.genome_sha256,
            sandbox=in_common(self._enforced).describe(),
            log=str(log),
            versions={"harness": __version__, "torch": version("torch"), "python": platform.python_version()},
            **self._known,
        )


def _number(value: object) -> float:
    """A finite number that is not negative, whatever came."""
    if isinstance(value, int | float) and abs(value) < 1e18:  # false for NaN, too
        return max(0.0, float(value))
    return 0.0
