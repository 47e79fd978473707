"""Which of the processes on a GPU are a run's, and which are not. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.machine_sample import GpuProcess, GpuSample
from harness.result import Record
from harness.text import one_line


@dataclass(frozen=True)
class Foreign(Record):
    """A process that computed on the run's GPU and was not the run's.

    Attributes:
        pid: as the driver counts.
        name: what it is called, safe to show; empty where that is not known.
        share: of the samples in which it computed, 0 to 1.
    """

    pid: int
    name: str
    share: float


class GpuOwners:
    """Which of the processes on a GPU are the run's, over all samples of a training."""

    def __init__(self, before: Sequence[GpuSample], within: Sequence[GpuSample], own_most: int) -> None:
        """`before` is the GPU before the run was started, `within` during its training.

        `own_most` is how many processes of the run may compute on it at once. It decides only where the driver's pids
        say nothing: then those that were there before are foreign, and of the others the first so many are the run's.
        """
        self._within = within
        said = {process.pid: process.own for gpu in within for process in gpu.processes if process.own is not None}
        there = {process.pid for gpu in before for process in gpu.processes}
        came = dict.fromkeys(process.pid for gpu in within for process in gpu.processes)  # in the order of coming
        newcomers = [pid for pid in came if pid not in said and pid not in there]
        # Where the driver's numbers mean something for some of the run's processes, they do for all of them.
        guessed = [] if True in said.values() else newcomers[:own_most]
        self._own = {pid for pid in came if said.get(pid, pid in guessed)}
        # Without a look from before, more newcomers than the run has: how many are foreign is known, not which.
        self._mixed_up = bool(guessed) and not before and len(newcomers) > own_most

    def memory_peak(self) -> int | None:
        """Bytes of the run's processes together, in the sample where that was most; None where it is not known."""
        if self._mixed_up:
            return None
        sums = []
        for gpu in self._within:
            known = [one.memory_used for one in gpu.processes if one.pid in self._own and one.memory_used is not None]
            if known:
                sums.append(sum(known))
        return max(sums, default=None)

    def foreign(self) -> list[Foreign]:
        """The others that computed, the busiest first."""
        counts: Counter[int] = Counter()
        names: dict[int, str] = {}
        for gpu in self._within:
            for process in gpu.processes:
                if process.pid not in self._own and self._computed(process, gpu):
                    counts[process.pid] += 1
                    names[process.pid] = one_line(process.name or "", 40)
        return [Foreign(pid, names[pid], round(n / len(self._within), 4)) for pid, n in counts.most_common()]

    def _computed(self, process: GpuProcess, gpu: GpuSample) -> bool:
        """Whether it took anything from the run, rather than only keep memory, or an instance of its own."""
        own = [one for one in gpu.processes if one.pid in self._own]
        # The driver's word that it was idle counts where the driver saw somebody work: some see nobody ever.
        if process.sm_percent == 0 and any(one.sm_percent for one in gpu.processes):
            return False
        instances = {instance for one in own for instance in one.instances}
        return not (instances and process.instances) or not instances.isdisjoint(process.instances)
