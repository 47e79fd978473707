"""Finds and reads agent profiles. Reads TOML; decides nothing.

A profile is `sessions/profiles/<name>.toml`; a file of the same name under `profiles/` in the person's
configuration directory takes its place.
"""

import re
import sys
from pathlib import Path
from typing import Final, get_args

from harness.text import one_line
from sessions.log_format import log_format
from sessions.profile import AtOnce, Hook, Profile, Rule, Source
from sessions.profile_table import ProfileError, Table
from sessions.states import AgentState

FORMAT: Final = 1
"""Of the file; it changes when an older file would be misread."""

_PACKAGED: Final = Path(__file__).with_name("profiles")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")

# What evidence can say; that the process is gone is not for a pattern to claim.
_STATES: Final = sorted(frozenset(AgentState) - {AgentState.STARTING, AgentState.EXITED})
_HOLD: Final = "hold"


def profile_names(config_home: Path) -> list[str]:
    """The names that `load_profile` knows, sorted: ours and the person's."""
    found = {path.stem for home in _homes(config_home) for path in home.glob("*.toml")}
    return sorted(name for name in found if _NAME.fullmatch(name))


def load_profile(name: str, config_home: Path) -> Profile:
    """Read the profile of that name; the person's own file takes the place of ours.

    `{python}` in its commands becomes the interpreter that runs this program.

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
    table = Table.read(path)
    if (version := table.count("format", FORMAT)) != FORMAT:
        table.fail("format", f"is {version}; this version of autoresearch-tui reads {FORMAT}")
    submit = table.table("submit") or Table(path, "submit.", {})
    ids = table.table("ids") or Table(path, "ids.", {})
    profile = Profile(
        name=path.stem,
        seen_on=table.text("seen_on", ""),
        argv=_command(table, "argv"),
        resume=_command(table, "resume", []),
        environment=table.environment("environment"),
        files=_files(table),
        rules=tuple(_rule(one) for one in table.tables("rule")),
        hooks=tuple(_hook(one) for one in table.tables("hook")),
        session_path=ids.text("session", ""),
        transcript_path=ids.text("transcript", ""),
        log=log_format(table.table("log")),
        quiet_s=table.seconds("quiet_s", None),
        settle_s=table.seconds("settle_s", 0.3) or 0.0,
        children_work=table.flag("children_work", default=True),
        paste_delay_s=submit.seconds("paste_delay_s", 0.3) or 0.0,
        confirm_s=submit.seconds("confirm_s", 3.0) or 0.0,
        at_once=submit.choice("at_once", get_args(AtOnce), "interrupt"),
        fresh=table.text("fresh", ""),
        interrupt=table.text("interrupt", ""),
        quit=tuple(table.texts("quit", [])),
    )
    for one in (table, submit, ids):
        one.done()
    if profile.quiet_s is None and not any(one.state is AgentState.WAITING for one in profile.rules):
        raise ProfileError(f'{path}: nothing says when the agent waits; add quiet_s, or a rule with state = "waiting"')
    return profile


def _command(table: Table, key: str, default: list[str] | None = None) -> tuple[str, ...]:
    words = table.texts(key) if default is None else table.texts(key, default)
    return tuple(one.replace("{python}", sys.executable) for one in words)


def _files(table: Table) -> dict[str, str]:
    files = table.environment("files")
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            table.fail(f"files.{one_line(name, 40)}", "is no plain file name")
    return files


def _rule(table: Table) -> Rule:
    state = table.choice("state", [*_STATES, _HOLD])
    rule = Rule(
        name=table.text("name"),
        state=None if state == _HOLD else AgentState(state),
        source=table.choice("source", get_args(Source)),
        pattern=table.pattern("pattern"),
        bottom=table.count("bottom", 0),
        quiet_s=table.seconds("quiet_s", 0.0) or 0.0,
        answer=table.text("answer", None),
        background=table.flag("background", default=False),
        also=table.patterns("also"),
        reset=table.pattern("reset", None),
    )
    table.done()
    if unknown := sorted(rule.also.keys() - {"osc7501", "title"}):
        table.fail(f"also.{one_line(unknown[0], 40)}", "only osc7501 and title can be asked for")
    for key, states, given in (
        ("answer", (AgentState.ASKING, AgentState.LIMITED), rule.answer is not None),
        ("background", (AgentState.WORKING,), rule.background),
        ("reset", (AgentState.LIMITED,), rule.reset is not None),
    ):
        if given and rule.state not in states:
            table.fail(key, f'only a rule with state = "{states[0]}" has one')
    if rule.bottom and rule.source != "screen":
        table.fail("bottom", 'only a rule with source = "screen" has a bottom')
    if rule.reset is not None and "when" not in rule.reset.groupindex:
        table.fail("reset", "needs a group (?P<when>...) around the words that say when")
    return rule


def _hook(table: Table) -> Hook:
    state = table.choice("state", _STATES, None)
    hook = Hook(table.text("event"), None if state is None else AgentState(state), table.patterns("where"))
    table.done()
    return hook
