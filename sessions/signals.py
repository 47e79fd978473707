"""Judgement: what an event means that the agent reports through the hook client. Pure.

An event is data from outside: its name and fields are looked at through the profile's patterns and nothing else.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from harness.text import one_line
from sessions.profile import Hook, Profile, fits, looked_up
from sessions.states import AgentState

_SAID_WIDTH: Final = 80
SESSION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""An agent's own session id. It becomes a word of a command line: no option, no path."""


@dataclass(frozen=True)
class Signal:
    """The last thing that the agent itself said of its state.

    Attributes:
        state: what it said.
        at: when, on the supervisor's monotonic clock.
        event: the event's name.
        evidence: one line, cleaned.
    """

    state: AgentState
    at: float
    event: str
    evidence: str


@dataclass(frozen=True)
class Identity:
    """Which conversation of the agent's is ours, in its own words.

    Attributes:
        session: its session id; empty while unknown.
        transcript: path of its log, as it gave it; empty while unknown.
    """

    session: str = ""
    transcript: str = ""


def heard(profile: Profile, event: str, data: Any, known: Identity, at: float) -> tuple[Signal | None, Identity]:
    """What an event says of the agent's state, if anything, and which conversation is ours after it.

    An event without a state, such as the start of a session, names our conversation. One with a state counts only if
    it is about that conversation: agents have others beside it, to make a title or for a part of the work.
    """
    hook = next((one for one in profile.hooks if _fits(one, event, data)), None)
    if hook is None:
        return None, known
    told = _identity(profile, data)
    if hook.state is None:
        return None, told if told.session else known
    if told.session and known.session and told.session != known.session:
        return None, known
    said = one_line(" ".join(str(looked_up(data, path)) for path in hook.where), _SAID_WIDTH)
    name = one_line(event, 60)
    return Signal(hook.state, at, name, f"the agent reported {name}" + (f": {said}" if said else "")), known


def _fits(hook: Hook, event: str, data: Any) -> bool:
    return hook.event == event and fits(hook.where, data)


def _identity(profile: Profile, data: Any) -> Identity:
    session = _text(data, profile.session_path)
    return Identity(session, _text(data, profile.transcript_path)) if SESSION_ID.fullmatch(session) else Identity()


def _text(data: Any, path: str) -> str:
    value = looked_up(data, path) if path else None
    return one_line(value, 400) if isinstance(value, str) else ""
