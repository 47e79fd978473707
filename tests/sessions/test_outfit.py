"""What an agent is given at its launch."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from sessions.conversation import Conversation
from sessions.nudge_queue import NudgeQueue
from sessions.outfit import SESSION_VARIABLE, outfit
from sessions.profile import Hook, Profile
from sessions.signals import Identity
from sessions.spec import SessionSpec
from sessions.states import AgentState
from sessions.store import SessionDir

_PROFILE = Profile(
    name="mine",
    seen_on="mine 1.0",
    argv=("mine", "--settings", "{files}/settings.json", "{brief}"),
    resume=("resume", "{session}"),
    environment={"MINE_HOOK": "{hook}"},
    files={"settings.json": '{"run": [{hook_quoted}, "Stop"]}'},
    hooks=(Hook("Stop", AgentState.WAITING),),
)
_SPEC = SessionSpec(
    session="s",
    agent="mine",
    argv=["/opt/mine", "--my-flag", "{brief}"],
    lab="/lab",
    branch="autoresearch/s",
    base="0" * 40,
    corpus="/corpus",
    preset="embedded",
    budget_s=1.0,
)


@pytest.fixture
def session(tmp_path: Path) -> SessionDir:
    """A session's directory."""
    (tmp_path / "bin").mkdir()
    return SessionDir(tmp_path)


def test_a_first_launch_carries_the_brief(session: SessionDir) -> None:
    """Without a conversation to come back to, the person's own words are the command, filled in."""
    given = outfit(_SPEC, _PROFILE, session, "Read.", "")
    assert given.argv == ["/opt/mine", "--my-flag", "Read."]
    assert (given.resumes, given.has_brief) == (False, True)


def test_a_resumed_agent_keeps_the_persons_words(session: SessionDir) -> None:
    """The words that bring it back go after the program; the person's stay; the brief is not given a second time."""
    given = outfit(_SPEC, _PROFILE, session, "Read.", "abc-1")
    assert given.argv == ["/opt/mine", "resume", "abc-1", "--my-flag"]
    assert (given.resumes, given.has_brief) == (True, False)


def test_another_program_is_not_resumed(session: SessionDir) -> None:
    """A command that is not the profile's program gets none of its words."""
    given = outfit(replace(_SPEC, argv=["wrapper", "mine"]), _PROFILE, session, "Read.", "abc-1")
    assert (given.argv, given.resumes) == (["wrapper", "mine"], False)


def test_the_environment_is_the_persons_with_ours(session: SessionDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Her variables stay; ours are filled in; our command is first on PATH; the session's mark is there."""
    monkeypatch.setenv("HER_KEY", "secret")
    environment = outfit(_SPEC, _PROFILE, session, "", "").environment
    assert environment["HER_KEY"] == "secret"
    assert environment["MINE_HOOK"] == str(session.hook)
    assert environment["PATH"].split(os.pathsep)[0] == str(session.bin)
    assert environment[SESSION_VARIABLE] == str(session.path)


def test_files_are_the_sessions_own(session: SessionDir) -> None:
    """The agent's settings and the hook client are written in the session's directory, for its owner alone."""
    outfit(_SPEC, _PROFILE, session, "", "")
    settings = session.agent_files / "settings.json"
    assert settings.read_text() == f'{{"run": ["{session.hook}", "Stop"]}}'
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert stat.S_IMODE(session.agent_files.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.hook.stat().st_mode) == 0o700


def test_a_conversation_survives_its_supervisor(tmp_path: Path) -> None:
    """What the agent said of its conversation is known to the next supervisor, until it is forgotten."""
    path = tmp_path / "agent.json"
    assert Conversation(path).learn(Identity("abc-1", "/log"))
    later = Conversation(path)
    assert later.identity == Identity("abc-1", "/log")
    assert not later.learn(Identity("abc-1", "/log"))
    later.forget()
    assert Conversation(path).identity == Identity()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"session": 3}', "\0"])
def test_a_broken_record_of_it_is_none(tmp_path: Path, text: str) -> None:
    """A file that is no record means that no conversation is known."""
    (tmp_path / "agent.json").write_text(text)
    assert Conversation(tmp_path / "agent.json").identity == Identity()


def test_urgent_nudges_go_first_and_none_is_lost(tmp_path: Path) -> None:
    """Nudges keep their order, the urgent ones before the others, also across supervisors; garbage is none."""
    path = tmp_path / "nudges.json"
    queue = NudgeQueue(path)
    for text, urgent in (("one", False), ("two", True), ("three", False), ("four", True)):
        queue.add(text, urgent=urgent)
    again = NudgeQueue(path)
    assert again.texts == ("two", "four", "one", "three")
    assert again.urgent
    assert [again.pop() for _ in range(3)] == ["two", "four", "one"]
    assert not NudgeQueue(path).urgent
    assert NudgeQueue(path).texts == ("three",)
    path.write_text('[["x"], {"text": 3}]')
    assert NudgeQueue(path).texts == ()
