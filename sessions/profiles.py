"""Agent profiles: data about how to launch, read and answer an agent CLI. Reads TOML; decides nothing.

A profile is `sessions/profiles/<name>.toml`; a file of the same name under `profiles/` in the person's
configuration directory takes its place. Unknown keys and bad patterns are errors that name the file: a typing
mistake must not cost a night.
"""

import json
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from harness.errors import ClearError
from harness.text import one_line
from sessions.states import AgentState

Source = Literal["osc7501", "title", "screen"]

_PACKAGED: Final = Path(__file__).with_name("profiles")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

# What evidence on a terminal can say; that the process is gone is not for a pattern to claim.
_RULE_STATES: Final = frozenset(AgentState) - {AgentState.STARTING, AgentState.EXITED}


class ProfileError(ClearError):
    """A profile that is missing or has a mistake; the text names the file and the key."""


@dataclass(frozen=True)
class Rule:
    """One piece of evidence: where to look, for what, and what it means.

    Attributes:
        name: shown to the person and journaled.
        state: what the agent is doing when the rule matches.
        source: "osc7501" (the last OSC 7501 payload), "title", or "screen".
        pattern: searched in the source; on the screen, in each row of the region.
        bottom: for "screen": only the last so many rows that are not blank (0: the whole screen).
        quiet_s: the rule counts only while screen and title have been unchanged for so long.
        answer: keys to send when the rule means `asking` and the person allowed safe answers; None: call her.
    """

    name: str
    state: AgentState
    source: Source
    pattern: re.Pattern[str]
    bottom: int = 0
    quiet_s: float = 0.0
    answer: str | None = None


@dataclass(frozen=True)
class Profile:
    """One agent.

    Attributes:
        name: what `--agent` takes.
        seen_on: the agent's version that the rules were seen on; detectors rot.
        argv: the command; `command` fills in what it leaves open. Empty: the person gives one.
        brief_in_argv: whether argv carries the first prompt, so that it need not be typed.
        environment: added to the agent's.
        rules: in order of trust; the first that matches wins.
        quiet_s: with no rule matching, a screen unchanged for so long, without busy child processes, is
            `waiting`, and a screen that changes is `working`; None: neither says anything about this agent, and
            it keeps its previous state.
        settle_s: a state must hold so long before it counts; `working` counts at once.
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


def command(argv: Sequence[str], *, worktree: str, brief: str) -> list[str]:
    """Fill in an agent's command.

    `{worktree}` becomes that path, `{worktree_quoted}` the same as a quoted string of TOML or JSON, `{brief}` the
    first prompt. What is filled in is not looked at again, and other braces are left alone.
    """
    values = {"{worktree}": worktree, "{worktree_quoted}": json.dumps(worktree, ensure_ascii=False), "{brief}": brief}
    pattern = re.compile("|".join(map(re.escape, values)))
    return [pattern.sub(lambda found: values[found[0]], argument) for argument in argv]


def profile_names(config_home: Path) -> list[str]:
    """The names that `load_profile` knows, sorted: ours and the person's."""
    found = {path.stem for home in _homes(config_home) for path in home.glob("*.toml")}
    return sorted(name for name in found if _NAME.fullmatch(name))


def load_profile(name: str, config_home: Path) -> Profile:
    """Read the profile of that name; the person's own file takes the place of ours.

    `{python}` in its command becomes the interpreter that runs this program.

    Raises:
        ProfileError: there is none, or its file has a mistake.
    """
    if _NAME.fullmatch(name):
        for home in _homes(config_home):
            path = home / f"{name}.toml"
            if path.is_file():
                return _read(path)
    known = ", ".join(profile_names(config_home))
    raise ProfileError(f"no agent profile {one_line(name, 40)!r}; known are {known}, or give any command after --")


def _homes(config_home: Path) -> tuple[Path, ...]:
    return (config_home / "profiles", _PACKAGED)


