"""The person's hand on the agent: texts that she wants typed, and the wheel, with which she types herself.

When her texts are typed is the policy's business; while she has the wheel, or has just typed, nobody else types.
"""

import re
import time
from collections.abc import Callable
from typing import Final

from harness.text import one_line
from sessions.agent import Agent
from sessions.journal import Journal
from sessions.nudge_queue import NudgeQueue


class Person:
    """What a person does with one session's agent.

    Attributes:
        queue: the texts that are not typed yet.
        wheel: who types to the agent directly, if anyone.
        typed_at: when she last did, on the monotonic clock; None: never.
        draft: whether she has left a text in the composer without sending it.
    """

    def __init__(self, queue: NudgeQueue, agent: Agent, journal: Journal, on_act: Callable[[bool], None]) -> None:
        """`on_act` is called after everything that she does; with true, if she typed to the agent."""
        self.queue = queue
        self.wheel: object | None = None
        self.typed_at: float | None = None
        self.draft = False
        self._agent = agent
        self._journal = journal
        self._on_act = on_act

    def wants_typed(self, text: str, *, at_once: bool) -> None:
        """Take a text for the agent."""
        self.queue.add(text, urgent=at_once)
        self._journal.add("nudge asked for", text=one_line(text, 2000), at_once=at_once)
        self._on_act(False)

    def take_wheel(self, who: object) -> bool:
        """Let somebody type directly; whether nobody else does."""
        if self.wheel not in {None, who}:
            return False
        self.wheel = who
        self._journal.add("wheel taken")
        self._on_act(False)
        return True

    def release_wheel(self, who: object) -> None:
        """She lets go, or her connection did."""
        if self.wheel is who:
            self.wheel = None
            self._journal.add("wheel released")
            self._on_act(False)

    def type_keys(self, keys: bytes) -> None:
        """Pass on what the one with the wheel typed, unchanged."""
        self.typed_at = time.monotonic()
        self.draft = _leaves_a_draft(keys, self.draft)
        if b"\r" in keys or b"\n" in keys:  # a prompt of hers; an arrow key or a focus report begins no turn
            self._agent.prompted()
        self._agent.write(keys)
        self._on_act(True)


# Arrows, reports of the mouse and of focus; and what empties a composer: ctrl-c, ctrl-u, ctrl-x, escape.
_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
_BACKSPACE: Final = 0x7F
_EMPTIES: Final = frozenset(b"\r\n\x03\x15\x18\x1b")


def _leaves_a_draft(keys: bytes, draft: bool) -> bool:
    """Whether a text stands in the composer after some keys; `draft`: whether one stood there before."""
    for byte in _SEQUENCE.sub(b"", keys):
        draft = byte not in _EMPTIES and (draft or (byte >= 0x20 and byte != _BACKSPACE))
    return draft
