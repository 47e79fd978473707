"""Which conversation of the agent's is ours: `agent.json`, so that it comes back in it after a crash or a reboot."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from harness.result import Record, RecordError
from sessions.signals import Identity
from sessions.store import replace_file


@dataclass(frozen=True)
class _Kept(Record):
    session: str = ""
    transcript: str = ""


class Conversation:
    """The agent's own name for the conversation, kept on disk whenever it changes."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier supervisor knew."""
        self._path = path
        self.identity = _read(path)

    def learn(self, identity: Identity) -> bool:
        """Take over what the agent says of itself; whether that is news."""
        if identity == self.identity:
            return False
        self.identity = identity
        with contextlib.suppress(OSError):  # a full disk costs what only a crash would need
            replace_file(self._path, _Kept(identity.session, identity.transcript).to_json() + "\n")
        return True

    def forget(self) -> None:
        """The agent begins anew."""
        self.learn(Identity())


def _read(path: Path) -> Identity:
    try:
        kept = _Kept.from_json(path.read_bytes())
    except (OSError, RecordError):
        return Identity()
    return Identity(kept.session, kept.transcript)
