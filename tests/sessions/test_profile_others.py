"""The profiles of pi, Qwen Code and aider: on rows as they draw them. Their recordings are replayed elsewhere."""

from datetime import UTC, datetime
from typing import Final

import pytest

from sessions.detector import Detection, View, detect
from sessions.signals import Identity, heard
from sessions.states import AgentState
from tests.recordings import truth

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LINE: Final = "─" * 100
PI: Final = (LINE, LINE, "~/proj (master)", "↑3.0k ↓102 R600 1.0%/128k (auto)                        scripted")
QWEN: Final = (LINE, "*   Type your message or @path/to/file", LINE, "  YOLO mode (shift + tab to cycle)")
AIDER: Final = (LINE, "Readonly: program.md", "Editable: train.py", "diff>")


def seen(name: str, *rows: str, before: Detection | None = None) -> Detection:
    """The settled judgement of a screen."""
    found = before
    for tick in range(40):
        found = detect(truth.profile(name), View(rows, local_time=NOON), found, tick * 0.1)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "rows", "state"),
    [
        ("pi", (" Should I keep going?", *PI), AgentState.WAITING),
        ("pi", (" ⠙ Working...", *PI), AgentState.WORKING),
        ("pi", (" Error: 500 no", " ⠙ Retrying (1/3) in 2s... (escape to cancel)", *PI), AgentState.WORKING),
        ("pi", (" Error: 401 Incorrect API key provided: dummy.", *PI), AgentState.FAILING),
        ("pi", (" Error: 429 You have hit your usage limit.", *PI), AgentState.LIMITED),
        ("pi", (" Error: 401 Incorrect API key", " FAIL", *["output"] * 4, " It is done.", *PI), AgentState.WAITING),
        ("qwen", ("  ✦ Should I keep going?", *QWEN), AgentState.WAITING),
        ("qwen", ("  ⠏ Compiling brilliance... (2s · ↓ 31 tokens · esc to cancel)", *QWEN), AgentState.WORKING),
        ("qwen", ("  Press ↑ to edit queued messages", *QWEN), AgentState.WORKING),
        ("qwen", ("  ✕ [API Error: 401 Incorrect key] (Press Ctrl+Y to retry)", *QWEN), AgentState.FAILING),
        ("qwen", ("  ✕ [API Error: 429 You have hit your usage limit.]", *QWEN), AgentState.LIMITED),
        ("qwen", ("  Tips: Type / to open the command popup.", *QWEN), AgentState.WAITING),
        ("aider", ("Tokens: 2.0k sent, 36 received.", *AIDER), AgentState.WAITING),
        ("aider", (*AIDER[:-1], "> "), AgentState.WAITING),
        ("aider", (*AIDER, "█░         Waiting for openai/scripted"), AgentState.WORKING),
        ("aider", (*AIDER[:-1], "diff> half typed"), AgentState.WORKING),
        ("aider", ("litellm.AuthenticationError: no", "The API provider says no.", *AIDER), AgentState.FAILING),
        ("aider", ("litellm.RateLimitError: you exceeded your current quota", *AIDER), AgentState.LIMITED),
        ("aider", ("Add file? (Y)es/(N)o [Yes]:",), AgentState.ASKING),
    ],
)
def test_what_is_drawn_is_understood(name: str, rows: tuple[str, ...], state: AgentState) -> None:
    """Each screen that was seen means one thing."""
    assert seen(name, *rows).state is state


def test_an_approval_of_qwen_is_answered_with_once() -> None:
    """The chosen entry allows this command alone."""
    entries = ["› 1. Yes, allow once", "  2. Always allow in this project", "  3. Always allow", "  4. No (esc)", ""]
    box = [f"  │ {entry:<92} │" for entry in entries]
    found = seen("qwen", *box, "  ╰" + "─" * 94 + "╯", "  ⠏ Waiting for user confirmation...")
    assert (found.state, found.answer) == (AgentState.ASKING, "\r")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("pi", (LINE, "Only showing models from configured providers.", ">", "→ scripted [local] ✓", *PI[1:])),
        ("qwen", ("  │ Select Model │", "  │ Enter to select, ↑↓ to navigate, Esc to close │", "  ╰────╯")),
    ],
)
def test_a_picker_changes_nothing(name: str, rows: tuple[str, ...]) -> None:
    """While a picker stands in the composer's place it does what it did before."""
    before = seen(name, *({"pi": (" ⠙ Working...", *PI), "qwen": ("  ⠏ So... (2s · esc to cancel)", *QWEN)}[name]))
    assert seen(name, *rows, before=before).state is AgentState.WORKING


@pytest.mark.parametrize(
    ("stop", "state"),
    [("stop", AgentState.WAITING), ("aborted", AgentState.WAITING), ("error", None)],
)
def test_pi_says_how_a_turn_ended(stop: str, state: AgentState | None) -> None:
    """The end of a turn is a stop; an error is left to the screen, which tells whether it tries again."""
    found, _ = heard(truth.profile("pi"), "agent_end", {"session": "s", "stop": stop}, Identity("s"), 1.0)
    assert (None if found is None else found.state) is state


@pytest.mark.parametrize(
    ("details", "state"),
    [("401 Incorrect API key", AgentState.FAILING), ("429 You have hit your usage limit.", AgentState.LIMITED)],
)
def test_qwen_says_why_a_turn_failed(details: str, state: AgentState) -> None:
    """A usage limit is told from other errors by its words."""
    data = {"session_id": "s", "error": "unknown", "error_details": details}
    found, _ = heard(truth.profile("qwen"), "StopFailure", data, Identity("s"), 1.0)
    assert found is not None
    assert found.state is state
