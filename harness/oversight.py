"""Looks after a run from outside, a few times a second: what its training uses, and what it writes.

It reads the kernel's own counts and asks `harness.bounds`; it ends nothing itself.
"""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from harness.bounds import contradicted, overfull, overspent
from harness.scratch_size import TooDeepError, written_bytes
from harness.settings import ClockKind, Preset
from harness.tree_cpu import TreeCpu

# Looking through many files takes long: not more than so much of the time goes there.
_SCRATCH_SHARE: Final = 0.1
_SCRATCH_EVERY_S: Final = 0.5


class ExceededError(Exception):
    """The run went beyond a bound; the text says which, one line."""


class ScratchOversight:
    """What a run has written."""

    def __init__(self, places: Sequence[Path], preset: Preset) -> None:
        """`places` are the directories that it may write to."""
        self._places = places
        self._preset = preset
        self._due = 0.0

    def look(self, holders: Collection[int]) -> None:
        """Look, if it is time to.

        Raises:
            ExceededError: it is too much.
        """
        began = time.monotonic()
        if began < self._due:
            return
        try:
            most = self._preset.scratch_bytes
            written = max(written_bytes(place, most, holders) for place in self._places)
            reason = overfull(written, self._preset)
        except TooDeepError:
            reason = "the run nested directories deeper than they can be looked through"
        ended = time.monotonic()
        self._due = ended + max(_SCRATCH_EVERY_S, (ended - began) / _SCRATCH_SHARE)
        if reason:
            raise ExceededError(reason)


class TrainingOversight:
    """What training uses on the clock that counts; begun when the trainer is told to go."""

    def __init__(self, clock: ClockKind, budget_s: float, preset: Preset, spare: Callable[[], Collection[int]]) -> None:
        self.clock: Final = clock
        self._budget_s = budget_s
        self._preset = preset
        self._began = time.monotonic()
        self._tree = TreeCpu(spare)

    @property
    def began(self) -> float:
        """When it was begun, on `time.monotonic`."""
        return self._began

    @property
    def wall_s(self) -> float:
        """Seconds on the wall since the beginning."""
        return time.monotonic() - self._began

    def cpu_s(self) -> float:
        """CPU seconds of the trainer, and of all that it started, since the beginning."""
        return self._tree.seconds()

    def spent_s(self) -> float:
        """What was used so far, on the clock that counts."""
        return self.cpu_s() if self.clock == "cpu" else self.wall_s

    def look(self) -> None:
        """Look now.

        Raises:
            ExceededError: it is too much.
        """
        if reason := overspent(self.spent_s(), self.clock, self._budget_s, self._preset):
            raise ExceededError(reason)

    def compare(self, outside_s: float, told_s: float) -> None:
        """Hold what the trainer says, at its end, against what was seen.

        Raises:
            ExceededError: one of them cannot be.
        """
        reason = overspent(outside_s, self.clock, self._budget_s, self._preset)
        if reason := reason or contradicted(outside_s, told_s, self.clock, self._budget_s, self._preset):
            raise ExceededError(reason)
