"""The detector, on recordings of real agents at their own timing (a simulated clock) and on made-up screens."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.detector import STALLED_S, Detection, View, detect
from sessions.profile import Profile, Rule
from sessions.profiles import load_profile
from sessions.screen import Screen
from sessions.states import AgentState

_RECORDINGS = Path(__file__).parents[1] / "recordings"
_NOBODY = Path("/nonexistent")
_LOOK_S = 0.1

# When the recorded agents worked, from the Enter that began a turn (or the answer to an approval) to the model's last
# word, and when they asked. Read off the recordings' inputs and screens, not off the signals that the rules use.
_CODEX_TURNS = [(1.73, 11.75), (13.54, 23.40), (25.22, 35.04), (36.87, 46.74)]
_CLAUDE_TURNS = [(9.07, 18.98), (21.53, 31.28), (33.84, 43.64), (46.19, 55.98)]


def _profile(name: str) -> Profile:
    return load_profile(name, _NOBODY)


def _replay(
    recording: str, profile: Profile, *, without: frozenset[str] = frozenset()
) -> Iterator[tuple[float, Detection]]:
    """What the detector says ten times a second while a recording plays; `without` hides "title" or "osc7501"."""
    header, *lines = (_RECORDINGS / f"{recording}.cast").read_text(encoding="utf-8").splitlines()
    size = json.loads(header)
    events: list[tuple[float, str, str]] = [tuple(json.loads(line)) for line in lines]
    screen = Screen(size["width"], size["height"], on_reply=lambda _: None)
    view, detection, at = View(()), None, 0
    for tick in range(int((events[-1][0] + 3.0) / _LOOK_S)):
        now = tick * _LOOK_S
        while at < len(events) and events[at][0] <= now:
            if events[at][1] == "o":
                screen.feed(events[at][2].encode())
            at += 1
        title = "" if "title" in without else screen.title
        seen = View(screen.text(), title, "" if "osc7501" in without else screen.osc7501, changed_at=view.changed_at)
        view = seen if seen == view else replace(seen, changed_at=now)
        detection = detect(profile, view, detection, now)
        yield now, detection
    screen.close()


def _states(recording: str, profile: Profile, **hide: Any) -> list[tuple[float, AgentState]]:
    return [(now, detection.state) for now, detection in _replay(recording, profile, **hide)]


def _assert_turns(states: list[tuple[float, AgentState]], turns: list[tuple[float, float]], patience: float) -> None:
    """No look within a turn says `waiting`, and after each turn one does within `patience` seconds."""
    for start, stop in turns:
        within = {state for now, state in states if start + _LOOK_S <= now <= stop}
        assert within == {AgentState.WORKING}, (start, stop)
        found = [now for now, state in states if now > stop and state is AgentState.WAITING]
        assert found, stop
        assert found[0] - stop <= patience + _LOOK_S


@pytest.mark.parametrize(
    ("recording", "profile", "turns", "patience"),
    [
        ("codex-reprompt-100x30", "codex", _CODEX_TURNS, 1.0),
        ("claude-main-100x30", "claude", _CLAUDE_TURNS, 1.0),
        # The silence begins with the last redraw, a little after the last word.
        ("codex-reprompt-100x30", "generic", _CODEX_TURNS, 1.8),
        ("claude-main-100x30", "generic", _CLAUDE_TURNS, 1.8),
    ],
)
def test_each_stop_is_found_and_no_work_is_taken_for_one(
    recording: str, profile: str, turns: list[tuple[float, float]], patience: float
) -> None:
    """A real agent is never `waiting` while it works, and every end of a turn is found soon."""
    _assert_turns(_states(recording, _profile(profile)), turns, patience)


@pytest.mark.parametrize("hidden", [{"osc7501"}, {"osc7501", "title"}])
def test_codex_is_read_without_its_signals(hidden: set[str]) -> None:
    """A Codex that emits no OSC 7501, or no title either, is still read right off its screen, within 1.6 s."""
    states = _states("codex-reprompt-100x30", _profile("codex"), without=frozenset(hidden))
    _assert_turns(states, _CODEX_TURNS, patience=1.6)


@pytest.mark.parametrize(
    ("recording", "profile", "asking", "answer"),
    [
        ("codex-approval-100x30", "codex", [(2.46, 9.75), (14.33, 17.75)], "y"),
        ("claude-approval-100x30", "claude", [(5.02, 16.31)], "\r"),
        ("codex-approval-100x30", "generic", [(2.46, 9.75), (14.33, 17.75)], None),
        ("claude-approval-100x30", "generic", [(5.02, 16.31)], None),
    ],
)
def test_an_approval_is_asking(
    recording: str, profile: str, asking: list[tuple[float, float]], answer: str | None
) -> None:
    """An approval is `asking` within a second and until it is answered, and never `waiting`."""
    judged = list(_replay(recording, _profile(profile)))
    for start, end in asking:
        settled = [one for now, one in judged if start + 1.0 <= now < end]
        assert {one.state for one in settled} == {AgentState.ASKING}
        assert {one.answer for one in settled} == {answer}
        assert len({one.since for one in settled}) == 1
        assert AgentState.WAITING not in {one.state for now, one in judged if start <= now < end}


@pytest.mark.parametrize(("profile", "answer"), [("codex", "\x1b"), ("generic", None)])
def test_the_update_prompt_is_no_place_for_text(profile: str, answer: str | None) -> None:
    """Codex's update prompt, whose default is to update, is `asking`; the safe answer is to leave it."""
    *_, (_, last) = _replay("codex-update-prompt", _profile(profile))
    assert (last.state, last.answer) == (AgentState.ASKING, answer)


