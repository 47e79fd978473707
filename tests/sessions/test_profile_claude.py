"""Claude Code's profile: on recordings at their own timing, and on rows as it draws them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sessions.bounds import Limits
from sessions.detector import Detection, View, detect
from sessions.profile import Places, filled
from sessions.replay import Step, replay
from sessions.signals import Identity, heard
from sessions.states import AgentState
from tests.recordings import truth

CLAUDE = truth.profile("claude")
RULE = "─" * 100
COMPOSER = (RULE, "❯", RULE, "  ⏵⏵ accept edits on (shift+tab to cycle) · ← for agents")


def played(name: str) -> list[Step]:
    """What becomes of a recording, with no answer allowed."""
    recording = next(one for one in truth.recordings() if one.name == name)
    began = datetime(2026, 11, 24, 10, 55, tzinfo=UTC)
    return list(replay(recording.events(), CLAUDE, Limits(), recording.size, began=began))


def states(steps: list[Step]) -> list[str]:
    return [one.state for one in steps if not one.action]


def seen(*rows: str, title: str = "✳ Claude Code", before: Detection | None = None) -> Detection:
    """The settled judgement of a screen."""
    view = View(rows, title, changed_at=0.0, local_time=datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
    found = before
    for tick in range(20):
        found = detect(CLAUDE, view, found, tick * 0.1)
    assert found is not None
    return found


def test_a_usage_limit_is_seen_and_its_menu_put_away() -> None:
    """A real limit: the menu is left with Esc though nothing was allowed, and while it holds nothing is typed."""
    steps = played("claude-limit-100x30")
    assert states(steps) == ["starting", "waiting", "working", "limited", "working", "waiting"]
    limited = [one for one in steps if one.state == "limited"]
    assert [one.action for one in limited if one.action in {"answer", "nudge", "brief"}] == ["answer"]


def test_an_error_is_no_stop() -> None:
    """A turn that a real 401 ended is `failing` until the next one begins, and then forgotten."""
    assert states(played("claude-error-100x30")) == ["starting", "waiting", "working", "failing", "working", "waiting"]


def test_work_in_the_background_goes_on_after_the_turn() -> None:
    """A real turn that leaves a shell running is one spell of work, until the shell's end has been dealt with."""
    assert states(played("claude-background-100x30")) == ["starting", "waiting", "working", "waiting"]


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("3pm (UTC)", 3),
        ("3:30pm (Europe/Berlin)", 2.5),
        ("Nov 25, 4am (UTC)", 16),
        ("Nov 30, 4:15pm (America/New_York)", 6 * 24 + 9.25),
    ],
)
def test_the_reset_of_a_limit_is_read(words: str, hours: float) -> None:
    """Whatever form the time has, the moment that it names is known."""
    found = seen("❯ Go on", f"  ⎿  You've hit your weekly limit · resets {words}", "", "✻ Baked for 0s", *COMPOSER)
    assert (found.state, found.answer) == (AgentState.LIMITED, None)
    assert found.reset is not None
    assert found.reset.at == datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp() + hours * 3600


@pytest.mark.parametrize("first", ["Stop and wait for limit to reset", "Upgrade your plan"])
def test_no_entry_of_the_limit_menu_is_chosen(first: str) -> None:
    """Whichever entry is the chosen one, the menu is left with Esc."""
    other = "Upgrade your plan" if first.startswith("Stop") else "Stop and wait for limit to reset"
    found = seen(
        "  ⎿  You've hit your session limit · resets 2pm (UTC)",
        "✻ Baked for 0s",
        "❯ /rate-limit-options",
        RULE,
        "  What do you want to do?",
        f"  ❯ 1. {first}",
        f"    2. {other}",
        "  Enter to confirm · Esc to cancel",
    )
    assert (found.state, found.answer) == (AgentState.LIMITED, "\x1b")
    assert found.reset is not None


@pytest.mark.parametrize(
    "error",
    [
        "● API Error: Request rejected (429) · scripted",
        "● API Error: Unable to connect to API (ECONNRESET)",
        "● Please run /login · API Error: 401 scripted",
        "  ⎿  Not logged in · Please run /login",
        "  ⎿  Invalid API key · Fix external API key",
        "  ⎿  Credit balance too low · Add funds: https://platform.claude.com/settings/billing",
    ],
)
def test_how_the_last_turn_ended_counts_and_no_other(error: str) -> None:
    """An error above the composer is `failing`; above the shortest turn after it, it is history."""
    assert seen("❯ Go on", error, "✻ Baked for 0s", *COMPOSER).state is AgentState.FAILING
    later = seen(error, "✻ Baked for 0s", "❯ Go on", "● Done. Next?", "✻ Baked for 1s", *COMPOSER)
    assert later.state is AgentState.WAITING


def test_retries_are_work() -> None:
    """An API that is being tried again, for minutes, is not the end of a turn."""
    found = seen(
        "❯ Go on", "✻ API error · Retrying in 7s · attempt 5/10", *COMPOSER[:3], "  ? for shortcuts", title="⠐ x"
    )
    assert (found.state, found.rule) == (AgentState.WORKING, "retrying")


