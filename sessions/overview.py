"""A session in a few facts, live from its supervisor or, where there is none, from what it left on disk."""

from dataclasses import dataclass

from harness.result import RecordError
from sessions.client import RefusedError, UnreachableError, ask
from sessions.last_status import read_status
from sessions.protocol import ProtocolError, Status
from sessions.states import Phase
from sessions.store import SessionDir, StoreError, is_supervised

# A supervisor that is busy answers in milliseconds; one that hangs must not hang a list.
_PATIENCE_S = 0.5


@dataclass(frozen=True)
class Overview:
    """A session's id, its phase, its last status (None: there never was one), and what is wrong with it."""

    session: str
    phase: str
    status: Status | None
    problem: str = ""


def overview(session: SessionDir) -> Overview:
    """Look at a session; what is broken about it becomes `problem`."""
    try:
        live = Status.from_dict(ask(session, "status", timeout_s=_PATIENCE_S))
        return Overview(session.id, live.phase, live)
    except (UnreachableError, RefusedError, ProtocolError, RecordError) as error:
        problem = str(error)
    if is_supervised(session):
        return Overview(session.id, Phase.RUNNING, read_status(session), problem)
    status = read_status(session)
    if status is not None and status.phase == Phase.STOPPED:
        return Overview(session.id, Phase.STOPPED, status)
    try:
        session.spec()
    except StoreError as error:
        return Overview(session.id, Phase.DEAD, status, str(error))
    return Overview(session.id, Phase.DEAD, status, "its supervisor died; `autoresearch-tui resume` starts it again")