def test_the_end_of_the_process_outranks_everything() -> None:
    """An agent whose process is gone is `exited`, whatever its last screen says, and the evidence says how it ended."""
    view = View(("› 1. Update now",), title="⠋ proj", osc7501="state=working:app=codex", exit_status=-9)
    found = detect(_profile("codex"), view, None, 5.0)
    assert found.state is AgentState.EXITED
    assert "SIGKILL" in found.evidence
    assert detect(_profile("codex"), view, found, 6.0) is found


@pytest.mark.parametrize(
    "row",
    [
        "Overwrite results.tsv? [y/N]",
        "Run this? (y/n)",
        "│ Continue (yes/no)? [yes/no]       │",
        "Do you want to run this command?",
        "Allow the agent to run rm -r build?",
        "  ❯ Yes",
        "> 1. Allow once",
        "│ ● 1. Yes, allow once",
    ],
)
def test_the_generic_profile_knows_a_question(row: str) -> None:
    """A yes-or-no question or a menu on the last row is `asking`, once the screen is still."""
    view = View(("some output", "", row), changed_at=0.0)
    found = None
    for now in (0.0, 0.5, 1.0, 1.5):
        found = detect(_profile("generic"), view, found, now)
    assert found is not None
    assert found.state is AgentState.ASKING
    assert found.answer is None


@pytest.mark.parametrize(
    "rows",
    [
        ("I ran one experiment. Do you want me to continue?", "", "> "),
        ("Should I allow more steps, or continue?", "", "› type here", "  model x · ~/proj"),
        ("the log said: proceed? [y/N]", "", "and so I said no.", "", "› type here", "  model x"),
        ("1. Yes", "2. No", "", "> "),
    ],
)
def test_the_generic_profile_takes_a_closing_question_for_a_stop(rows: tuple[str, ...]) -> None:
    """An agent that ends its turn with a question above a free composer is `waiting`, not `asking`."""
    found = None
    for tick in range(20):
        found = detect(_profile("generic"), View(rows, changed_at=0.0), found, tick * 0.1)
    assert found is not None
    assert found.state is AgentState.WAITING
    assert "no command running" in found.evidence


def test_silence_with_a_command_running_is_no_stop() -> None:
    """With the generic profile a still screen means nothing while a command of the agent's runs, for a long time."""
    generic = _profile("generic")
    working = detect(generic, View(("$ make",), changed_at=0.0, busy_children=True), None, 0.5)
    assert working.state is AgentState.WORKING
    assert (
        detect(generic, View(("$ make",), changed_at=0.0, busy_children=True), working, 60.0).state
        is AgentState.WORKING
    )
    late = detect(generic, View(("$ make",), changed_at=0.0, busy_children=True), working, STALLED_S + 1)
    assert (late.state, late.rule) == (AgentState.WAITING, "stalled")


