"""The judges look again exactly when something is due to mean something, and never in a rush."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sessions.detector import Detection
from sessions.looking import LOOK_AFTER_OUTPUT_S, LOOK_S, pause_s
from sessions.profile import Profile
from sessions.states import AgentState

_PROFILE = Profile("x", "", (), quiet_s=1.0, settle_s=0.15)
_WORKING = Detection(AgentState.WORKING, 0.0)


def test_output_is_looked_at_sooner_than_silence() -> None:
    """Without anything due, the pause is short after output and longer without."""
    assert pause_s(_PROFILE, _WORKING, 0.0, 5.0, stirred=True) == LOOK_AFTER_OUTPUT_S
    assert pause_s(_PROFILE, _WORKING, 0.0, 5.0, stirred=False) == LOOK_S
    assert pause_s(_PROFILE, None, 0.0, 5.0, stirred=False) == LOOK_S


@given(st.floats(0, 1e6), st.floats(0.05, 2.0), st.floats(0, 0.3), st.booleans())
def test_what_is_due_is_seen_at_the_next_look_after_it(
    since: float, settle_s: float, waited: float, stirred: bool
) -> None:
    """A state that has just settled, by the clock's own arithmetic, is looked at within hundredths of a second."""
    candidate = replace(_WORKING, candidate=AgentState.WAITING, candidate_since=since)
    profile = replace(_PROFILE, quiet_s=None, settle_s=settle_s)
    now = since + waited
    while now - since < settle_s:
        now += pause_s(profile, candidate, since, now, stirred=stirred)
    assert now - since < max(waited, settle_s) + 0.03


@given(st.floats(0, 1e6), st.floats(0.05, 2.0), st.booleans())
def test_a_silence_is_looked_at_when_it_is_long_enough(changed_at: float, quiet_s: float, stirred: bool) -> None:
    """Likewise a silence that a profile gives a meaning to."""
    profile, now = replace(_PROFILE, quiet_s=quiet_s), changed_at
    while now - changed_at < quiet_s:
        now += pause_s(profile, _WORKING, changed_at, now, stirred=stirred)
    assert now - changed_at < quiet_s + 0.03
