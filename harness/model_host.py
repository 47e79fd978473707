"""Inside the sandbox: builds the model from the genome, loads the weights, and answers token rows with logits.

The scorer forks it before it has opened anything. It never sees a target, opens no corpus and computes no loss. Before
it runs any of the genome it confines itself to the genome, the weights, and a directory that no other model's process
can read.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors.torch import load_model

from harness import device_memory
from harness.child_process import show_name
from harness.genome_file import GenomeError, load_genome
from harness.inside import choose_device, leave, report_crash, seed_everything
from harness.logits_memory import ChunkShape, view
from harness.pipes import Channel
from harness.process_tree import die_with_parent
from harness.readable_paths import gpu_at_hand
from harness.sandbox import Confinement, Enforced, confine
from harness.text import one_line
from harness.training import ModelSpec

Array = np.ndarray[Any, Any]


def load(genome_file: Path, sha256: str, weights: Path, spec: ModelSpec, device: torch.device) -> torch.nn.Module:
    """The trained model, ready to be asked; raises what the genome raises."""
    if not weights.is_file():
        raise GenomeError("no weights were saved")
    genome = load_genome(genome_file, sha256, needs=("build_model",))
    model = genome.build_model(spec)
    if not isinstance(model, torch.nn.Module):
        raise GenomeError(f"build_model returned a {type(model).__name__}, not a torch.nn.Module")
    load_model(model, weights)
    return model.to(device).eval()


def enter_sandbox(genome: Path, weights: Path, device: str) -> Enforced:
    """Confine this process, before it runs the genome and before it uses a GPU; raises as `confine`."""
    home = Path(tempfile.mkdtemp(prefix="model-"))  # in the run's scratch; what else is there it cannot read
    gpu = device != "cpu" and gpu_at_hand()
    return confine(Confinement(writable=(home,), readable=(genome, weights), gpu=gpu, apart=True))


def answer(model: torch.nn.Module, tokens: Array, logits: torch.Tensor, device: torch.device) -> None:
    """Ask the model for the logits of `tokens` (N, T) and put them into `logits` (N, T, V); no gradients are kept.

    Raises:
        GenomeError: they are of another shape, or no numbers.
        BaseException: what the model raises.
    """
    with torch.no_grad():
        output = model(torch.from_numpy(tokens.copy()).to(device))
    if not isinstance(output, torch.Tensor) or output.shape != logits.shape:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise GenomeError(
            f"the model answered {shape} to tokens {tokens.shape}; it must answer logits {tuple(logits.shape)}"
        )
    if not output.dtype.is_floating_point:
        raise GenomeError(f"the model answered logits of type {output.dtype}; they must be floating point numbers")
    logits.copy_(output)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # the scorer reads as soon as it is told


def device_logits(offer: dict[str, Any] | None, shape: ChunkShape) -> torch.Tensor | None:
    """The memory on the GPU that the scorer offers; None where it offers none, or the driver does not allow it."""
    if offer is None:
        return None
    try:
        return device_memory.opened(device_memory.DeviceHandle.from_dict(offer), shape)
    except (RuntimeError, AssertionError) as error:  # torch raises the latter without CUDA
        print(f"logits go through the machine's memory: {one_line(str(error))}")  # noqa: T201 - to the run's log
        return None


def serve(channel: Channel, memory_fd: int, message: dict[str, Any]) -> None:
    """Load what the first message names, then answer every further one until the scorer hangs up."""
    shape = ChunkShape(**message["shape"])
    spec = ModelSpec(shape.vocab_size, shape.sequence_len)
    genome, sha256, weights = Path(message["genome"]), message["genome_sha256"], Path(message["weights"])
    tokens, in_memory = view(memory_fd, shape)
    try:
        channel.send(kind="confined", sandbox=enter_sandbox(genome, weights, message["device"]).to_json())
        device = choose_device(message["device"])
        seed_everything(message["seed"])
        model = load(genome, sha256, weights, spec, device)
        seed_everything(message["answer_seed"])  # another in each process: a model that is random gives itself away
        on_device = device_logits(message["device_logits"], shape)
        logits = torch.from_numpy(in_memory) if on_device is None else on_device
        params = sum(p.numel() for p in model.parameters())
        channel.send(kind="loaded", params=params, on_device=on_device is not None)
        while (chunk := channel.receive()) is not None:
            count = chunk["rows"]
            answer(model, tokens[:count], logits[:count], device)
            channel.send(kind="answered")
    except BaseException as error:  # noqa: BLE001 - whatever a genome raises, SystemExit too, is its crash
        report_crash(channel, error, genome)


def run(read_fd: int, write_fd: int, memory_fd: int) -> NoReturn:
    """Be the model's process, in a child that was just forked: serve the one scorer, and end."""
    die_with_parent()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a path of each would open one more
        if (fd := int(name)) > 2 and fd not in {read_fd, write_fd, memory_fd}:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(fd)  # above all the scorer's own pipe, on which it says the score
    os.setsid()
    show_name("model")
    channel = Channel(read_fd, write_fd)
    try:
        if (message := channel.receive()) is not None:
            serve(channel, memory_fd, message)
    finally:
        leave()
