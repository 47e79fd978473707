"""A replay tells what would have been done: right on every recording, whatever the pieces, at several sizes."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.bounds import Limits
from sessions.cast import Event
from sessions.detector import STALLED_S
from sessions.replay import Step, replay
from sessions.states import AgentState
from tests.recordings import truth
from tests.recordings.truth import Recording

RECORDINGS = truth.recordings()
_SIGNALS = frozenset({"title", "osc7501"})


def steps_of(events: Iterable[Event], agent: str = "codex", limits: Limits | None = None) -> list[Step]:
    return list(replay(events, truth.profile(agent), limits or Limits(), (100, 30)))


def actions_of(steps: Iterable[Step]) -> list[tuple[float, str]]:
    return [(step.t, step.action) for step in steps if step.action]


def osc(state: str) -> str:
    return f"\x1b]7501;state={state}:app=codex\x07"


def test_each_recording_has_its_truth() -> None:
    """What is recorded is also tested: every cast is in turns.toml, and the other way round."""
    assert {recording.name for recording in RECORDINGS} == {path.stem for path in truth.HERE.glob("*.cast")}


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_no_false_nudge_and_no_missed_stop(recording: Recording) -> None:
    """At its own timing nothing is typed into work or a question at any size, and every stop that can be read is found.

    It can be read at its own size and on larger screens; with its own profile also where its signals say enough.
    """
    for name in truth.profiles_of(recording):
        for size in recording.sizes():
            verdict = truth.compare(recording, truth.steps_of(recording, truth.profile(name), size))
            assert verdict.false == [], (name, size)
            if recording.is_whole_at(size) or (name == recording.agent and recording.is_legible_at(size)):
                assert verdict.missed == [], (name, size)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
@pytest.mark.parametrize("hidden", [frozenset({"osc7501"}), _SIGNALS], ids=["no osc", "screen alone"])
def test_the_screen_alone_is_read_right(recording: Recording, hidden: frozenset[str]) -> None:
    """Without its signals a recording is still read right: no false nudge at any size, no missed stop at its own."""
    if hidden != _SIGNALS and recording.agent != "codex":
        return  # the others emit none
    for name in truth.profiles_of(recording):
        for size in recording.sizes():
            verdict = truth.compare(recording, truth.steps_of(recording, truth.profile(name), size, hidden))
            assert verdict.false == [], (name, size)
            if size == recording.size:
                assert verdict.missed == [], name


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False))
def test_pieces_make_no_difference(recording: Recording, chance: Random) -> None:
    """However the output was cut into events, the steps are the same."""
    events = [one for one in recording.events() if one.at < 12.0]
    pieces: list[Event] = []
    for event in events:
        at = chance.randint(0, len(event.data)) if event.kind == "o" else 0
        pieces += [replace(event, data=event.data[:at]), replace(event, data=event.data[at:])] if at else [event]
    how = truth.profile(recording.agent)
    whole, cut = (truth.steps_of(recording, how, recording.size, events=one) for one in (events, pieces))
    assert cut == whole


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_steps_are_in_order(recording: Recording) -> None:
    """Time never runs backwards, a change of state is one, and every step has its evidence."""
    steps = truth.steps_of(recording, truth.profile(recording.agent), recording.size)
    assert all(one.t <= other.t for one, other in pairwise(steps))
    changes = [step.state for step in steps if not step.action]
    assert all(one != other for one, other in pairwise(changes))
    assert all(step.rule and step.evidence for step in steps)


def test_first_the_brief_then_nudges() -> None:
    """The first stop gets the brief, the later ones a nudge; turns count as progress, so that nothing parks."""
    events = [Event(2.0 * n, "o", osc("working" if n % 2 else "idle")) for n in range(24)]
    assert [name for _, name in actions_of(steps_of(events))] == ["brief", *["nudge"] * 11]


def test_what_the_host_typed_is_the_supervisors_typing() -> None:
    """A prompt that the cast's host typed is the brief; until the agent has had its time, no nudge follows it."""
    events = [Event(0.2, "o", osc("idle")), Event(15.0, "i", "go\r"), Event(40.0, "o", "x")]
    unheard_s = Limits().unheard_s
    assert actions_of(steps_of(events)) == [
        (pytest.approx(0.5, abs=0.3), "brief"), (pytest.approx(15.0 + unheard_s, abs=0.3), "nudge")
    ]  # fmt: skip
    assert actions_of(steps_of([Event(0.1, "i", "go\r"), *events[:1]])) == [(pytest.approx(1.1, abs=0.3), "nudge")]


