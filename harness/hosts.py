"""The model's processes, as the scorer sees them: forked with nothing to know, asked for logits, never believed.

They run genome code (`harness.model_host`). Nothing here knows what is asked, or what the answers are worth.
"""

import os
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from harness import model_host
from harness.logits_memory import ChunkShape, create, view
from harness.pipes import Channel
from harness.result import RecordError
from harness.sandbox import Enforced
from harness.score import ScoreError

Array = np.ndarray[Any, Any]


class Host:
    """One process that holds the model.

    Attributes:
        enforced: what it is confined to, which it says before it runs the genome; nothing until then.
    """

    def __init__(self, channel: Channel, memory_fd: int, shape: ChunkShape) -> None:
        self._channel = channel
        self._shape = shape
        self._tokens, self._logits = view(memory_fd, shape)
        self.enforced = Enforced()

    def load(self, message: dict[str, Any]) -> None:
        """Tell it to load a model; `loaded` waits for it."""
        self._send({**message, "shape": asdict(self._shape)})

    def loaded(self) -> int:
        """The number of the model's parameters, once it is loaded.

        Raises:
            ScoreError: it could not be loaded.
        """
        try:
            self.enforced = Enforced.from_json(str(self._expect("confined").get("sandbox")))
        except RecordError:
            raise ScoreError("the model's process did not say what it is confined to") from None
        params = self._expect("loaded").get("params")
        return params if isinstance(params, int) else 0

    def ask(self, tokens: Array) -> None:
        """Ask for the logits of `tokens` (N, T); `answer` waits for them.

        Raises:
            ScoreError: the process has ended.
        """
        self._tokens[: len(tokens)] = tokens
        self._send({"rows": len(tokens)})

    def answer(self, count: int) -> torch.Tensor:
        """Logits (N, T, V) of the `count` rows that were asked: a copy, which its process can no longer change.

        Raises:
            ScoreError: it gave none.
        """
        self._expect("answered")
        return torch.from_numpy(self._logits[:count]).clone()

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
