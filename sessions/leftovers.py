"""Processes that were left behind by somebody who died: found by a mark in their environment, and ended.

Whoever starts them ends them; this is for when he could not. A process that changed its own mark is not found.
"""

from collections.abc import Collection

import psutil

from harness.run_environment import RUN_ID_VARIABLE

_PATIENCE_S = 2.0


def end_leftovers(run_id: str) -> int:
    """Kill every process that carries a run's id, and return how many there were."""
    return end_marked(RUN_ID_VARIABLE, run_id)


def end_marked(variable: str, value: str) -> int:
    """Kill every process with `variable=value` in its environment, and return how many there were.

    This process and those above it are spared: they may carry the mark of an agent in whose shell they were started.
    Repeats until none is left, because what it kills may just have forked, but not for ever.
    """
    this = psutil.Process()
    spared = {this.pid, *(one.pid for one in this.parents())}
    ended = 0
    for _ in range(10):
        found = _marked(variable, value, spared)
        for process in found:
            try:
                process.kill()
                ended += 1
            except psutil.Error:  # it ended by itself, or is not ours
                continue
        if not found:
            break
        psutil.wait_procs(found, timeout=_PATIENCE_S)
    return ended


def _marked(variable: str, value: str, spared: Collection[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or another user's
            continue
    return found