def test_a_stop_at_the_end_is_found() -> None:
    """Silence after the last event is long enough to judge it."""
    assert [name for _, name in actions_of(steps_of([Event(1.0, "o", osc("idle"))]))] == ["brief"]
    assert [name for _, name in actions_of(steps_of([Event(1.0, "o", "done\r\n> ")], "generic"))] == ["brief"]


def test_an_agent_that_ends_is_relaunched_on_a_blank_terminal() -> None:
    """The end of the program is `exited`; the relaunch gets a brief of its own, and nothing of the old screen."""
    events = [
        Event(1.0, "o", osc("idle")),
        Event(5.0, "x", "-9"),
        Event(5.5, "m", "launched"),
        Event(8.0, "o", osc("idle")),
    ]
    steps = steps_of(events)
    assert [name for _, name in actions_of(steps)] == ["brief", "relaunch", "brief"]
    assert [step.state for step in steps if not step.action] == [
        "starting", "waiting", "exited", "starting", "waiting"
    ]  # fmt: skip
    assert "SIGKILL" in next(step.evidence for step in steps if step.state == AgentState.EXITED)


def test_a_stop_without_progress_parks_once() -> None:
    """A recorded stop that outlasts all nudges parks once; the next turn goes on from there."""
    events = [Event(1.0, "o", osc("idle")), Event(400.0, "o", osc("working")), Event(402.0, "o", osc("idle"))]
    names = [name for _, name in actions_of(steps_of(events))]
    assert names.count("park") == 1
    assert names[-1] == "nudge"


def test_hours_of_silence_cost_nothing() -> None:
    """A month without an event is passed over, and what was due in it is found."""
    steps = steps_of([Event(1.0, "o", osc("working")), Event(30 * 86400.0, "o", "news")])
    stalled = next(step for step in steps if step.rule == "stalled")
    assert stalled.t == pytest.approx(STALLED_S, abs=0.5)
    assert (steps[-1].state, steps[-1].t) == (AgentState.WORKING, pytest.approx(30 * 86400.0, abs=0.3))


def test_a_size_on_the_way_is_followed() -> None:
    """After a recorded change of size the screen has it."""
    question = "\x1b[29;1HDo you want to go on?"
    steps = steps_of([Event(0.5, "r", "80x24"), Event(1.0, "o", question + "\x1b[24;1Hthe end")], "generic")
    assert "asking" not in [step.state for step in steps]
    steps = steps_of([Event(1.0, "o", question)], "generic")
    assert "asking" in [step.state for step in steps]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 40),
            st.sampled_from("oirmx"),
            st.sampled_from(
                ["\x1b]7501;state=idle\x07", "\r", "80x24", "launched", "1", "\x1bc", "\ud800", "text", osc("working")]
            ),
        ),
        max_size=25,
    ),
    st.sampled_from(["codex", "generic"]),
)
def test_any_events_are_survived(drawn: list[tuple[float, str, str]], agent: str) -> None:
    """Events in any order of kinds give steps whose times are those of the cast, and the replay ends."""
    events = [Event(at, kind, "80x24" if kind == "r" else data) for at, kind, data in sorted(drawn)]
    steps = steps_of(events, agent)
    assert all(0 <= step.t <= 45.0 for step in steps)
