"""Inside the sandbox: runs `train.py` under the harness's clock and saves its weights.

A process of its own, forked by the runner. It reads a request, says that it is ready, waits for "go", and then writes
progress and one last record: done, crash, or fault, which is not the genome's. It scores nothing.
"""

import errno
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_model

from harness.batches import training_batches
from harness.clock import Budget, clock_kind, reader
from harness.corpus import Corpus, open_corpus
from harness.errors import ClearError
from harness.genome_file import GenomeError, load_genome
from harness.inside import begin, choose_device, describe, leave, report_crash, seed_everything
from harness.pipes import Channel
from harness.readable_paths import gpu_at_hand
from harness.sandbox import Confinement, Enforced, confine
from harness.settings import Preset
from harness.training import ModelSpec, TrainingRun


@dataclass(frozen=True)
class TrainRequest:
    """What the runner asks of this process.

    Attributes:
        genome: absolute path of the file to run, which hashes to `genome_sha256`.
        weights: absolute path to save the weights at.
        corpus: absolute path of the prepared corpus; only its training split is opened.
        compiled: absolute path of a directory that compilers may write to; empty: none.
        device: "cpu", "cuda" or "auto".
        budget_s: seconds to train for.
    """

    genome: str
    genome_sha256: str
    weights: str
    corpus: str
    device: str
    seed: int
    budget_s: float
    preset: Preset
    compiled: str = ""

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "TrainRequest":
        """Read it from what came over the pipe."""
        return cls(**{**message, "preset": Preset(**message["preset"])})


def enter_sandbox(request: TrainRequest) -> Enforced:
    """Confine this process, before it runs the genome and before it uses a GPU; raises as `confine`.

    The corpus is mapped already, and so needs no path to it.
    """
    gpu = request.device != "cpu" and gpu_at_hand()
    writable = (Path(request.weights).parent, *([Path(request.compiled)] if request.compiled else []))
    return confine(Confinement(writable=writable, readable=(Path(request.genome),), gpu=gpu))


def train(request: TrainRequest, corpus: Corpus, device: torch.device, channel: Channel) -> None:
    """Run the genome from top to bottom; raises what it raises. On return its last record is written."""
    seed_everything(request.seed)
    synchronise = partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
    kind = clock_kind(device.type)
    now = reader(kind, synchronise)
    budget = Budget(request.budget_s, request.preset, began=now())
    genome = load_genome(Path(request.genome), request.genome_sha256, needs=("build_model", "train"))
    spec = ModelSpec(request.preset.vocab_size, request.preset.sequence_len)
    run = TrainingRun(
        spec,
        device,
        request.seed,
        budget,
        now=now,
        open_batches=lambda rows: training_batches(corpus, rows, spec.sequence_len, device.type),
        report=lambda spent, steps: channel.send(kind="progress", spent_s=spent, steps=steps),
    )
    model = genome.build_model(spec)
    if not isinstance(model, torch.nn.Module):
        raise GenomeError(f"build_model returned a {type(model).__name__}, not a torch.nn.Module")
    model.to(device)
    genome.train(model, run)
    spent = budget.charge(now())
    if (late := budget.overrun(now())) > 0:
        raise GenomeError(
            f"training took {spent:.1f} s of a budget of {budget.seconds:.1f} s, {late:.1f} s more than is tolerated; "
            "train for as long as run.batches() gives batches, in shorter steps"
        )
    try:
        save_model(model, request.weights)
    except SafetensorError as error:
        if f"os error {errno.ENOSPC}" not in str(error):
            raise
        channel.send(kind="fault", reason=f"the disk is full: {request.weights} could not be saved")
        return
    channel.send(
        kind="done",
        spent_s=spent,
        steps=run.steps,
        tokens=run.tokens,
        clock=kind,
        device=describe(device),
        gpu_memory_bytes=torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0,
    )


def main(read_fd: int, write_fd: int) -> None:
    """Serve the one request."""
    channel = begin(read_fd, write_fd)
    message = channel.receive()
    if message is None:
        return
    request = TrainRequest.from_message(message)
    try:
        corpus = open_corpus(Path(request.corpus), splits=("train",))
        enforced = enter_sandbox(request)
        device = choose_device(request.device)
        if device.type == "cpu":
            torch.set_num_threads(1)  # see harness.run_environment
        else:
            torch.zeros(1, device=device)  # raises here, not in the genome, where there is no such device
    except (ClearError, OSError, RuntimeError, AssertionError) as error:  # torch raises the latter two without CUDA
        channel.send(kind="fault", reason=str(error))
        return
    channel.send(kind="ready", sandbox=enforced.to_json(), clock=clock_kind(device.type))
    if channel.receive() is None:
        return
    try:
        train(request, corpus, device, channel)
    except BaseException as error:  # noqa: BLE001 - whatever a genome raises, SystemExit too, is its crash
        report_crash(channel, error, Path(request.genome))
    leave()
