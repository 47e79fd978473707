"""Codex's profile: on recordings at their own timing, and on rows as it draws them."""

import hashlib
import json
import re
import textwrap
import tomllib
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.bounds import Limits
from sessions.detector import Detection, View, detect
from sessions.replay import Step, replay
from sessions.states import AgentState
from tests.recordings import truth

CODEX: Final = truth.profile("codex")
NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COMPOSER: Final = ("› Ask Codex to do anything", "", "  a-model default · ~/lab", "  ← for agents · ? for shortcuts")
LABELS: Final = {"SessionStart": "session_start", "UserPromptSubmit": "user_prompt_submit", "Stop": "stop"}
PLANS: Final = (
    " ",
    " Visit https://chatgpt.com/settings/usage to purchase more credits or ",
    " Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/settings/usage to purchase more "
    "credits or ",
    " Upgrade to Plus to continue using Codex (https://chatgpt.com/explore/plus), or ",
    " To get more access now, send a request to your admin or ",
)


def played(name: str, *, allowed: bool = True) -> list[Step]:
    """What becomes of a recording."""
    recording = next(one for one in truth.recordings() if one.name == name)
    limits = Limits(answer_approvals=allowed)
    return list(replay(recording.events(), CODEX, limits, recording.size, began=NOON))


def states(steps: list[Step]) -> list[str]:
    return [one.state for one in steps if not one.action]


def seen(*rows: str, osc: str = "state=error:app=codex", title: str = "lab") -> Detection:
    """The settled judgement of a screen."""
    view = View(rows, title, osc, changed_at=0.0, local_time=NOON)
    found = None
    for tick in range(20):
        found = detect(CODEX, view, found, tick * 0.1)
    assert found is not None
    return found


def limit(plan: str, when: str, cols: int) -> list[str]:
    """A usage limit, wrapped as on a screen so wide."""
    again = "Try again" if plan == " " else "try again"
    return textwrap.wrap(f"■ You’ve hit your usage limit.{plan}{again} at {when}.", cols, break_on_hyphens=False)


def test_it_trusts_the_hooks_that_it_gives_and_no_others() -> None:
    """Each hook's recorded sum is that of its definition, as Codex 0.169.0 counts it: sorted keys, no blanks."""
    hooks = tomllib.loads("\n".join(word for word in CODEX.argv if word.startswith("hooks.")))["hooks"]
    sums = hooks.pop("state")
    assert {f"/<session-flags>/config.toml:{LABELS[event]}:0:0" for event in hooks} == sums.keys()
    for event, ((group,)) in hooks.items():
        [hook] = group["hooks"]
        identity = {"event_name": LABELS[event], "hooks": [{**hook, "async": False, "timeout": 600}]}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        trusted = sums[f"/<session-flags>/config.toml:{LABELS[event]}:0:0"]["trusted_hash"]
        assert trusted == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert {one.event for one in CODEX.hooks} == hooks.keys()


@settings(deadline=None)  # the first date costs the parser's import
@given(st.sampled_from(PLANS), st.integers(80, 250))
def test_a_usage_limit_is_told_wherever_its_line_is_wrapped(plan: str, cols: int) -> None:
    """Whatever the plan and the width, it is a limit, and its end is known."""
    for when, hours in (("3:45 PM", 3.75), ("Nov 26th, 2026 12:30 PM", 48.5)):
        found = seen("› Go on.", "", *limit(plan, when, cols), "", *COMPOSER)
        assert found.state is AgentState.LIMITED
        assert found.reset is not None
        assert found.reset.at == NOON.timestamp() + hours * 3600