def test_a_frozen_worker_is_given_up_in_the_end() -> None:
    """An agent that claims to work but has drawn nothing for 15 minutes is `waiting`, and the rule says why."""
    codex = _profile("codex")
    view = View(("x",), osc7501="state=working:app=codex", changed_at=0.0)
    working = detect(codex, view, None, 0.0)
    assert detect(codex, view, working, STALLED_S - 1).state is AgentState.WORKING
    assert detect(codex, view, working, STALLED_S).rule == "stalled"


def test_a_blank_screen_is_no_stop() -> None:
    """An agent that has drawn nothing yet is `starting`, however long that takes."""
    found = None
    for now in range(30):
        found = detect(_profile("generic"), View(("", "   ")), found, float(now))
    assert found is not None
    assert found.state is AgentState.STARTING


def test_a_blip_does_not_count() -> None:
    """A title that goes idle for less than the settling time, as Codex's does between turns, changes nothing."""
    rule = [
        Rule("busy", AgentState.WORKING, "title", re.compile("⠋")),
        Rule("idle", AgentState.WAITING, "title", re.compile("^x")),
    ]
    profile = replace(_profile("codex"), rules=tuple(rule), settle_s=0.3)
    found = None
    for now, title in [(0.0, "⠋ x"), (0.1, "x"), (0.3, "x"), (0.35, "⠋ x"), (0.4, "x"), (0.6, "x")]:
        found = detect(profile, View((), title=title), found, now)
        assert found.state is AgentState.WORKING
    assert found is not None
    settled = detect(profile, View((), title="x"), found, 0.75)
    assert (settled.state, settled.since) == (AgentState.WAITING, 0.4)


def test_a_spinners_ticks_are_no_news() -> None:
    """While the same rule goes on matching, the judgement stays the same object, whatever the spinner shows."""
    codex = _profile("codex")
    first = detect(codex, View((), title="⠋ proj"), None, 0.0)
    assert detect(codex, View((), title="⠙ proj"), first, 0.1) is first


def test_quoted_text_above_the_region_is_not_believed() -> None:
    """What an agent merely prints, above the rows where it draws its own state, matches no rule of the profile."""
    rows = (
        "(9s • esc to interrupt)",
        "› 1. Update now",
        *["tool output"] * 12,
        "› Ask Codex to do anything",
        "  model",
        "  ?",
    )
    found = detect(_profile("codex"), View(rows, changed_at=0.0), None, 1.6)
    assert found.candidate is None
    assert (found.state, found.rule) == (AgentState.WAITING, "free composer")


_texts = st.sampled_from(
    ["", "proj", "⠋ proj", "[ ! ] Action Required | proj", "state=idle:app=codex", "state=working:app=codex",
     "state=done:app=codex", "state=clear", "› Ask Codex to do anything", "• Working (3s • esc to interrupt)"]
)  # fmt: skip


@given(
    st.sampled_from(["codex", "claude", "generic", "demo"]),
    st.lists(st.tuples(st.lists(_texts, max_size=4), _texts, _texts, st.booleans(), st.floats(0.0, 1.0)), min_size=1),
)
def test_waiting_always_has_evidence(name: str, looks: list[tuple[list[str], str, str, bool, float]]) -> None:
    """Whatever is seen: time never runs backwards in a judgement, and `waiting` comes from a rule or from silence."""
    profile = _profile(name)
    rules = {rule.name for rule in profile.rules if rule.state is AgentState.WAITING} | {"stalled"}
    rules |= {"quiet"} if profile.quiet_s is not None else set()
    now = 0.0
    judged: list[Detection] = []
    for rows, title, osc, changed, step in looks:
        now += step
        before = judged[-1] if judged else None
        view = View(tuple(rows), title, osc, changed_at=now if changed else 0.0)
        judged.append(detect(profile, view, before, now))
        assert judged[-1].since <= now
        if judged[-1].state is AgentState.WAITING:
            assert judged[-1].rule in rules
            assert judged[-1].evidence
    for before, after in pairwise(judged):
        assert after.state is not before.state or after.since == before.since
