"""Writing that does not give up: what a full disk refuses is tried again until it goes through, and said meanwhile."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from harness.text import one_line
from sessions.lab import LabError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_EVERY_S: Final = 2.0

Written = TypeVar("Written")


class GivenUpError(Exception):
    """The caller no longer wants it."""


class Persistence:
    """Carries out writing steps.

    Attributes:
        alert: what the disk refuses right now, one line; empty where it does not.
    """

    def __init__(
        self, on_change: Callable[[], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.alert = ""
        self._on_change = on_change
        self._pause = pause

    async def carry_out(self, step: Callable[[], Written], unless: asyncio.Event | None = None) -> Written:
        """Do `step`, which must change nothing or everything, as often as it takes.

        Raises:
            LabError: git failed, and not for want of space.
            GivenUpError: `unless` was set while the disk refused.
        """
        while True:
            try:
                done = step()
            except OSError as error:
                self._say(_reason(error))
            except LabError as error:
                if not error.disk_full:
                    self._say("")
                    raise
                self._say(f"disk full: {error}; free some space")
            else:
                self._say("")
                return done
            if unless is not None and unless.is_set():
                self._say("")
                raise GivenUpError
            await self._pause(_EVERY_S)

    def _say(self, alert: str) -> None:
        if alert != self.alert:
            self.alert = one_line(alert)
            self._on_change()


def _reason(error: OSError) -> str:
    place = f" {error.filename}" if error.filename else ""
    if error.errno in _FULL:
        return f"disk full: cannot write{place}; nothing is lost, free some space"
    return f"cannot write{place}: {error.strerror or error}; nothing is lost, trying again"
