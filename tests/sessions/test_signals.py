"""What an agent's events mean: the profile's hooks, conversations that are not ours, garbage."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.profile import Hook, Profile
from sessions.signals import Identity, Signal, heard
from sessions.states import AgentState

_PROFILE = Profile(
    name="mine",
    seen_on="mine 1.0",
    argv=("mine",),
    hooks=(
        Hook("Start", None),
        Hook("Stop", AgentState.WAITING),
        Hook("Fail", AgentState.LIMITED, {"error.kind": re.compile("^rate_limit$")}),
        Hook("Fail", AgentState.FAILING),
    ),
    session_path="session_id",
    transcript_path="log.path",
)
_OURS = Identity("abc-1", "/log")

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def _heard(event: str, data: Any, known: Identity = _OURS) -> tuple[Signal | None, Identity]:
    return heard(_PROFILE, event, data, known, 7.0)


def test_the_end_of_a_turn_is_a_signal() -> None:
    """An event that the profile gives a state is that state, at the time it was heard."""
    signal, identity = _heard("Stop", {"session_id": "abc-1"})
    assert signal == Signal(AgentState.WAITING, 7.0, "Stop", "the agent reported Stop")
    assert identity == _OURS


def test_the_first_fitting_hook_decides() -> None:
    """Where an event has several meanings, the first whose conditions hold is taken, and it says what it saw."""
    limited, _ = _heard("Fail", {"error": {"kind": "rate_limit"}})
    assert limited is not None
    assert (limited.state, limited.evidence) == (AgentState.LIMITED, "the agent reported Fail: rate_limit")
    failing, _ = _heard("Fail", {"error": {"kind": "overloaded"}})
    assert failing is not None
    assert failing.state is AgentState.FAILING


def test_another_conversation_of_the_agents_says_nothing_of_ours() -> None:
    """The end of a turn in a conversation beside ours, such as the one that makes a title, is no end of ours."""
    assert _heard("Stop", {"session_id": "title-2"}) == (None, _OURS)


def test_a_start_names_our_conversation() -> None:
    """An event without a state tells which conversation is ours from now on, and where its log lies."""
    assert _heard("Start", {"session_id": "new-3", "log": {"path": "/l"}}) == (None, Identity("new-3", "/l"))


@pytest.mark.parametrize("session", ["--dangerous", "-c", "a b", "../x", "", "a" * 200, 7, None, ["a"]])
def test_an_id_that_could_be_an_option_is_no_id(session: object) -> None:
    """What could not be a session id, and would be a word of the next command line, is not taken for one."""
    assert _heard("Start", {"session_id": session}) == (None, _OURS)


@given(event=st.text(), data=_json)
def test_garbage_is_nothing(event: str, data: Any) -> None:
    """Whatever is sent under a name that no hook has changes nothing."""
    if event not in {"Start", "Stop", "Fail"}:
        assert _heard(event, data) == (None, _OURS)


@given(event=st.sampled_from(["Start", "Stop", "Fail"]), data=_json)
def test_data_of_any_shape_are_survived(event: str, data: Any) -> None:
    """Data of any shape give at most a signal in one clean line."""
    signal, _ = _heard(event, data)
    assert signal is None or signal.evidence.isprintable()
