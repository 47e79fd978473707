"""The profile of opencode: on rows as it draws them, and on what its plugin reports."""

from datetime import UTC, datetime

import pytest

from sessions.detector import Detection, View, detect
from sessions.signals import Identity, heard
from sessions.states import AgentState
from tests.recordings import truth

OPENCODE = truth.profile("opencode")
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OURS = Identity("ses_1")
COMPOSER = ("  ┃", "  ┃", "  ┃", "  ┃  Build auto · scripted local", "  ╹" + "▀" * 96)
FOOTER = "   /tmp/proj                                                    1.2K (1%)  ctrl+p commands"


def seen(*rows: str, before: Detection | None = None) -> Detection:
    """The settled judgement of a screen."""
    found = before
    for tick in range(20):
        found = detect(OPENCODE, View(rows, "OC | proj", local_time=NOON), found, tick * 0.1)
    assert found is not None
    return found


def signal(event: str, **data: str) -> AgentState | None:
    found, _ = heard(OPENCODE, event, {"sessionID": "ses_1", **data}, OURS, 1.0)
    return None if found is None else found.state


@pytest.mark.parametrize(
    "footer",
    [
        "   ⬝⬝■■■■■■  esc interrupt                                    tab agents  ctrl+p commands",
        "   ■■⬝⬝⬝⬝⬝⬝ esc again to interrupt                            tab agents  ctrl+p commands",
        "   ■■⬝⬝⬝⬝⬝⬝ The server had an error [retrying in 7s attempt #3]              esc interrupt",
    ],
)
def test_the_spinner_is_work(footer: str) -> None:
    """It works while its spinner stands under the composer, also while it tries again by itself."""
    assert seen(*COMPOSER, footer).state is AgentState.WORKING


@pytest.mark.parametrize(
    ("rows", "left_s"),
    [
        (["   ⬝⬝⬝⬝⬝⬝⬝⬝ Rate limit reached for requests [retrying in 4h 59m attempt #1]   esc interrupt"], 17940.0),
        (["   ⬝⬝■■■■■■ You have hit your usage limit. Try again at 2026-11-24T12:00:05Z. [retrying in 5s attemp"], 5.0),
        # At 80 columns the row is broken, and laid over the spinner.
        (
            ["   ⬝⬝You⬝have hit your usage limit. Try again at 2026-11-24T12:00:12Z. [retrying", "     attempt #1]"],
            12.0,
        ),
        # By its code: a subscription's limit, cut off after 80 characters.
        (["   ■■■■■⬝⬝⬝ 5 hour usage limit reached. It will reset in 4 hours 12 minutes. To cont… (click"], 15120.0),
    ],
)
def test_a_limit_that_it_waits_for_is_limited_until_then(rows: list[str], left_s: float) -> None:
    """A usage or rate limit in the row under the composer says when the next try comes."""
    found = seen(*COMPOSER, *rows)
    assert found.state is AgentState.LIMITED
    assert found.reset is not None
    assert found.reset.at - NOON.timestamp() == left_s


def test_an_approval_is_asked_for_with_the_safe_answer_chosen() -> None:
    """The row of choices is a question, whose first choice is to allow once."""
    choices = "  ┃   Allow once   Allow always   Reject             ctrl+f fullscreen  ⇆ select  enter confirm"
    found = seen("  ┃  △ Permission required", "  ┃    # Shell command", "  ┃  $ make", choices, "  ┃")
    assert (found.state, found.answer) == (AgentState.ASKING, "\r")


def test_a_question_of_the_model_has_no_safe_answer() -> None:
    """A menu that the model opened calls the person."""
    found = seen("  ┃  Which way?", "  ┃  1. left", "  ┃  2. right", "  ┃  ↑↓ select  enter submit  esc dismiss", "  ┃")
    assert (found.state, found.answer) == (AgentState.ASKING, None)


@pytest.mark.parametrize(
    "title",
    [
        "     I ran one exper    Commands                                         esc    ing?",
        "     I    Sessions                                                                     esc",
    ],
)
@pytest.mark.parametrize("spinner", [True, False])
def test_a_picker_changes_nothing(title: str, spinner: bool) -> None:
    """While a picker lies over the conversation it does what it did before."""
    footer = "   ■■⬝⬝⬝⬝⬝⬝  esc interrupt" if spinner else FOOTER
    before = seen(*COMPOSER, footer)
    assert seen(title, *COMPOSER, FOOTER, before=before).state is before.state


def test_what_is_quoted_above_the_composer_is_not_believed() -> None:
    """Tool output that shows spinners, questions and limits matches nothing."""
    quoted = (
        "  ┃  ■■⬝⬝⬝⬝⬝⬝  esc interrupt",
        "  ┃   Allow once   Allow always   Reject",
        "  ┃  ⬝⬝⬝⬝⬝⬝⬝⬝ usage limit reached [retrying in 4h 59m attempt #1]",
    )
    found = seen(*quoted, *COMPOSER, FOOTER)
    assert (found.state, found.rule) == (AgentState.WAITING, "free composer")


@pytest.mark.parametrize(
    ("event", "data", "state"),
    [
        ("session.status", {"type": "busy"}, AgentState.WORKING),
        ("session.status", {"type": "idle"}, AgentState.WAITING),
        ("session.status", {"type": "retry", "message": "The server had an error"}, AgentState.WORKING),
        ("session.status", {"type": "retry", "message": "Rate limit reached for requests"}, None),
        ("session.error", {"name": "APIError", "message": "Incorrect API key provided"}, AgentState.FAILING),
        ("session.error", {"name": "APIError", "message": "The usage limit has been reached"}, AgentState.LIMITED),
        ("session.error", {"name": "UnknownError"}, AgentState.FAILING),
        ("permission.asked", {}, AgentState.ASKING),
        ("replied", {}, AgentState.WORKING),
        ("session", {}, None),
    ],
)
def test_what_the_plugin_reports_is_understood(event: str, data: dict[str, str], state: AgentState | None) -> None:
    """Each event of the plugin says what opencode does, names its conversation, or leaves it to the screen."""
    assert signal(event, **data) is state


def test_a_report_on_another_conversation_is_passed_over() -> None:
    """The state of a session that is not ours says nothing; the event that names one makes it ours."""
    other = {"sessionID": "ses_2", "type": "idle"}
    assert heard(OPENCODE, "session.status", other, OURS, 1.0) == (None, OURS)
    assert heard(OPENCODE, "session", other, OURS, 1.0) == (None, Identity("ses_2"))
