"""One evaluation: asks both of the model's processes round by round, scores the rows and compares the probes.

Which rows are asked and how they are changed is `harness.probes`, the arithmetic `harness.score`; this joins them, and
says what a model did whose logits moved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from harness.effort import Effort
from harness.hosts import Host
from harness.probes import SHARE, TOLERANCE, Cell, Round, Splicer, is_biased, movement, plan
from harness.score import Score, losses

Array = np.ndarray[Any, Any]

LATER_TOKENS: Final = "leaks later tokens"
OTHER_ROWS: Final = "reads other rows"
UNSTEADY: Final = "answers the same rows with other logits"

# What bfloat16 makes of a last bit of float32, at the size of usual logits.
_LARGEST_ROUNDING: Final = 0.1
_IF_ROUNDING: Final = "; if that is an FFT's rounding, compute in float32 from there on"


class RejectedError(Exception):
    """The logits depend on what they must not depend on; the text says on what."""


@dataclass(frozen=True, eq=False)
class _Answered:
    """A round, what both processes were asked in it, and what they said.

    Attributes:
        round: which rows, and which of them are probes.
        tokens: (2, slots, T) int64.
        cuts: (2, slots): a probe's tokens before its cut are the row's.
        logits: by process, (slots, T, V).
    """

    round: Round
    tokens: Array
    cuts: Array
    logits: list[torch.Tensor]


@dataclass(frozen=True, eq=False)
class _Suspect:
    """A probe whose logits moved: in which round, asked of which process, at which slot, and by how much."""

    answered: _Answered
    process: int
    slot: int
    moved: float


class Examination:
    """Rows to score, and the probes among them.

    Attributes:
        effort: what each of the model's processes has used, once they are scored.
    """

    def __init__(self, rows: Array, token_bytes: Array, rng: np.random.Generator) -> None:
        """Prepare to score one model.

        Args:
            rows: (N, T + 1) tokens.
            token_bytes: (V,), 0 for special tokens.
            rng: draws the probes; the model must not know its seed.
        """
        self._rows = rows
        self._targets = torch.from_numpy(rows[:, 1:].astype(np.int64))
        self._rng = rng
        self._splicer = Splicer(rows, rng)
        self._score = Score(rows[:, 1:], token_bytes)
        self._gains: list[float] = []
        self._compared = 0
        self.effort = Effort(0.0, 0.0, 0, 0)

    @property
    def compared(self) -> int:
        """Probes that were compared with their rows so far."""
        return self._compared

    def bits_per_byte(
        self, hosts: tuple[Host, Host], slots: int, share: float = SHARE, used_s: Callable[[], float] = lambda: 0.0
    ) -> float:
        """The score of the model that both processes have loaded.

        Args:
            hosts: the two processes.
            slots: rows that are asked at a time; fewer: all.
            share: of the rows, how many are asked again, to look for leaks.
            used_s: what each process has used so far since it was told to load the model, in seconds.

        Raises:
            ScoreError: the logits are unusable.
            RejectedError: they depend on later tokens, on other rows, on chance or on what was asked before.
        """
        waiting: _Answered | None = None
        rounds = plan(len(self._rows), min(slots, len(self._rows)), self._rng, share)
        ready_s = 0.0
        for one in rounds:
            tokens, cuts = self._questions(one)
            for host, asked in zip(hosts, tokens, strict=True):
                host.ask(asked)
            suspect = None if waiting is None else self._take(waiting)  # both processes compute meanwhile
            waiting = _Answered(one, tokens, cuts, [host.answer(tokens.shape[1]) for host in hosts])
            ready_s = ready_s or used_s()
            if suspect is not None:
                raise _accusation(suspect, hosts)
        later = len(rounds) - 1
        tokens_later = later * rounds[0].rows.shape[1] * self._targets.shape[1]
        self.effort = Effort(ready_s, used_s() - ready_s, later, tokens_later)
        if waiting is not None and (suspect := self._take(waiting)) is not None:
            raise _accusation(suspect, hosts)
        if is_biased(self._gains):
            rise = float(np.mean(self._gains))
            raise RejectedError(f"{LATER_TOKENS}: losses rise by {rise:.1e} nats where the next token is exchanged")
        return self._score.bits_per_byte()

    def _questions(self, one: Round) -> tuple[Array, Array]:
        tokens = self._rows[one.rows, :-1].astype(np.int64)
        cuts = np.full(one.rows.shape, tokens.shape[-1])
        for process, slot in np.argwhere(one.cells == Cell.PROBE):
            row = self._rows[one.rows[process, slot]]
            tokens[process, slot], cuts[process, slot] = self._splicer.splice(row)
        return tokens, cuts

    def _take(self, answered: _Answered) -> _Suspect | None:
        """Score what is to be scored; the first probe that moved, if one did."""
        one, length = answered.round, self._targets.shape[1]
        nats = [losses(logits, self._targets[rows]) for logits, rows in zip(answered.logits, one.rows, strict=True)]
        for rows, cells, values in zip(one.rows, one.cells, nats, strict=True):
            scored = cells == Cell.ROW
            self._score.add(rows[scored], values[scored])
        for process, slot in np.argwhere(one.cells == Cell.PROBE):
            cut = int(answered.cuts[process, slot])
            row, probe = (answered.logits[i][slot, :cut] for i in (1 - process, process))
            if (moved := movement(row, probe)) > TOLERANCE:
                return _Suspect(answered, int(process), int(slot), moved)
            self._compared += 1
            before, after = (float(nats[i][slot, cut - 1]) for i in (1 - process, process))
            if cut < length and np.isfinite([before, after]).all():
                self._gains.append(after - before)
        return None


def _accusation(suspect: _Suspect, hosts: tuple[Host, Host]) -> RejectedError:
    """What moved the logits, found by asking the process that moved again.

    The same once more; then with the row as it is among the probe's neighbours; then the row among its own.

    Raises:
        ScoreError: it gives no answer any more.
    """
    answered, process, slot = suspect.answered, suspect.process, suspect.slot
    cut = int(answered.cuts[process, slot])
    row, probe = (answered.logits[i][slot, :cut] for i in (1 - process, process))

    def differs(tokens: Array, from_: torch.Tensor) -> bool:
        hosts[process].ask(tokens)
        return movement(from_, hosts[process].answer(len(tokens))[slot, :cut]) > TOLERANCE

    amount = f"they move by up to {suspect.moved:.2g}"
    whole = answered.tokens[process].copy()
    whole[slot] = answered.tokens[1 - process, slot]
    if not differs(answered.tokens[process], probe):
        if not differs(whole, row):
            reason = f"{LATER_TOKENS}: {amount} where only tokens after them are exchanged"
            return RejectedError(reason + _IF_ROUNDING * (suspect.moved < _LARGEST_ROUNDING))
        if not differs(answered.tokens[1 - process], row):
            return RejectedError(f"{OTHER_ROWS}: {amount} where only the rest of the batch is exchanged")
    return RejectedError(f"{UNSTEADY}: {amount}; it is random in evaluation, or remembers what it was asked before")
