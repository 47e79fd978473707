"""Starts the machine sampler as a process of its own and reads its lines: NVML may crash whoever calls it."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

from autoresearch_tui.changes import Change, MachineLost, MachineSampled
from harness.machine_sample import MachineSample
from harness.result import RecordError

SAMPLER: Final = (sys.executable, "-I", "-m", "harness.machine", "--every", "1.0")
_AGAIN_S: Final = 10.0
_MAX_LINE: Final = 1 << 20


async def watch_machine(
    emit: Callable[[Change], None], command: Sequence[str] = SAMPLER, again_s: float = _AGAIN_S
) -> None:
    """Pass on samples until cancelled; a sampler that ends is started again after `again_s` seconds."""
    while True:
        try:
            ended = await _sample(emit, command)
        except OSError as error:
            ended = str(error)
        emit(MachineLost(f"the machine sampler ended ({ended}); it is started again every {again_s:g} s"))
        await asyncio.sleep(again_s)


async def _sample(emit: Callable[[Change], None], command: Sequence[str]) -> str:
    """Run one sampler to its end and say how it ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
        limit=_MAX_LINE,
    )
    try:
        if process.stdout is not None:
            async for line in process.stdout:
                with contextlib.suppress(RecordError):  # a line that is no sample says nothing
                    emit(MachineSampled(MachineSample.from_json(line)))
        status = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
    return f"signal {-status}" if status < 0 else f"status {status}"
