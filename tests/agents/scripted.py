"""What a scripted model does, whatever API it is asked through: its next steps, then its habit. Knows no protocol.

A server (`tests.agents.responses_api` and its siblings) turns each request of an agent's main conversation into an
`Asked` and sends back the `Step` that it gets for it. What an agent asks beside its conversation, to make a title for
example, the server answers itself.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

EXPERIMENT: Final = r"""
sed -i "s/^MATRIX_LR = .*/MATRIX_LR = 0.0$RANDOM  # $RANDOM/" train.py
autoresearch-tui try -m "another MATRIX_LR"
"""
"""One edit, one experiment; without $(), which Gemini refuses to run."""

QUESTION: Final = "I ran one experiment and read its verdict. Should I keep going?"


@dataclass(frozen=True)
class Say:
    """Say this; the turn ends."""

    text: str


@dataclass(frozen=True)
class Call:
    """Have the shell tool run a command.

    Attributes:
        command: for the shell.
        background: do not wait for its end: the turn goes on while it runs.
        escalate: ask for a permission that the agent's sandbox does not give.
    """

    command: str
    background: bool = False
    escalate: bool = False


@dataclass(frozen=True)
class Refuse:
    """Answer with an HTTP status.

    Attributes:
        status: 401, 429, 500, ...
        message: put where the API puts it.
    """

    status: int
    message: str = "scripted"


@dataclass(frozen=True)
class Limit:
    """A usage limit.

    Attributes:
        resets_at: seconds since the epoch.
    """

    resets_at: float


@dataclass(frozen=True)
class Drop:
    """Begin an answer, then drop the connection."""


Step = Say | Call | Refuse | Limit | Drop
Trouble = Refuse | Limit | Drop


@dataclass(frozen=True)
class Asked:
    """One request of the agent's main conversation.

    Attributes:
        at: seconds since the epoch.
        prompts: what was typed to the agent so far, the oldest first.
        outputs: what its tools have answered so far.
        after_prompt: whether a prompt came last.
    """

    at: float
    prompts: tuple[str, ...]
    outputs: tuple[str, ...]
    after_prompt: bool


Habit = Callable[[Asked], Step]


def one_experiment_a_turn(asked: Asked) -> Step:
    """To a prompt an experiment, to its verdict a question: a model that stops after each."""
    return Call(EXPERIMENT) if asked.after_prompt else Say(QUESTION)


@dataclass
class Script:
    """The model's mind, shared by a server's threads and a test.

    Attributes:
        habit: what it does when nothing else was planned.
        asked: every request so far.
        steps: what was answered to each of them.
    """

    habit: Habit = one_experiment_a_turn
    asked: list[Asked] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    _planned: list[Step] = field(default_factory=list)
    _trouble: Trouble | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def plan(self, *steps: Step) -> None:
        """What it does next, one step a request."""
        with self._changed:
            self._planned += steps

    def fail(self, trouble: Trouble) -> None:
        """Every request meets this trouble, until `mend`; a usage limit ends by itself."""
        with self._changed:
            self._trouble = trouble

    def mend(self) -> None:
        """The trouble is over."""
        with self._changed:
            self._trouble = None

    def step(self, asked: Asked) -> Step:
        """The answer to a request."""
        with self._changed:
            trouble = self._trouble
            if isinstance(trouble, Limit) and asked.at >= trouble.resets_at:
                trouble = self._trouble = None
            step = trouble or (self._planned.pop(0) if self._planned else self.habit(asked))
            self.asked.append(asked)
            self.steps.append(step)
            self._changed.notify_all()
            return step

    def until(self, wanted: Callable[["Script"], bool], within_s: float = 60.0) -> None:
        """Wait for requests until they are as wanted.

        Raises:
            AssertionError: they were not.
        """
        deadline = time.monotonic() + within_s
        with self._changed:
            while not wanted(self):
                left = deadline - time.monotonic()
                assert left > 0, f"not asked for in {within_s:g} s; so far: {self.steps}"
                self._changed.wait(left)
