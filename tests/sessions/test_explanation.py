"""Explanations: what would make us type is what the policy itself says."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.bounds import Limits
from sessions.detector import Detection, View
from sessions.explanation import explain, would
from sessions.profiles import load_profile
from sessions.reset_time import Reset
from sessions.situation import Memory, Situation
from sessions.states import AgentState, Phase

_LIMITS = Limits()
_PROFILE = load_profile("generic", Path("/nonexistent"))


def _at(state: AgentState) -> Situation:
    return Situation(Detection(state, 100.0, "rule", "what it saw"), wall=1000.0)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (_at(AgentState.WORKING), ["its turn ends"]),
        (replace(_at(AgentState.WAITING), pending=True), ["the experiment in progress ends"]),
        (replace(_at(AgentState.WORKING), pending=True), ["its turn ends", "the experiment in progress ends"]),
        (replace(_at(AgentState.WAITING), phase=Phase.PAUSED), ["you resume the session"]),
        (replace(_at(AgentState.WAITING), wheel_held=True), ["the wheel is given back"]),
        (replace(_at(AgentState.WAITING), typed_at=95.0), ["5 s pass"]),
        (replace(_at(AgentState.WAITING), quiet_s=600.0), ["the quiet hours end"]),
        (replace(_at(AgentState.WORKING), quiet_s=600.0), ["its turn ends", "the quiet hours end"]),
    ],
)
def test_the_fewest_things_that_would_do(situation: Situation, expected: list[str]) -> None:
    """What is named is enough for the policy to type, and nothing of it could be left out."""
    assert would(Memory(), situation, _LIMITS, 100.0) == expected


def test_a_resume_forgives() -> None:
    """A session that parked for want of progress needs a person's word, and that alone."""
    parked = replace(_at(AgentState.WAITING), phase=Phase.PARKED)
    assert would(Memory(idle_nudges=5), parked, _LIMITS, 100.0) == ["you resume the session"]


def test_a_limit_is_waited_out() -> None:
    """At a usage limit with a known end, time alone is enough."""
    detection = Detection(AgentState.LIMITED, 100.0, "r", "e", reset=Reset(1300.0, 60.0), reset_by=400.0)
    memory = Memory(alerted=(AgentState.LIMITED, 100.0))
    assert would(memory, replace(_at(AgentState.LIMITED), detection=detection), _LIMITS, 100.0) == ["360 s pass"]


@given(
    state=st.sampled_from(AgentState),
    phase=st.sampled_from(Phase),
    pending=st.booleans(),
    wheel=st.booleans(),
    typed=st.none() | st.floats(0, 100),
    quiet=st.none() | st.floats(1, 1e5),
    idle=st.integers(0, 6),
)
def test_everything_can_be_explained(
    state: AgentState, phase: Phase, pending: bool, wheel: bool, typed: float | None, quiet: float | None, idle: int
) -> None:
    """Every situation has an explanation, as one record whose texts are single lines."""
    situation = replace(_at(state), phase=phase, pending=pending, wheel_held=wheel, typed_at=typed, quiet_s=quiet)
    explanation = explain(_PROFILE, View(("> ",)), Memory(idle_nudges=idle), situation, _LIMITS, 100.0)
    assert all("\n" not in text for text in [*explanation.would, explanation.holding, explanation.evidence])
    assert len(explanation.seen) == len(_PROFILE.rules)
