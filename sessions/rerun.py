"""Runs a session's commits outside its experiments: to check a number, to confirm a gain.

It needs no supervisor and disturbs none: it writes below `checks/` alone, and tidies that up. It judges nothing.
"""

import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from harness.result import RunRequest
from sessions.harness_process import Harness
from sessions.lab import Lab
from sessions.spec import SessionSpec
from sessions.store import SessionDir, is_supervised, leases_home, private_dir
from sessions.trial import Run


class StoppedError(Exception):
    """The person stopped it."""


_COPY: Final = "copy"
_SCRATCH: Final = "scratch"


@dataclass(frozen=True)
class Copy:
    """A commit's files, and places for runs of it."""

    folder: Path
    genome: Path

    @contextlib.contextmanager
    def place(self) -> Iterator[tuple[str, Path]]:
        """A new run's id and its empty scratch directory, which is gone after the block with all beside it."""
        run_id = f"check-{self.folder.name}-{secrets.token_hex(4)}"
        place = private_dir(self.folder / run_id)
        try:
            yield run_id, private_dir(place / _SCRATCH)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def copy_of(session: SessionDir, spec: SessionSpec, lab: Lab, commit: str) -> Iterator[Copy]:
    """A commit's files below `checks/`, until the end of the block.

    Raises:
        LabError: the lab does not have the commit any more.
    """
    folder = private_dir(private_dir(session.path / "checks") / secrets.token_hex(4))
    try:
        lab.export(commit, folder / _COPY)
        yield Copy(folder, folder / _COPY / spec.genome[0])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_home(request: RunRequest, session: SessionDir) -> RunRequest:
    """The request with the places where the session's runs wait for the GPU and keep what was compiled."""
    leases, compiled = private_dir(leases_home()), private_dir(session.compiled)
    return replace(request, leases=str(leases), compiled=str(compiled))


@contextlib.asynccontextmanager
async def own_harness() -> AsyncIterator[Run]:
    """What makes runs outside a supervisor, until the end of the block."""
    one = Harness()
    try:
        yield one.run
    finally:
        one.close()


def sharing(session: SessionDir, device: str) -> str:
    """What a person should know of what else this machine does, one line; empty where the session rests."""
    if not is_supervised(session):
        return ""
    turns = "" if device == "cpu" else "; on a GPU they take turns"
    return f"{session.id} is running: its experiments and these runs share this machine{turns}"
