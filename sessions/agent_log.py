"""What the agent's own session logs say: its tokens over the whole of our session, and its name for the conversation.

The session's worktree is its own, so that every log of an agent that works there counts: all launches, fresh contexts
and sub-agents add up. The sums, and how far each log was read, are kept in a file of ours, so that a new supervisor
goes on there.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sessions.known_log import KnownLog, Ours
from sessions.log_format import LogFormat, path_patterns
from sessions.session_log import CHUNK, find_logs
from sessions.signals import Identity
from sessions.store import replace_file
from sessions.tally import Tally
from sessions.usage import Prices, Usage

_FIND_EVERY_S: Final = 10.0
_KEEP_EVERY_S: Final = 10.0
_MOST_LOGS: Final = 1000
_LIVELY: Final = 4  # that are looked at in each poll; the others only when new ones are looked for
_BROKEN: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_BEFORE_S: Final = 5.0  # file systems keep coarser time than clocks


class AgentLog:
    """One session's agent, through its logs.

    Attributes:
        identity: its own session id and the log that says so, by its logs or by a hook.
    """

    def __init__(
        self,
        read: LogFormat | None,
        kept: Path,
        *,
        worktree: Path,
        files: Path,
        environment: Mapping[str, str],
        since: float,
        prices: Prices | None = None,
    ) -> None:
        """Go on from what `kept` says, if it says anything.

        Args:
            read: how the logs are read; None: nothing is ever known.
            kept: our own file.
            worktree: absolute path of the agent's working directory.
            files: the session's own directory for the agent.
            environment: the agent's.
            since: when the session began, in seconds since the epoch; older logs are not its.
            prices: the person's.
        """
        self.identity = Identity()
        self._read = read
        self._kept = kept
        self._prices = prices or Prices()
        self._since = since - _BEFORE_S
        resolved = os.path.realpath(worktree)
        paths = {str(worktree), resolved}
        sums = {hashlib.sha256(os.fsencode(one)).hexdigest() for one in paths}
        self._ours = Ours(paths, sums, {"worktree": str(worktree), "resolved": resolved, "since": self._since})
        self._patterns = path_patterns(read, str(worktree), str(files), environment, resolved) if read else []
        self._tally = Tally()
        self._logs: dict[str, KnownLog] = {}  # the liveliest last
        self._foreign: set[str] = set()
        self._past: set[str] = set()  # what named a conversation that is over
        self._found_at = self._kept_at = float("-inf")
        self._unkept = self._unread = self._told = False
        if read is not None:
            with contextlib.suppress(OSError, *_BROKEN):  # then it is all read again
                self._restore(read, json.loads(kept.read_bytes()))

    @property
    def usage(self) -> Usage:
        """What the agent has used since the session began, in all."""
        return self._prices.usage_of(self._tally.models)

    def named(self, identity: Identity) -> None:
        """A hook has said which conversation is ours; its log counts wherever it lies."""
        self.identity, self._told, path = identity, bool(identity.session), identity.transcript
        if self._read is None or self._read.kind == "sqlite" or not Path(path).is_absolute():
            return
        self._foreign.discard(path)
        if path in self._logs or len(self._logs) < _MOST_LOGS:
            self._logs.setdefault(path, KnownLog(self._read, Path(path))).is_ours = True

    def forget(self) -> None:
        """The agent begins anew: only a log that says another session can name it."""
        self._past.update(log.session for log in self._logs.values())
        self.identity, self._told = Identity(), False

    def poll(self, now: float, *, thoroughly: bool = False) -> bool:
        """Look at the logs; whether usage or identity have changed.

        Takes some 20 ms at most, a few stats at rest; what is more is left for the next poll.

        Args:
            now: on the monotonic clock.
            thoroughly: look for new logs, too, which is done only now and then otherwise.
        """
        if self._read is None:
            return False
        before, changed, spent = self.identity, False, 0
        find = thoroughly or now - self._found_at >= _FIND_EVERY_S
        if find:
            self._found_at = now
            self._find(self._read)
        lively = list(self._logs)[0 if find or self._unread else -_LIVELY :]
        self._unread = False
        for path in reversed(lively):
            log = self._logs[path]
            changed |= self._look(self._read, path, log)
            spent += log.read
            if spent >= CHUNK:
                self._unread = True
                break
        changed |= before != self.identity
        self._unkept |= changed
        if self._unkept and now - self._kept_at >= _KEEP_EVERY_S:
            self._kept_at = now
            self.keep()
        return changed

    def keep(self) -> None:
        """Write what a new supervisor goes on from; a disk that takes nothing costs what only a crash would need."""
        logs = {path: log.to_dict() for path, log in self._logs.items() if log.is_ours}
        with contextlib.suppress(OSError):
            replace_file(self._kept, json.dumps({"models": self._tally.to_dict(), "logs": logs}) + "\n")
            self._unkept = False

    def _restore(self, read: LogFormat, kept: Any) -> None:
        tally = Tally(kept["models"])
        logs = {path: KnownLog(read, Path(path), one) for path, one in kept["logs"].items()}
        self._tally, self._logs = tally, logs
        for path, log in logs.items():
            self._name(path, log)

    def _find(self, read: LogFormat) -> None:
        # A clock that was put back makes new logs look older than the session.
        self._since = min(self._since, time.time() - _BEFORE_S)
        for path in map(str, find_logs(self._patterns, self._since)):
            if path not in self._logs and path not in self._foreign and len(self._logs) < _MOST_LOGS:
                self._logs[path] = KnownLog(read, Path(path))

    def _look(self, read: LogFormat, path: str, log: KnownLog) -> bool:
        """Count what is new in a log; whether that changed a sum."""
        changed = lively = False
        for entry in log.look(self._ours):
            lively = True
            if entry.usage is not None:
                changed |= self._tally.count(
                    log.counted, entry.id, entry.model, entry.usage, cumulative=read.cumulative
                )
        if log.is_ours is False:
            del self._logs[path]
            self._foreign.add(path)
        elif lively:
            self._logs[path] = self._logs.pop(path)
            self._name(path, log)
        return changed

    def _name(self, path: str, log: KnownLog) -> None:
        """Take a log's word for the session, unless a hook has given its own."""
        if log.session and log.session not in self._past and not self._told:
            self.identity = Identity(log.session, path)
