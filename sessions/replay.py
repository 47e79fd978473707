"""Plays a cast to the detector and the policy, and tells what they would have done. Nothing is typed to anyone.

The clock is the cast's own; the judges look when a supervisor would. A cast knows no experiments, hooks or child
processes: each turn that is seen counts as progress, the first stop gets the brief and the later ones a nudge, and
what the cast says was typed counts as the supervisor's own typing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from harness.text import one_line
from sessions import actions
from sessions.bounds import Limits
from sessions.cast import Event, parse_size
from sessions.detector import STALLED_S, Detection, View, detect
from sessions.looking import LOOK_S, pause_s, quiet_spans
from sessions.policy import decide
from sessions.profile import Profile
from sessions.screen import Screen
from sessions.situation import Memory, Situation
from sessions.states import AgentState, Phase

# After the last event, so that a stop at the end is found.
_TAIL_S: Final = 3.0
# A supervisor decides nothing between a text and its Enter.
_TYPING_S: Final = 0.5
_LAUNCHED: Final = "launched"


@dataclass(frozen=True)
class Step:
    """A change of state, or something that the policy would have done.

    Attributes:
        t: seconds of the cast.
        state: what the agent was taken to do.
        action: "" for a change of state; else "brief", "nudge", "answer", "alert", "relaunch", "park", ...
        rule: name of the rule that said so.
        evidence: what it matched, or the action's reason; one line.
    """

    t: float
    state: str
    action: str
    rule: str
    evidence: str


def replay(
    events: Iterable[Event],
    profile: Profile,
    limits: Limits,
    size: tuple[int, int],
    *,
    began: datetime | None = None,
    hidden: frozenset[str] = frozenset(),
) -> Iterator[Step]:
    """Judge a cast from its beginning to three seconds after its end.

    Args:
        events: in order of time.
        profile: the agent's.
        limits: what binds the policy.
        size: columns and rows at the beginning.
        began: the wall clock at the beginning, with its zone, for the reset times of usage limits.
        hidden: "title", "osc7501": what to judge without.
    """
    player = _Player(profile, limits, size, began, hidden)
    try:
        yield from player.play(events)
    finally:
        player.screen.close()


class _Player:
    """The simulated supervisor: a screen, the judges, and what they remember."""

    def __init__(
        self,
        profile: Profile,
        limits: Limits,
        size: tuple[int, int],
        began: datetime | None,
        hidden: frozenset[str],
    ) -> None:
        self.screen = Screen(*size, on_reply=lambda _reply: None)
        self._profile = profile
        self._limits = limits
        self._began = began
        self._hidden = hidden
        self._longest_quiet_s = max(quiet_spans(profile), default=0.0)
        self._detection: Detection | None = None
        self._memory = Memory()
        self._phase = Phase.RUNNING
        self._turns = self._nudges = 0
        self._brief_pending = True
        self._exit_status: int | None = None
        self._version = -1
        self._view = View(())
        self._until: float | None = None
        self._typing_until = 0.0

    def play(self, events: Iterable[Event]) -> Iterator[Step]:
        """Look, judge and act from event to event."""
        coming = iter(events)
        event = next(coming, None)
        now, last_at = 0.0, 0.0
        while True:
            stirred = False
            while event is not None and event.at <= now:
                last_at = event.at
                stirred |= self._take(event)
                event = next(coming, None)
            yield from self._look(now)
            yield from self._act(now)
            if event is None and now >= last_at + _TAIL_S:
                return
            pause = pause_s(self._profile, self._detection, self._view.changed_at, now, stirred=stirred)
            if not stirred:
                pause += self._uneventful_s(now, pause, last_at + _TAIL_S if event is None else event.at)
            now += pause

    def _take(self, event: Event) -> bool:
        """Let an event happen; whether the agent has stirred."""
        match event.kind:
            case "o":
                self.screen.feed(event.data.encode("utf-8", "replace"))
            case "i":
                self._typed(event)
            case "r":
                self.screen.resize(*parse_size(event.data))
            case "x":
                self._exit_status = _status(event.data)
            case "m" if event.data == _LAUNCHED:
                self._relaunched()
        return event.kind in {"o", "x"}

    def _typed(self, event: Event) -> None:
        """The host typed: an answer, or a prompt that leaves the policy none to give."""
        asking = self._detection is not None and self._detection.state is AgentState.ASKING
        if "\r" in event.data and not asking:
            self._brief_pending = False
            self._memory = replace(self._memory, submitted_at=event.at)
        self._typing_until = event.at + _TYPING_S

    def _relaunched(self) -> None:
        self.screen.reset()
        self._exit_status, self._brief_pending = None, True
        if self._detection is not None and self._detection.state is not AgentState.STARTING:
            self._detection = None

    def _look(self, now: float) -> Iterator[Step]:
        before = self._detection
        after = self._detection = detect(self._profile, self._seen(now), before, now)
        if before is not None and before.state is after.state:
            return
        if after.state is AgentState.WORKING:
            self._turns += 1
            self._phase = Phase.RUNNING  # a session that had parked was brought back
        yield Step(round(now, 3), after.state, "", after.rule, after.evidence)

    def _seen(self, now: float) -> View:
        screen, view = self.screen, self._view
        version = screen.version
        if version != self._version:
            self._version = version
            title = "" if "title" in self._hidden else screen.title
            view = replace(view, rows=screen.text(), title=title, changed_at=now)
        self._view = replace(
            view,
            osc7501="" if "osc7501" in self._hidden else screen.osc7501,
            bracketed_paste=screen.bracketed_paste,
            alternate_screen=screen.alternate_screen,
            exit_status=self._exit_status,
            local_time=None if self._began is None else self._began + timedelta(seconds=now),
        )
        return self._view

    def _act(self, now: float) -> Iterator[Step]:
        detection = self._detection
        if detection is None:
            return
        if now < self._typing_until:
            self._until = self._typing_until
            return
        situation = Situation(
            detection=detection,
            phase=self._phase,
            experiments=self._turns,
            brief_pending=self._brief_pending,
            wall=now if self._began is None else self._began.timestamp() + now,
            hours=now / 3600,
            nudges=self._nudges,
        )
        action, self._memory = decide(self._memory, situation, self._limits, now)
        self._until = now + LOOK_S  # an action is looked after
        if isinstance(action, actions.Nothing):
            self._until = action.until
            return
        name = self._carry_out(action)
        evidence = one_line(getattr(action, "reason", detection.evidence))
        yield Step(round(now, 3), detection.state, name, detection.rule, evidence)

    def _carry_out(self, action: actions.Action) -> str:
        """Remember what was done; its name."""
        match action:
            case actions.Submit("brief"):
                self._brief_pending = False
                return "brief"
            case actions.Submit():
                self._nudges += 1
                return "nudge"
            case actions.Relaunch():
                self._relaunched()
            case actions.Refresh():
                self._brief_pending = True
            case actions.Park():
                self._phase = Phase.PARKED
            case actions.Finish():
                self._phase = Phase.FINISHED
            case _:
                pass
        return type(action).__name__.lower()

    def _uneventful_s(self, now: float, pause: float, until: float) -> float:
        """How long nothing can change after this pause, in whole looks: nobody looks through hours of silence."""
        detection = self._detection
        quiet_since = self._view.changed_at
        if detection is None or detection.candidate is not None or now <= quiet_since + self._longest_quiet_s:
            return 0.0
        due = (quiet_since + STALLED_S, now if self._until is None else self._until)
        return max(0.0, min([until, *(at for at in due if at > now)]) - now - pause) // LOOK_S * LOOK_S


def _status(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