@pytest.mark.parametrize(
    "rows",
    [
        (
            " Claude Code'll be able to read, edit, and execute files here.",
            " ❯ 1. Yes, I trust this folder",
            "   2. No, exit",
        ),
        (" Do you want to proceed?", " ❯ 1. Yes", "   2. Yes, and don't ask again for", "      touch x in", "   3. No"),
    ],
)
def test_yes_is_the_safe_answer_where_it_is_chosen(rows: tuple[str, ...]) -> None:
    """Trust and approvals are answered with Enter where "Yes" is the chosen entry; another is left to the person."""
    footer = " Enter to confirm · Esc to cancel"
    found = seen(*rows, footer)
    assert (found.state, found.answer) == (AgentState.ASKING, "\r")
    moved = seen(*(row.replace(" ❯ 1", "   1").replace("  2.", "❯ 2.") for row in rows), footer)
    assert (moved.state, moved.answer) == (AgentState.ASKING, None)


def test_agents_in_the_background_are_work() -> None:
    """A turn that has ended but waits for agents of its own goes on, also where no title says so."""
    rows = (
        "✻ Waiting for 2 background agents to finish",
        *COMPOSER,
        "  ● main",
        "  ◯ general-purpose  Sub",
        "  ◯ other",
    )
    assert seen(*rows, title="").rule == "background agents"


def test_work_is_seen_without_a_title() -> None:
    """Its footer says that a turn goes on where the title is switched off."""
    found = seen("✶ Baking… (2s)", *COMPOSER[:3], "  ⏵⏵ accept edits on · esc to interrupt · ← for agents", title="")
    assert (found.state, found.rule) == (AgentState.WORKING, "can be interrupted")


def test_what_a_tool_printed_is_not_believed() -> None:
    """A file or a log that quotes every sentence that means something changes nothing."""
    quoted = [
        "  ⎿   ❯ 1. Yes",
        "      ❯ 1. Yes",
        "     ● API Error: 500",
        "       ⎿  You've hit your session limit · resets 3pm (UTC)",
        "     ✻ Waiting for 2 background agents to finish",
        "     Esc to cancel",
    ]
    found = seen("● Bash(cat notes)", *quoted, "● Done. Next?", "✻ Baked for 1s", *COMPOSER)
    assert (found.state, found.candidate) == (AgentState.WAITING, None)


@pytest.mark.parametrize(
    "rows",
    [
        ("● Done.", "  Showing detailed transcript · ctrl+o to toggle · ctrl+e to show all        verbose"),
        ("  ❯ 1. Default (recommended) ✔", "  Enter to set as default · s to use this session only · Esc to cancel"),
        ("  Resume session", "    Ctrl+A to show all projects · Type to search · Esc to", "    cancel"),
    ],
)
def test_a_viewer_or_a_picker_hides_what_is_done(rows: tuple[str, ...]) -> None:
    """While a person has something open the agent does what it did before, whatever the title says."""
    working = seen("x", title="⠐ x")
    assert seen(*rows, before=working).state is AgentState.WORKING


def test_an_unknown_menu_calls_the_person() -> None:
    """A menu that nobody has seen is a question without a safe answer."""
    found = seen("  Something new", "  ❯ 1. Delete all", "  Enter to confirm · Esc to cancel")
    assert (found.state, found.answer) == (AgentState.ASKING, None)


@pytest.mark.parametrize(
    ("event", "data", "state"),
    [
        ("Stop", {"background_tasks": []}, AgentState.WAITING),
        ("Stop", {"background_tasks": [{"type": "shell", "status": "running"}]}, AgentState.WORKING),
        ("UserPromptSubmit", {}, AgentState.WORKING),
        ("PermissionRequest", {"tool_name": "Bash"}, AgentState.ASKING),
        ("StopFailure", {"error": "rate_limit", "last_assistant_message": "API Error: 429"}, AgentState.FAILING),
        (
            "StopFailure",
            {"error": "rate_limit", "last_assistant_message": "You've hit your limit · resets 3pm (UTC)"},
            AgentState.LIMITED,
        ),
    ],
)
def test_its_hooks_are_understood(event: str, data: dict[str, Any], state: AgentState) -> None:
    """What Claude reports of our conversation says what it does; of another it says nothing."""
    ours = Identity("1086b166")
    signal, known = heard(CLAUDE, event, {"session_id": "1086b166", **data}, ours, 1.0)
    assert signal is not None
    assert (signal.state, known) == (state, ours)
    assert heard(CLAUDE, event, {"session_id": "other", **data}, ours, 1.0)[0] is None


def test_its_settings_are_json_wherever_the_session_lies() -> None:
    """The file that Claude is given stays JSON, whatever the session's path holds."""
    (text,) = filled(list(CLAUDE.files.values()), Places("/w t", '/a "b"/files', "/a 'b' $c/hook"))
    assert set(json.loads(text)["hooks"]) == {one.event for one in CLAUDE.hooks}