@pytest.mark.parametrize(
    "error",
    [
        "■ exceeded retry limit, last status: 429 Too Many Requests",
        "■ unexpected status 401 Unauthorized: Incorrect API key provided., url: http://127.0.0.1/v1/responses",
        "■ Rate limit reached for a-model. Please try again in 11.05s.",
        "■ We’re currently experiencing high demand, which may cause temporary errors.",
    ],
)
@pytest.mark.parametrize("cols", [80, 100, 200])
def test_another_error_after_a_limit_is_no_limit(error: str, cols: int) -> None:
    """A limit that is history does not hide that the API fails now."""
    before = limit(PLANS[1], "3:45 PM", cols)
    now = textwrap.wrap(error, cols, break_on_hyphens=False)
    for osc in ("state=error:app=codex", "state=idle:app=codex"):
        found = seen(*before, "", "", "› Go on.", "", "", *now, "", *COMPOSER, osc=osc)
        assert found.state is not AgentState.LIMITED
        assert found.evidence.startswith("■") is ("error" in osc)


def test_what_is_quoted_is_no_limit() -> None:
    """A finished turn whose last words are a limit's is a stop."""
    quoted = limit(PLANS[1], "3:45 PM", 98)
    found = seen("• The log says:", *[f"  {row}" for row in quoted], "", *COMPOSER, osc="state=done:app=codex")
    assert found.state is AgentState.WAITING


def test_real_limits_come_and_go() -> None:
    """Limits of hours and of days are waited out; a command and a model that quote one are work, and a stop."""
    steps = played("codex-limit-100x30")
    turns = "starting waiting working waiting( working| limited)* limited working waiting working waiting"
    assert re.fullmatch(turns, " ".join(states(steps)))
    assert {one.action for one in steps if one.state == "limited"} == {"", "alert"}


def test_a_limit_outlives_a_key() -> None:
    """What a person types and takes back does not make the agent try again."""
    found = seen("› Go on.", "", *limit(PLANS[1], "3:45 PM", 100), "", *COMPOSER, osc="state=idle:app=codex")
    assert found.state is AgentState.LIMITED
    assert found.reset is not None


def test_an_approval_is_answered_only_once_it_is_on_the_screen() -> None:
    """OSC 7501 is up to a second ahead of the question, and a key that comes too early lands in the composer."""
    steps = played("codex-approval-late-100x30")
    answers = [one.t for one in steps if one.action == "answer"]
    assert len(answers) >= 2
    assert all(5.04 <= t < 9.06 or 16.88 <= t < 22.9 for t in answers)
    assert not [one for one in steps if one.action == "alert"]


def test_work_in_the_background_goes_on_after_the_turn() -> None:
    """A real turn that leaves a command running is one spell of work, until its end."""
    steps = played("codex-background-100x30")
    assert states(steps)[:4] == ["starting", "waiting", "working", "waiting"]
    assert [one.t for one in steps if one.state == "waiting" and not one.action][1] > 17.1


@pytest.mark.parametrize(
    "row",
    [
        "  enter select · esc back",
        "  enter continue · esc skip",
        "  Press enter to confirm or esc to cancel",
        " enter resume   ^a archive   esc exit   ^c exit   tab focus   ←/→ option",
        "  space toggle · enter save · esc save/close",
        "  reverse-i-search:",
        "  No matches · full transcript · esc cancel",
        "Browsing · ↑↓/jk scroll · ←→/hl prompts · ^t details · ↵ rewind · esc back",
        " q close",
    ],
)
def test_nothing_is_typed_into_what_lies_open_at_rest(row: str) -> None:
    """A picker, a search or a pager is a question without a safe answer."""
    found = seen("• Done.", "", row, osc="state=idle:app=codex")
    assert (found.state, found.answer) == (AgentState.ASKING, None)


@pytest.mark.parametrize("row", ["› 1. Update now (runs `npm install -g @openai/codex`)", "› 1. Review hooks"])
def test_a_question_at_the_start_is_skipped(row: str) -> None:
    """Its default is not taken; once Codex has reported a state, the same words are somebody's."""
    question = ("  Update available", row, "  2. Skip", "", "  enter continue · esc skip")
    assert seen(*question, osc="", title="").answer == "\x1b"
    assert seen("• Done.", row, *COMPOSER, osc="state=done:app=codex").state is AgentState.WAITING
