"""Gemini CLI's profile: on recordings at their own timing, and on rows as it draws them."""

import json
from datetime import UTC, datetime

import pytest

from sessions.bounds import Limits
from sessions.detector import Detection, View, detect
from sessions.profile import Places, filled
from sessions.replay import Step, replay
from sessions.signals import Identity, heard
from sessions.states import AgentState
from tests.recordings import truth

GEMINI = truth.profile("gemini")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
READY = "◇  Ready (proj)"
WORKS = "✦  Working… (proj)"


def composer(text: str = "*   Type your message or @path/to/file", above: str = " YOLO Ctrl+Y") -> tuple[str, ...]:
    bars = ("? for shortcuts".rjust(100), "─" * 100, above, "▄" * 100, f" {text}", "▀" * 100)
    return (*bars, " workspace (/directory)        sandbox        /model", " ~/proj        no sandbox        Auto")


def box(*rows: str) -> tuple[str, ...]:
    return ("╭" + "─" * 98 + "╮", *(f"│ {row:<96} │" for row in rows), "╰" + "─" * 98 + "╯")


def played(name: str) -> list[Step]:
    """What becomes of a recording, with no answer allowed."""
    recording = next(one for one in truth.recordings() if one.name == name)
    return list(replay(recording.events(), GEMINI, Limits(), recording.size, began=NOON))


def states(steps: list[Step]) -> list[str]:
    return [one.state for one in steps if not one.action]


def seen(*rows: str, title: str = READY, before: Detection | None = None) -> Detection:
    """The settled judgement of a screen."""
    view = View(rows, title, changed_at=0.0, local_time=NOON)
    found = before
    for tick in range(20):
        found = detect(GEMINI, view, found, tick * 0.1)
    assert found is not None
    return found


def test_a_usage_limit_is_seen_and_its_menu_put_away() -> None:
    """A real limit: "Stop" is chosen though nothing was allowed, and while it holds nothing is typed."""
    steps = played("gemini-limit-100x30")
    limited = [one for one in steps if one.state == "limited"]
    assert {one.action for one in limited} <= {"", "answer", "alert"}
    assert "answer" in {one.action for one in limited}
    assert states(steps)[-1] == "waiting"
    assert "failing" not in states(steps)


def test_an_error_is_no_stop() -> None:
    """A turn that a real 401 ended is `failing` until the next one begins, and then forgotten."""
    assert states(played("gemini-error-100x30")) == ["starting", "waiting", "working", "failing", "working", "waiting"]


def test_an_approval_calls_the_person() -> None:
    """A real approval is `asking` until it is answered; without leave to answer nothing is typed."""
    steps = played("gemini-approval-100x30")
    assert states(steps) == ["starting", "waiting", "working", "asking", "working", "waiting"]
    assert [one.action for one in steps if one.state == "asking" and one.action] == ["alert"]


LIMIT = ("", "Usage limit reached for gemini-3.8-flash.", "Access resets at 4:30 PM GMT+1.", "/stats model", "")


@pytest.mark.parametrize(
    ("entries", "key"),
    [
        (("● 1. Keep trying", "  2. Stop", "", ""), "2"),
        (("● 1. Get AI Credits - Open browser", "  2. Stop - Abort request", "", ""), "2"),
        (("● 1. Use AI Credits", "  2. Manage", "  3. Stop - Abort request", "", ""), "3"),
        (("● 1. Use AI Credits", "  2. Manage", "  3. Switch to x", "  4. Stop - Abort request", "", ""), "4"),
    ],
)
def test_stop_is_chosen_in_every_limit_menu(entries: tuple[str, ...], key: str) -> None:
    """Nothing is bought and no model is switched, wherever "Stop" stands; and the reset is read."""
    found = seen("> Go on", *box(*LIMIT, *entries), title=WORKS)
    assert (found.state, found.answer) == (AgentState.LIMITED, key)
    assert found.reset is not None
    assert found.reset.at == NOON.timestamp() + 3.5 * 3600


@pytest.mark.parametrize(
    ("error", "state"),
    [
        ('✕ [API Error: {"error":{"code":401,"message":"API key not valid."}}]', AgentState.FAILING),
        ("✕ Model stream ended without a finish reason.", AgentState.FAILING),
        ("✕ [API Error: You have exhausted your daily quota on this model.]", AgentState.LIMITED),
        ("✕ [API Error: You have exhausted your quota.]", AgentState.LIMITED),
    ],
)
def test_how_the_last_turn_ended_counts_and_no_other(error: str, state: AgentState) -> None:
    """An error above the composer is known for one; above the shortest turn after it, it is history."""
    advice = (
        "ℹ This request failed. Press F12 for diagnostics, or run /settings and change",
        "  full for full details.",
    )
    assert seen(" > Go on", error, *advice, *composer()).state is state
    later = seen(error, *advice, "▄" * 100, " > Go on", "▀" * 100, "✦ Done. Next?", *composer())
    assert later.state is AgentState.WAITING


