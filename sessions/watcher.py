"""Watches the agent: has its screen judged, keeps the judgement, journals each new state. It does nothing about it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tzlocal import get_localzone

from sessions.agent import Agent
from sessions.detector import Detection, View, detect
from sessions.journal import Journal
from sessions.profile import Profile
from sessions.signals import Signal
from sessions.states import AgentState


class Watcher:
    """What one agent is doing.

    Attributes:
        detection: the last judgement; None before the first look at this launch.
        state_since: when its state began, in seconds since the epoch.
    """

    def __init__(
        self, profile: Profile, agent: Agent, journal: Journal, on_state: Callable[[AgentState], None]
    ) -> None:
        """`on_state` is called with each new state."""
        self.detection: Detection | None = None
        self.state_since = time.time()
        self._profile = profile
        self._agent = agent
        self._journal = journal
        self._on_state = on_state
        self._signal: Signal | None = None

    @property
    def state(self) -> AgentState:
        """What the agent is doing."""
        return AgentState.STARTING if self.detection is None else self.detection.state

    def begin(self) -> None:
        """The agent was launched: what was seen of an earlier one is not about it."""
        self.detection = self._signal = None

    def report(self, signal: Signal) -> None:
        """The agent has said something of its state; looked at one by one: a turn may be over before the next look."""
        self._signal = signal
        self.look()

    def forget_report(self) -> None:
        """Something was typed: what the agent has reported is about the turn before that."""
        self._signal = None

    def view(self, now: float) -> View:
        """What there is to see, at a moment on the monotonic clock."""
        return self._agent.view(now, self._signal, datetime.now(get_localzone()), tree=self._profile.children_work)

    def look(self) -> None:
        """Judge this moment."""
        now, before = time.monotonic(), self.detection
        after = detect(self._profile, self.view(now), before, now)
        self.detection = after
        reset = {} if after.reset is None else {"resets_at": round(after.reset.at)}
        if before is not None and before.state is after.state:
            if reset and before.reset is None:  # a menu came first, and then the line that says when
                self._journal.add("reset", **self.why(now), **reset)
            return
        self.state_since = time.time()
        previous = "" if before is None else before.state
        self._journal.add("state", state=after.state, before=previous, **self.why(now), **reset)
        self._on_state(after.state)

    def why(self, now: float) -> dict[str, Any]:
        """What a decision rests on, for the journal: rule, evidence, and the monotonic clock."""
        rule, evidence = ("", "") if self.detection is None else (self.detection.rule, self.detection.evidence)
        return {"rule": rule, "evidence": evidence, "clock": round(now, 3)}
