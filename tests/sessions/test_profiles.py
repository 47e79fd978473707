"""Profiles: what is read from TOML, and what a mistake in one says."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from sessions.profile import Places, filled
from sessions.profile_table import ProfileError
from sessions.profiles import load_profile, profile_names
from sessions.states import AgentState

_GOOD = """
seen_on = "my-agent 1.0"
argv = ["my-agent", "{worktree}"]
quiet_s = 2

[environment]
MY_AGENT = "1"

[[rule]]
name = "asks"
state = "asking"
source = "screen"
pattern = 'Sure\\?'
bottom = 2
answer = "y"
"""


def _write(home: Path, text: str, name: str = "mine") -> Path:
    path = home / "profiles" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names(Path("/nonexistent")))
def test_packaged_profile_loads(name: str, tmp_path: Path) -> None:
    """Every packaged profile loads, says what it was seen on, and can find an agent waiting."""
    profile = load_profile(name, tmp_path)
    assert profile.seen_on
    assert profile.quiet_s is not None or AgentState.WAITING in {rule.state for rule in profile.rules}


def test_names_are_ours_and_the_persons(tmp_path: Path) -> None:
    """The known names are the packaged ones and the person's, sorted, without files that cannot be a name."""
    _write(tmp_path, _GOOD)
    _write(tmp_path, _GOOD, "Not A Name")
    names = profile_names(tmp_path)
    assert names == sorted({*profile_names(Path("/nonexistent")), "mine"})
    assert {"claude", "codex", "demo", "gemini", "generic"} <= set(names)


def test_every_key_is_read(tmp_path: Path) -> None:
    """What the file says is what the profile holds."""
    _write(tmp_path, _GOOD)
    profile = load_profile("mine", tmp_path)
    assert (profile.name, profile.argv, profile.quiet_s) == ("mine", ("my-agent", "{worktree}"), 2.0)
    assert profile.environment == {"MY_AGENT": "1"}
    (rule,) = profile.rules
    assert (rule.name, rule.state, rule.source, rule.bottom, rule.answer) == ("asks", "asking", "screen", 2, "y")
    assert rule.pattern.search("Are you Sure?")


def test_the_persons_file_wins(tmp_path: Path) -> None:
    """A file of the person's takes the place of the packaged profile of that name."""
    _write(tmp_path, _GOOD, "codex")
    assert load_profile("codex", tmp_path).seen_on == "my-agent 1.0"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (_GOOD.replace("quiet_s", "quite_s"), "quite_s"),
        (_GOOD.replace("bottom", "botom"), "rule 1 (asks): botom"),
        (_GOOD.replace("Sure\\?", "Sure("), "rule 1 (asks): pattern"),
        (_GOOD.replace('"asking"', '"sleeping"'), "rule 1 (asks): state"),
        (_GOOD.replace('"asking"', '"exited"'), "rule 1 (asks): state"),
        (_GOOD.replace('"asking"', '"working"'), "rule 1 (asks): answer"),
        (_GOOD.replace('"screen"', '"title"'), "rule 1 (asks): bottom"),
        (_GOOD.replace('"screen"', '"smell"'), "rule 1 (asks): source"),
        (_GOOD.replace("bottom = 2", "bottom = true"), "rule 1 (asks): bottom"),
        (_GOOD.replace("bottom = 2", "bottom = -1"), "rule 1 (asks): bottom"),
        (_GOOD.replace('name = "asks"', ""), "rule 1 (no name): name"),
        (_GOOD.replace("quiet_s = 2", 'quiet_s = "2"'), "quiet_s"),
        (_GOOD.replace("quiet_s = 2", "quiet_s = nan"), "quiet_s"),
        (_GOOD.replace("quiet_s = 2", "quiet_s = -1"), "quiet_s"),
        (_GOOD.replace("quiet_s = 2", ""), "quiet_s"),
        (_GOOD.replace('["my-agent", "{worktree}"]', '"my-agent"'), "argv"),
        (_GOOD.replace('["my-agent", "{worktree}"]', '["my-agent", 1]'), "argv"),
        (_GOOD.replace('MY_AGENT = "1"', "MY_AGENT = 1"), "environment"),
        (_GOOD.replace("[[rule]]", "[rule]"), "rule"),
        ("argv = [", "cannot be read"),
    ],
)
def test_a_mistake_names_file_and_key(text: str, key: str, tmp_path: Path) -> None:
    """A mistake is one line that names the file and the key."""
    path = _write(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_profile("mine", tmp_path)
    said = str(caught.value)
    assert str(path) in said
    assert key in said
    assert "\n" not in said


@pytest.mark.parametrize("name", ["nobody", "../../etc/passwd", ""])
def test_an_unknown_name_lists_the_known(name: str, tmp_path: Path) -> None:
    """A profile that does not exist is an error that says which do, and no path is made from its name."""
    with pytest.raises(ProfileError, match="claude, codex"):
        load_profile(name, tmp_path)


def test_a_command_is_filled_in_once() -> None:
    """Only the known braces are replaced, and what was filled in is not looked at again."""
    argv = ["a", "{worktree}/x", "-c", "t={{worktree_quoted}={b}}", "{brief}", "{unknown}"]
    assert filled(argv, Places(worktree="/w {brief}", brief="read {worktree}")) == [
        "a",
        "/w {brief}/x",
        "-c",
        't={"/w {brief}"={b}}',
        "read {worktree}",
        "{unknown}",
    ]


def test_codex_trusts_a_worktree_with_any_path(tmp_path: Path) -> None:
    """The trust that Codex is told of on its command line is TOML for that folder, whatever its name."""
    worktree = '/home/o\'neil/a.b "c" \\d'
    argv = filled(load_profile("codex", tmp_path).argv, Places(worktree))
    (override,) = [one for one in argv if one.startswith("projects=")]
    assert tomllib.loads(override) == {"projects": {worktree: {"trust_level": "trusted"}}}
    assert json.dumps(worktree) in override


def test_the_demo_runs_under_this_interpreter(tmp_path: Path) -> None:
    """The demo agent is started with the interpreter that runs us, closed to the lab's own modules."""
    assert load_profile("demo", tmp_path).argv[:2] == (sys.executable, "-I")
