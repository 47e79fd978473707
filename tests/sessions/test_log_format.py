"""How a profile says where its agent's log lies and what an entry means."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.log_entry import entries_of, entry_of
from sessions.log_format import LogFormat, log_format, path_patterns
from sessions.profile_table import ProfileError, Table
from sessions.profiles import load_profile, profile_names
from sessions.usage import Usage

_GOOD = """
format = "jsonl"
files = ["{MY_HOME:~/.mine}/{worktree_slug}/*.jsonl", "{OTHER}/x", "{worktree}/log", "{files}/log", "/var/log/mine"]
where = { kind = '^answer$' }
input = ["use.in", "use.cache"]
cached = ["use.cache"]
output = ["use.out"]
cost = ["use.cost"]
session = "head.id"
model = "use.model"
"""
_TEXT = """
format = "text"
files = ["{worktree}/log"]
line = '^Tokens: (?P<input>\\S+) sent, (?P<output>\\S+) received\\.(?: Cost: (?P<cost>\\S+))?'
"""


def read(text: str, folder: Path) -> LogFormat:
    path = folder / "mine.toml"
    path.write_text("[log]\n" + text)
    found = log_format(Table.read(path).table("log"))
    assert found is not None
    return found


@pytest.fixture
def good(tmp_path: Path) -> LogFormat:
    return read(_GOOD, tmp_path)


def test_a_profile_without_the_table_has_no_log(tmp_path: Path) -> None:
    """No table, no log; nobody has to know one."""
    assert log_format(None) is None
    assert load_profile("generic", tmp_path).log is None


@pytest.mark.parametrize("name", profile_names(Path("/nonexistent")))
def test_packaged_logs_lie_somewhere(name: str, tmp_path: Path) -> None:
    """Each packaged log has a place below a home or a worktree, with nothing left to fill in."""
    found = load_profile(name, tmp_path).log
    if found is not None:
        patterns = path_patterns(found, "/w", "/f", {"HOME": "/home/ada"})
        assert patterns
        assert all(one.startswith(("/home/ada/", "/w/", "/f/")) and "{" not in one for one in patterns)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_GOOD.replace("files", "flies"), "log.files: is missing"),
        (_GOOD + "unique = true", "log.unique: is an unknown key"),
        (_GOOD.replace("jsonl", "xml", 1), "log.format: must be: one of jsonl, text, sqlite"),
        (_GOOD.replace("{OTHER}", "{other}"), "log.files: {other} is no placeholder"),
        (_GOOD.replace("{OTHER}", "{OTHER"), "log.files: has a single {"),
        (_GOOD.replace("/var/log", "var/log"), "log.files: must begin with /"),
        (_GOOD.replace("^answer$", "^(answer$"), "log.where.kind: is no regular expression"),
        (_GOOD.replace('output = ["use.out"]', ""), "log.output: is missing"),
        (_GOOD.replace('["use.out"]', '"use.out"'), "log.output: must be: a list of texts"),
        (_GOOD + "query = 'SELECT 1'", "log.query: is an unknown key"),
        (_GOOD.replace("jsonl", "sqlite", 1), "log.query: is missing"),
        (_TEXT.replace("<input>", "<inputs>"), "log.line: has a group inputs"),
        (_TEXT.replace("line", "lines"), "log.line: is missing"),
        ("format = 'text'\nfiles = []\nline = 'x'", "log.line: needs groups"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    """A mistake is one line that names the file and the key."""
    with pytest.raises(ProfileError) as caught:
        read(text, tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_places_are_filled_in(good: LogFormat) -> None:
    """Variables, their defaults, ~ and the session's own places become paths; an unset variable drops its line."""
    assert path_patterns(good, "/w/a.b", "/f", {"HOME": "/home/ada"}) == [
        "/home/ada/.mine/-w-a-b/*.jsonl",
        "/w/a.b/log",
        "/f/log",
        "/var/log/mine",
    ]
    found = path_patterns(good, "/w", "/f", {"HOME": "/home/ada", "MY_HOME": "/m", "OTHER": "~"})
    assert found[:2] == ["/m/-w/*.jsonl", "/home/ada/x"]


