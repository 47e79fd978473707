"""Processes that a run left behind when its runner died: found by the mark in their environment, and ended.

A runner ends everything it started; this is for when it could not. A process that changed its own mark is not found.
"""

import psutil

from harness.run_environment import RUN_ID_VARIABLE

_PATIENCE_S = 2.0


def end_leftovers(run_id: str) -> int:
    """Kill every process that carries a run's id, and return how many there were.

    Repeats until none is left, because what it kills may just have forked, but not for ever.
    """
    ended = 0
    for _ in range(10):
        found = _marked(run_id)
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


def _marked(run_id: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_ID_VARIABLE) == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or another user's
            continue
    return found
