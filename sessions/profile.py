"""What is known of an agent CLI, as values: how to launch, read, answer and leave it. No I/O, no judgement.

`sessions.profiles` reads them from TOML; profiles/README.md describes the file.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sessions.log_format import LogFormat
from sessions.states import AgentState

Source = Literal["osc7501", "title", "screen"]
AtOnce = Literal["type", "interrupt"]


@dataclass(frozen=True)
class Rule:
    """One piece of evidence on the terminal: where to look, for what, and what it means.

    Attributes:
        name: shown to the person and journaled.
        state: what the agent is doing when the rule matches; None: what it did before (a viewer or a picker is open).
        source: "osc7501" (the last OSC 7501 payload), "title", or "screen".
        pattern: searched in the source; on the screen, in each row of the region.
        bottom: for "screen": only the last so many rows that are not blank (0: the whole screen).
        quiet_s: the rule counts only while screen and title have been unchanged for so long.
        answer: keys to send when the rule means `asking` and the person allowed safe answers; None: call her. For
            `limited`: keys that put a menu away and choose nothing, which needs no leave of hers.
        background: for `working`: work that outlasts the turn, and so counts against a hook that says it has ended.
        also: "osc7501" or "title" -> a pattern that must be found there, too.
        reset: for `limited`: searched in the screen's text; its group "when" says when the limit ends.
    """

    name: str
    state: AgentState | None
    source: Source
    pattern: re.Pattern[str]
    bottom: int = 0
    quiet_s: float = 0.0
    answer: str | None = None
    background: bool = False
    also: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    reset: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Hook:
    """What an event means that the agent reports through the hook client.

    Attributes:
        event: its name.
        state: what the agent is doing then; None: the event carries ids only.
        where: dotted path in the event's data -> a pattern that must be found there.
    """

    event: str
    state: AgentState | None
    where: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """One agent.

    Attributes:
        name: what `--agent` takes.
        seen_on: the agent's version that the rules were seen on; detectors rot.
        argv: the command; `filled` fills in what it leaves open. Empty: the person gives one.
        resume: the command that brings it back in its own conversation; empty: it cannot be.
        environment: added to the agent's.
        files: name -> text, written to the session's own directory before each launch.
        rules: in order of trust; the first that matches wins.
        hooks: likewise, for the events of the hook client.
        session_path, transcript_path: where an event's data say the agent's own session id and its log.
        log: how that log is read; None: nothing is known of it.
        quiet_s: with no rule matching, a screen unchanged for so long, without busy child processes, is
            `waiting`, and a screen that changes is `working`; None: neither says anything about this agent, and
            it keeps its previous state.
        settle_s: a state must hold so long before it counts; `working` counts at once.
        children_work: whether a process that the agent began since the last prompt, and that still runs, is work.
        paste_delay_s: between the pasted text and Enter.
        confirm_s: no sign of work so long after Enter: press Enter once more.
        at_once: how a text reaches it while it works: "type", or "interrupt" the turn first.
        fresh: a command of its own that begins a fresh context; empty: it is launched anew for that.
        interrupt: keys that end the turn.
        quit: keys that make it leave, one after the other.
    """

    name: str
    seen_on: str
    argv: tuple[str, ...]
    resume: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    hooks: tuple[Hook, ...] = ()
    session_path: str = ""
    transcript_path: str = ""
    log: LogFormat | None = None
    quiet_s: float | None = None
    settle_s: float = 0.3
    children_work: bool = True
    paste_delay_s: float = 0.3
    confirm_s: float = 3.0
    at_once: AtOnce = "interrupt"
    fresh: str = ""
    interrupt: str = ""
    quit: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """What a profile leaves open: paths of this session, and what the agent is told.

    Attributes:
        worktree: where the agent works.
        files: where the profile's `files` are written.
        hook: the hook client.
        brief: the first prompt.
        session: the agent's own session id, for `resume`.
    """

    worktree: str
    files: str = ""
    hook: str = ""
    brief: str = ""
    session: str = ""


_QUOTED: Final = ("worktree", "files", "hook")


def filled(texts: Sequence[str], places: Places) -> list[str]:
    """Fill in `{worktree}`, `{files}`, `{hook}`, `{brief}` and `{session}`.

    `{worktree_quoted}`, `{files_quoted}` and `{hook_quoted}` are the same as a quoted string of TOML or JSON. What is
    filled in is not looked at again, and other braces are left alone.
    """
    values = {f"{{{name}}}": str(value) for name, value in vars(places).items()}
    values |= {f"{{{name}_quoted}}": json.dumps(vars(places)[name], ensure_ascii=False) for name in _QUOTED}
    pattern = re.compile("|".join(map(re.escape, values)))
    return [pattern.sub(lambda found: values[found[0]], text) for text in texts]


def looked_up(data: Any, path: str) -> Any:
    """What lies at a dotted path in an event's data, a number being a place in a list; None where nothing does."""
    for name in path.split("."):
        match data:
            case dict():
                data = data.get(name)
            case list() if name.isdecimal() and int(name) < len(data):
                data = data[int(name)]
            case _:
                return None
    return data


def fits(where: Mapping[str, re.Pattern[str]], data: Any) -> bool:
    """Whether at each dotted path in an event's data there is something that its pattern is found in."""
    found = ((pattern, looked_up(data, path)) for path, pattern in where.items())
    return all(isinstance(value, str | int | float) and pattern.search(_written(value)) for pattern, value in found)


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)  # so that it is true, not True