def _read(path: Path) -> Profile:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read: {one_line(str(error))}") from None
    table = _Table(path, "", data)
    argv = tuple(one.replace("{python}", sys.executable) for one in table.texts("argv"))
    brief_in_argv = any("{brief}" in one for one in argv)
    profile = Profile(
        name=path.stem,
        seen_on=table.text("seen_on", ""),
        argv=argv,
        brief_in_argv=brief_in_argv,
        environment=table.environment("environment"),
        rules=tuple(_rule(one) for one in table.tables("rule")),
        quiet_s=table.seconds("quiet_s", None),
        settle_s=table.seconds("settle_s", 0.3) or 0.0,
        paste_delay_s=table.seconds("paste_delay_s", 0.3) or 0.0,
        confirm_s=table.seconds("confirm_s", 3.0) or 0.0,
    )
    table.done()
    if profile.quiet_s is None and not any(one.state is AgentState.WAITING for one in profile.rules):
        raise ProfileError(f'{path}: nothing says when the agent waits; add quiet_s, or a rule with state = "waiting"')
    return profile


def _rule(table: "_Table") -> Rule:
    rule = Rule(
        name=table.text("name"),
        state=AgentState(table.choice("state", sorted(_RULE_STATES))),
        source=table.choice("source", get_args(Source)),
        pattern=table.pattern("pattern"),
        bottom=table.count("bottom", 0),
        quiet_s=table.seconds("quiet_s", 0.0) or 0.0,
        answer=table.text("answer", None),
    )
    table.done()
    if rule.answer is not None and rule.state is not AgentState.ASKING:
        table.fail("answer", 'only a rule with state = "asking" has an answer')
    if rule.bottom and rule.source != "screen":
        table.fail("bottom", 'only a rule with source = "screen" has a bottom')
    return rule


_REQUIRED: Final = object()


class _Table:
    """A TOML table that is taken key by key; what is left over at the end was a typing mistake."""

    def __init__(self, path: Path, where: str, data: dict[str, Any]) -> None:
        self._path, self._where, self._data = path, where, dict(data)

    def fail(self, key: str, problem: str) -> None:
        raise ProfileError(f"{self._path}: {self._where}{key}: {problem}")

    def _take(self, key: str, kinds: tuple[type, ...], expected: str, default: Any) -> Any:
        if key not in self._data and default is not _REQUIRED:
            return default
        value = self._data.pop(key, None)
        # TOML's true is no number here, though Python's is.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.fail(key, f"{'is missing' if value is None else 'must be'}: {expected}")
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> Any:
        return self._take(key, (str,), "a text", default)

    def seconds(self, key: str, default: float | None) -> float | None:
        value = self._take(key, (int, float), "seconds", default)
        if value is not None and not 0 <= value < float("inf"):
            self.fail(key, "must be: seconds, 0 or more")
        return value if value is None else float(value)

    def count(self, key: str, default: int) -> int:
        value: int = self._take(key, (int,), "a whole number", default)
        if value < 0:
            self.fail(key, "must be: a whole number, 0 or more")
        return value

    def choice(self, key: str, options: Sequence[str]) -> Any:
        value = self._take(key, (str,), f"one of {', '.join(options)}", _REQUIRED)
        if value not in options:
            self.fail(key, f"must be: one of {', '.join(options)}")
        return value

    def pattern(self, key: str) -> re.Pattern[str]:
        try:
            return re.compile(self.text(key))
        except re.error as error:
            self.fail(key, f"is no regular expression: {error}")
            raise  # unreachable, and says so to the type checker

    def texts(self, key: str) -> list[str]:
        value: list[str] = self._take(key, (list,), "a list of texts", _REQUIRED)
        if not all(isinstance(one, str) for one in value):
            self.fail(key, "must be: a list of texts")
        return value

    def environment(self, key: str) -> dict[str, str]:
        value: dict[str, str] = self._take(key, (dict,), "a table of texts", {})
        if not all(isinstance(one, str) for one in value.values()):
            self.fail(key, "must be: a table of texts")
        return value

    def tables(self, key: str) -> list["_Table"]:
        value = self._take(key, (list,), f"written as [[{key}]]", [])
        if not all(isinstance(one, dict) for one in value):
            self.fail(key, f"must be: written as [[{key}]]")
        return [
            _Table(self._path, f"{key} {n} ({one.get('name', 'no name')}): ", one) for n, one in enumerate(value, 1)
        ]

    def done(self) -> None:
        if self._data:
            key = next(iter(self._data))
            self.fail(key, "is an unknown key")
