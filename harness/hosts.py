"""The model's processes, as the scorer sees them: forked with nothing to know, asked for logits, never believed.

They run genome code (`harness.model_host`). Nothing here knows what is asked, or what the answers are worth.
"""

import os
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch

from harness import device_memory, model_host
from harness.logits_memory import ChunkShape, create, view
from harness.pipes import Channel
from harness.result import RecordError
from harness.sandbox import Enforced
from harness.score import ScoreError

Array = np.ndarray[Any, Any]
_CPU: Final = torch.device("cpu")


class Host:
    """One process that holds the model.

    Attributes:
        enforced: what it is confined to, which it says before it runs the genome; nothing until then.
    """

    def __init__(self, channel: Channel, memory_fd: int, shape: ChunkShape) -> None:
        self._channel = channel
        self._shape = shape
        self._tokens, self._logits = view(memory_fd, shape)
        self._device = _CPU
        self._device_logits: torch.Tensor | None = None
        self.enforced = Enforced()

    def load(self, message: dict[str, Any], device: torch.device = _CPU) -> None:
        """Tell it to load a model; `loaded` waits for it.

        Args:
            message: what `harness.model_host.serve` reads.
            device: where its logits are wanted. On a GPU they stay there if the driver lets two processes share memory.
        """
        self._device = device
        offer = self._offer() if device.type == "cuda" else None
        self._send({**message, "shape": asdict(self._shape), "device_logits": offer})

    def _offer(self) -> dict[str, Any] | None:
        """Memory on the GPU that both can use; None where there is none to be had, or it cannot be shared."""
        try:
            self._device_logits = device_memory.create(self._shape, self._device)
            return asdict(device_memory.share(self._device_logits))
        except RuntimeError:
            return None

    def loaded(self) -> int:
        """The number of the model's parameters, once it is loaded.

        Raises:
            ScoreError: it could not be loaded.
        """
        try:
            self.enforced = Enforced.from_json(str(self._expect("confined").get("sandbox")))
        except RecordError:
            raise ScoreError("the model's process did not say what it is confined to") from None
        said = self._expect("loaded")
        if said.get("on_device") is not True:
            self._device_logits = None
        params = said.get("params")
        return params if isinstance(params, int) else 0

    def ask(self, tokens: Array) -> None:
        """Ask for the logits of `tokens` (N, T); `answer` waits for them.

        Raises:
            ScoreError: the process has ended.
        """
        self._tokens[: len(tokens)] = tokens
        self._send({"rows": len(tokens)})

    def answer(self, count: int) -> torch.Tensor:
        """Logits (N, T, V) of the `count` rows that were asked: a copy, on the device that was named, beyond its reach.

        Raises:
            ScoreError: it gave none.
        """
        self._expect("answered")
        if self._device_logits is None:
            return torch.from_numpy(self._logits[:count]).clone().to(self._device)
        copy = self._device_logits[:count].clone()
        torch.cuda.synchronize(self._device)  # it may write there again as soon as it is asked again
        return copy

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(**message)
        except OSError:
            raise ScoreError("the model's process ended before it was asked for logits") from None

    def _expect(self, kind: str) -> dict[str, Any]:
        try:
            reply = self._channel.receive()
        except OSError:
            reply = None
        if reply is None:
            raise ScoreError("the model's process ended while it was asked for logits")
        if reply.get("kind") != kind:
            raise ScoreError(f"in evaluation: {reply.get('reason', 'the model process answered nonsense')}")
        return reply


def start_hosts(shape: ChunkShape) -> tuple[Host, Host]:
    """Fork two processes for the model, which share no memory and no descriptor with each other.

    It must be done while this process holds no secret: no target, no validation file.
    """
    first, second = _fork(shape), _fork(shape)
    # Only now is either's memory mapped here: the second process must not inherit that of the first.
    return Host(*first, shape), Host(*second, shape)


def _fork(shape: ChunkShape) -> tuple[Channel, int]:
    """A process that serves the model: the channel to it, and the memory that its logits come through."""
    memory = create(shape)
    host_read, write = os.pipe()
    read, host_write = os.pipe()
    if os.fork() == 0:
        model_host.run(host_read, host_write, memory)
    os.close(host_read)
    os.close(host_write)
    return Channel(read, write), memory