def test_what_is_filled_in_is_no_pattern(good: LogFormat) -> None:
    """A bracket or a star in a path stands for itself; a relative variable is no place."""
    found = path_patterns(good, "/w/[x]*", "/f", {"HOME": "/home/ada", "MY_HOME": "relative"})
    assert "/w/[[]x][*]/log" in found
    assert not any(one.startswith("relative") for one in found)


def test_both_names_of_a_worktree_are_looked_for(good: LogFormat) -> None:
    """Where the worktree is reached by a symbolic link, an agent may name its log by either path."""
    found = path_patterns(good, "/link", "/f", {"HOME": "/h"}, "/real")
    assert {"/h/.mine/-link/*.jsonl", "/h/.mine/-real/*.jsonl"} <= set(found)
    assert len(found) == len(set(found))


def test_an_entry_says_what_its_paths_hold(good: LogFormat) -> None:
    """Numbers are summed over their paths, and names are taken from theirs."""
    data = {
        "kind": "answer",
        "use": {"in": 5, "cache": 3, "out": 2, "cost": 0.5, "model": "m\x1b[0m1"},
        "head": {"id": "s1"},
    }
    entry = entry_of(good, data)
    assert entry.usage == Usage(input=8, cached=3, output=2, cost=0.5)
    assert (entry.session, entry.model) == ("s1", "m1")


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "question", "use": {"in": 5, "out": 2}},
        {"use": {"in": 5, "out": 2}},
        {"kind": "answer", "use": None},
        {"kind": "answer", "use": {"cost": 1.0, "cache": None}},
        {"kind": "answer", "use": {"in": "5", "out": True}},
        {"kind": "answer", "use": {"in": -5, "out": 10**400}},
        {"kind": "answer", "use": {"in": float("nan"), "out": float("inf")}},
        [{"kind": "answer"}],
        None,
        "answer",
    ],
)
def test_an_entry_without_tokens_does_not_count(good: LogFormat, data: Any) -> None:
    """What is of another kind, or has no number where the tokens should be, is no usage and no error."""
    assert entry_of(good, data).usage is None


def test_a_cost_of_nothing_is_unknown(good: LogFormat) -> None:
    """Agents write 0 for a model whose price they do not know."""
    usage = entry_of(good, {"kind": "answer", "use": {"in": 5, "out": 1, "cost": 0}}).usage
    assert usage == Usage(input=5, output=1, unpriced=6)


@pytest.mark.parametrize("session", ["--yolo", "../../x", "a b", "", "x" * 200, 7])
def test_a_session_id_that_could_be_something_else_is_none(good: LogFormat, session: Any) -> None:
    """An id becomes a word of a command line: what looks like an option or a path is not taken over."""
    assert not entry_of(good, {"head": {"id": session}}).session


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: json.dumps({"kind": text}).encode()))
def test_no_line_is_an_error(line: bytes) -> None:
    """Whatever bytes a line has, it is an entry or none."""
    log = LogFormat("jsonl", (), dict.fromkeys(("input", "cached", "written", "output", "cost"), ("a.b",)))
    assert all(entry_of(log, data).usage is None for data in entries_of(log, line))


def test_a_line_of_brackets_or_digits_is_none(good: LogFormat) -> None:
    """Nesting without end and numbers without end are passed over."""
    assert not list(entries_of(good, b"[" * 100_000))
    assert not list(entries_of(good, b'{"use": ' + b"9" * 10_000 + b"}"))


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("Tokens: 2.3k sent, 120 received. Cost: $0.0034 message", Usage(2300, 0, 0, 120, cost=0.0034)),
        ("Tokens: 1,234 sent, 1.5M received.", Usage(1234, 0, 0, 1_500_000, 1_501_234)),
        ("Tokens: some sent, 5 received.", Usage(0, 0, 0, 5, 5)),
        ("said: Tokens: 5 sent, 5 received.", None),
        ("Tokens: lots sent, few received.", None),
    ],
)
def test_a_text_has_its_numbers_in_groups(tmp_path: Path, line: str, usage: Usage | None) -> None:
    """A line of text that fits the pattern is an entry; 2.3k is 2300."""
    log = read(_TEXT, tmp_path)
    found = [entry_of(log, data).usage for data in entries_of(log, line.encode())]
    assert [one for one in found if one] == ([usage] if usage else [])