@pytest.mark.parametrize(
    "rows",
    [
        box("Select Model", "● 1. Auto", "  2. Manual", "", "(Press Esc to close)", ""),
        box("  > Settings", "", "(Use Enter to select, Ctrl+L to reset, Tab to change focus, Esc to close)", ""),
        ("No auto-saved conversations found.", " Press q to exit"),
        (
            *composer("(r:)    Type your message or @path/to/file")[:-2],
            " /help",
            " /model",
            " ~/proj  no sandbox  Auto",
        ),
        composer("!   Type your shell command"),
    ],
)
def test_a_picker_or_another_mode_hides_what_is_done(rows: tuple[str, ...]) -> None:
    """While a person has something open the agent does what it did before, whatever the title says."""
    working = seen(*composer(), title=WORKS)
    assert seen(*rows, before=working).state is AgentState.WORKING


def test_an_unknown_menu_calls_the_person() -> None:
    """A menu that nobody has seen is a question without a safe answer, though the title is at rest."""
    found = seen(*box("Something new", "● 1. Delete all", "  2. Keep all", ""))
    assert (found.state, found.answer) == (AgentState.ASKING, None)


@pytest.mark.parametrize(
    "entries",
    [
        (
            "Allow execution of [Shell]?",
            "",
            "● 1. Allow once",
            "  2. Allow for this session",
            "  3. No, suggest changes (esc)",
        ),
        (
            "Do you trust the files in this folder?",
            "● 1. Trust folder (x)",
            "  2. Trust parent folder",
            "  3. Don't trust",
            "",
        ),
    ],
)
def test_the_chosen_first_entry_is_the_safe_answer(entries: tuple[str, ...]) -> None:
    """Trust and approvals are answered with Enter where "once" or "this folder" is chosen; a menu in history is not."""
    found = seen(*box(*entries))
    assert (found.state, found.answer) == (AgentState.ASKING, "\r")
    assert seen(*box(*entries), *composer()).state is AgentState.WAITING


def test_work_is_seen_without_a_title() -> None:
    """The row above the composer says that a turn goes on where the title is switched off."""
    rows = [*composer()]
    rows[0] = " ⠹ Thinking... (esc to cancel, 2s)                                          ? for shortcuts"
    assert seen("✦ x", *rows, title="").rule == "can be cancelled"


def test_work_in_the_background_goes_on_after_the_turn() -> None:
    """A process that the footer counts is work, though the title is at rest."""
    found = seen("✦ It runs.", *composer(above=" YOLO Ctrl+Y                              1 Background process"))
    assert (found.state, found.rule) == (AgentState.WORKING, "background process")


def test_what_a_tool_printed_is_not_believed() -> None:
    """A file or a log that quotes every sentence that means something changes nothing."""
    quoted = box("✓  Shell cat notes", "", "● 1. Allow once", "  2. Stop", "✕ error", "2 Background processes", "")
    found = seen(" > Go on", *quoted, "✦ Done. Next?", *composer())
    assert (found.state, found.candidate) == (AgentState.WAITING, None)


@pytest.mark.parametrize(
    ("event", "data", "state"),
    [
        ("BeforeAgent", {}, AgentState.WORKING),
        ("AfterAgent", {}, AgentState.WAITING),
        ("Notification", {"notification_type": "ToolPermission"}, AgentState.ASKING),
    ],
)
def test_its_hooks_are_understood(event: str, data: dict[str, str], state: AgentState) -> None:
    """What Gemini reports of our conversation says what it does; of another it says nothing."""
    ours = Identity("1771cf08")
    signal, known = heard(GEMINI, event, {"session_id": "1771cf08", **data}, ours, 1.0)
    assert signal is not None
    assert (signal.state, known) == (state, ours)
    assert heard(GEMINI, event, {"session_id": "other", **data}, ours, 1.0)[0] is None


def test_its_settings_are_json_wherever_the_session_lies() -> None:
    """The file that Gemini is given stays JSON, whatever the session's path holds."""
    (text,) = filled(list(GEMINI.files.values()), Places("/w t", '/a "b"/files', "/a 'b' $c/hook"))
    assert set(json.loads(text)["hooks"]) == {one.event for one in GEMINI.hooks}
