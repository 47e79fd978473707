"""Agent profiles: data about how to launch, read and answer an agent CLI. Reads TOML; decides nothing.

A profile is `sessions/profiles/<name>.toml`; a file of the same name under `profiles/` in the person's
configuration directory takes its place. Unknown keys and bad patterns are errors that name the file: a typing
mistake must not cost a night.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sessions.states import AgentState

Source = Literal["osc7501", "title", "screen"]


@dataclass(frozen=True)
class Rule:
    """One piece of evidence: where to look, for what, and what it means.

    Attributes:
        name: shown to the person and journaled.
        state: what the agent is doing when the rule matches.
        source: "osc7501" (the last OSC 7501 payload), "title", or "screen".
        pattern: searched in the source; on the screen, in each row of the region.
        bottom: for "screen": only the last so many rows that are not blank (0: the whole screen).
        answer: keys to send when the rule means `asking` and the person allowed safe answers; None: call her.
    """

    name: str
    state: AgentState
    source: Source
    pattern: re.Pattern[str]
    bottom: int = 0
    answer: str | None = None


@dataclass(frozen=True)
class Profile:
    """One agent.

    Attributes:
        name: what `--agent` takes.
        seen_on: the agent's version that the rules were seen on; detectors rot.
        argv: the command, the brief left out; `{worktree}` and `{brief}` are filled in as whole-argument text.
        brief_in_argv: whether argv carries the first prompt, so that it need not be typed.
        environment: added to the agent's.
        rules: in order of trust; the first that matches wins.
        quiet_s: with no rule matching, a screen unchanged for so long, without busy child processes, is
            `waiting`; None: silence says nothing about this agent, and it keeps its previous state.
        settle_s: a state must hold so long before it counts.
        paste_delay_s: between the pasted text and Enter.
        confirm_s: no sign of work so long after Enter: press Enter once more.
    """

    name: str
    seen_on: str
    argv: tuple[str, ...]
    brief_in_argv: bool
    environment: dict[str, str]
    rules: tuple[Rule, ...]
    quiet_s: float | None
    settle_s: float
    paste_delay_s: float
    confirm_s: float
