"""The last status that a supervisor wrote, for when none lives. Disk only; it asks nobody."""

from harness.result import RecordError
from sessions.protocol import Status
from sessions.store import SessionDir, replace_file


def read_status(session: SessionDir) -> Status | None:
    """What the supervisor wrote last; None where it is missing or broken."""
    try:
        return Status.from_json(session.status_file.read_bytes())
    except (OSError, RecordError):
        return None


def write_status(session: SessionDir, status: Status) -> None:
    """Replace it.

    Raises:
        OSError: the disk is full, or the place cannot be written.
    """
    replace_file(session.status_file, status.to_json() + "\n")
