"""What the babysitter types to the agent: prompts, answers, interruptions. Each is journaled; none is decided here."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

from harness.text import one_line
from sessions.actions import Kind
from sessions.agent import Agent
from sessions.journal import Journal
from sessions.profile import Profile
from sessions.states import AgentState
from sessions.watcher import Watcher

_LOOK_S: Final = 0.05


class Keyboard:
    """The babysitter's own; a person's keys go another way.

    Attributes:
        nudges: prompts so far, the first brief and the person's own left out.
        last_nudge, last_nudge_at: the last of them, one line, and when, in seconds since the epoch.
    """

    def __init__(self, profile: Profile, agent: Agent, journal: Journal, watcher: Watcher) -> None:
        self.nudges = 0
        self.last_nudge = ""
        self.last_nudge_at = 0.0
        self._profile = profile
        self._agent = agent
        self._journal = journal
        self._watcher = watcher
        self._effect: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being carried out; until it is, nothing else may be decided."""
        return self._effect is not None and not self._effect.done()

    def carry_out(self, effect: Coroutine[Any, Any, None]) -> None:
        """Do something that takes a while."""
        self._effect = asyncio.get_running_loop().create_task(effect)

    def stop(self) -> None:
        """Leave it where it is."""
        if self._effect is not None:
            self._effect.cancel()

    def prompt(self, kind: Kind, text: str) -> None:
        """Type a prompt."""
        why = self._watcher.why(time.monotonic())
        self._journal.add("nudge", what=kind, text=one_line(text, 2000), state=self._watcher.state, **why)
        if kind not in {"brief", "person"}:
            self.nudges += 1
        if kind != "brief":
            self.last_nudge, self.last_nudge_at = one_line(text, 120), time.time()
        self.carry_out(self.submit(text))

    def answer(self, keys: str) -> None:
        """Press the keys of an answer."""
        self._journal.add("answered", keys=keys, **self._watcher.why(time.monotonic()))
        self._agent.press(keys.encode())

    def interrupt(self, reason: str) -> None:
        """Press the keys that end a turn."""
        self._journal.add("interrupted", reason=reason, **self._watcher.why(time.monotonic()))
        self._agent.press(self._profile.interrupt.encode())

    async def submit(self, text: str) -> None:
        """Type a text and Enter, and Enter once more if the agent shows no sign of work."""
        profile, began = self._profile, time.monotonic()
        self._watcher.forget_report()
        await self._agent.submit(text, profile.paste_delay_s, profile.confirm_s)
        deadline = time.monotonic() + profile.confirm_s
        while self._still_waits(began):
            if time.monotonic() >= deadline:
                self._journal.add("enter again", reason=f"no sign of work {profile.confirm_s:g} s after Enter")
                self._agent.press(b"\r")
                return
            await asyncio.sleep(_LOOK_S)

    def _still_waits(self, since: float) -> bool:
        """Whether the agent has been waiting since before that time: its turn has not begun, and so has not ended."""
        detection = self._watcher.detection
        return detection is not None and detection.state is AgentState.WAITING and detection.since <= since
