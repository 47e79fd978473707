"""How an agent's own session log is read: the table `[log]` of a profile, as a value. Pure; it opens no file.

    format = "jsonl"     one JSON object a line; or "text", one entry a line; or "sqlite", one entry a row
    files = ["{CODEX_HOME:~/.codex}/sessions/*/*/*/rollout-*.jsonl"]
                         where logs may lie. * and ? stand for a part of one name. {worktree} is the agent's working
                         directory, {worktree_slug} the same with a hyphen for all but letters and digits, {files} the
                         session's own directory for the agent. {NAME} is a variable of the agent's environment, without
                         which the line is passed over, {NAME:default} one that has a default.
    cwd = "payload.cwd"  the first entry that has it says where the agent works; the log of another directory is not
                         ours
    cwd_sha256 = "hash"  likewise, for agents that give the directory's SHA-256
    session = "payload.id"   the first entry that has it, and fits `main`, says the agent's own session id
    main = { "payload.thread_source" = '^user$' }
                         without it any entry fits. The logs of sub-agents count all the same
    where = { type = '^token_usage_record$' }
                         the entries that count: all must be found there, and a number of tokens
    input = ["payload.usage.input_tokens"]   output = [...]   cached = [...]   written = [...]   cost = [...]
                         where the numbers are, each the sum of its paths. `input` is all that was read, so where an
                         agent leaves out what came from a cache, name both.
    model = "payload.model"  the last entry that has it says the model
    id = "message.id"    entries with the same id are one; the last holds
    cumulative = true    the numbers are sums so far, for each id
    line = '...'         for "text": a pattern with groups named as above, searched in each line; 2.3k is a number
    query = '...'        for "sqlite": one SELECT, whose columns are the paths, the newest session last. It may use
                         :worktree, :resolved (the same without symbolic links) and :since (seconds since the epoch)

All paths are dotted. A log begun before the session, by the time of its file, is not looked at.
"""

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from sessions.profile_table import Table

Kind = Literal["jsonl", "text", "sqlite"]
NUMBERS: Final = ("input", "cached", "written", "output", "cost")

_NAMES: Final = frozenset({"worktree", "worktree_slug", "files"})
_BRACE: Final = re.compile(r"\{([A-Za-z0-9_]+)(?::([^{}]*))?\}|[{}]")
_GROUPS: Final = frozenset({*NUMBERS, "model"})


@dataclass(frozen=True)
class LogFormat:
    """The table; the keys are explained above.

    Attributes:
        kind: the key `format`.
        files: patterns of paths, braces and all.
        numbers: for each of `NUMBERS` its paths.
        where, main: dotted path -> a pattern that must be found there.
        session, cwd, cwd_sha256, model, id: dotted paths; empty: no entry says it.
        cumulative: whether the numbers are sums so far.
        line: for "text".
        query: for "sqlite".
    """

    kind: Kind
    files: tuple[str, ...]
    numbers: Mapping[str, tuple[str, ...]]
    where: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    main: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    session: str = ""
    cwd: str = ""
    cwd_sha256: str = ""
    model: str = ""
    id: str = ""
    cumulative: bool = False
    line: re.Pattern[str] | None = None
    query: str = ""


def log_format(table: Table | None) -> LogFormat | None:
    """Read the table `[log]`; None where a profile has none.

    Raises:
        ProfileError: it has a mistake.
    """
    if table is None:
        return None
    kind: Kind = table.choice("format", get_args(Kind))
    files = tuple(table.texts("files"))
    for one in files:
        if problem := _problem(one):
            table.fail("files", problem)
    line = table.pattern("line") if kind == "text" else None
    if line is not None:
        if not _GROUPS & line.groupindex.keys():
            table.fail("line", f"needs groups such as (?P<input>...), named as: {', '.join(sorted(_GROUPS))}")
        if unknown := sorted(line.groupindex.keys() - _GROUPS):
            table.fail("line", f"has a group {unknown[0]}; there are {', '.join(sorted(_GROUPS))}")
        read = LogFormat(kind, files, {one: (one,) for one in NUMBERS}, model="model", line=line)
    else:
        numbers = {one: tuple(table.texts(one, [])) for one in NUMBERS}
        if not (numbers["input"] and numbers["output"]):
            table.fail("output" if numbers["input"] else "input", "is missing: where the tokens are")
        read = LogFormat(
            kind=kind,
            files=files,
            numbers=numbers,
            where=table.patterns("where"),
            main=table.patterns("main"),
            session=table.text("session", ""),
            cwd=table.text("cwd", ""),
            cwd_sha256=table.text("cwd_sha256", ""),
            model=table.text("model", ""),
            id=table.text("id", ""),
            cumulative=table.flag("cumulative", default=False),
            query=table.text("query") if kind == "sqlite" else "",
        )
    table.done()
    return read


def _problem(pattern: str) -> str:
    """What is wrong with a pattern of paths; empty where nothing is."""
    for brace in _BRACE.finditer(pattern):
        name = brace[1]
        if name is None:
            return f"has a single {brace[0]}"
        if not name.isupper() and name not in _NAMES:
            return f"{{{name}}} is no placeholder; there are {', '.join(sorted(_NAMES))}, and variables such as HOME"
    return "" if pattern.startswith(("{", "/")) else "must begin with / or a placeholder"


def path_patterns(
    read: LogFormat, worktree: str, files: str, environment: Mapping[str, str], resolved: str = ""
) -> list[str]:
    """The format's `files` with everything filled in, for `glob`; what is filled in stands for itself.

    Args:
        read: the format.
        worktree: absolute path of the agent's working directory.
        files: the session's own directory for the agent.
        environment: the agent's.
        resolved: the worktree without symbolic links, for agents that name their logs by that.
    """
    found: dict[str, None] = {}
    for tree in (worktree, resolved or worktree):
        values = {"worktree": tree, "worktree_slug": re.sub(r"[^A-Za-z0-9]", "-", tree), "files": files}
        for one in read.files:
            if filled := _filled(one, values, environment):
                found[filled] = None
    return list(found)


def _filled(pattern: str, values: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """One pattern, filled in; empty where a variable without a default is not set."""
    missing = False

    def value(brace: re.Match[str]) -> str:
        nonlocal missing
        name, default = brace[1], brace[2]
        given = values[name] if name in values else environment.get(name) or default
        if given is None:
            missing = True
            return ""
        if given == "~" or given.startswith("~/"):
            given = environment.get("HOME", "~") + given[1:]
        return glob.escape(given)

    filled = _BRACE.sub(value, pattern)
    return filled if not missing and filled.startswith("/") else ""
