"""What happened when: nudges, verdicts and what became of the session, the newest first, with the time of day."""

from collections.abc import Mapping
from typing import Any, Final

from autoresearch_tui.belief import is_alarming, mark
from autoresearch_tui.changes import Entry
from autoresearch_tui.format import bpb, delta, duration, time_of_day
from autoresearch_tui.lines import Line, Tone, line
from autoresearch_tui.state import SessionView
from autoresearch_tui.widgets.line_view import LineView
from harness.result import Experiment
from harness.text import one_line
from harness.verdict import Verdict

_MOST_LINES: Final = 500
_MOST_SECONDS: Final = 1e12  # thirty thousand years: no moment, whatever else it is

# The journal's kinds, as a person would say them.
_WORDS: Final[dict[str, tuple[str, Tone]]] = {
    "started": ("supervisor started", "quiet"),
    "stopped": ("stopped", "quiet"),
    "failed": ("failed to start", "bad"),
    "paused": ("paused", "warn"),
    "running": ("goes on", "good"),
    "parked": ("parked", "warn"),
    "finished": ("finished", "good"),
    "launched": ("agent launched", "quiet"),
    "conversation": ("its conversation", "quiet"),
    "conversation lost": ("conversation lost, begun anew", "warn"),
    "leftovers ended": ("what it had left running was ended", "warn"),
    "interrupted": ("turn interrupted", "warn"),
    "refreshed": ("fresh context", "accent"),
    "enter again": ("enter pressed again", "quiet"),
    "nudge asked for": ("you asked for a nudge", "quiet"),
    "answered": ("approval answered", "accent"),
    "alert": ("alert", "bad"),
    "wheel taken": ("wheel taken", "warn"),
    "wheel released": ("wheel given back", "quiet"),
}
_NUDGES: Final = {
    "brief": "briefed",
    "nudge": "nudged",
    "insist": "told in other words",
    "limit_over": "usage limit over",
    "result": "told the result",
    "person": "your nudge",
}
# An experiment's end is told from the ledger, which has its number; a state comes and goes too often to tell, unless
# it says for how long.
_LEFT_OUT: Final = frozenset({"state", "experiment", "verdict", "judged", "ended"})
_TEXTS: Final = ("text", "reason", "message", "evidence", "session")
_VERDICTS: Final[dict[str, tuple[str, Tone]]] = {
    Verdict.KEEP: ("●", "good"),
    Verdict.DISCARD: ("○", "quiet"),
    Verdict.HELD: ("!", "warn"),
    Verdict.REJECTED: ("×", "bad"),
    Verdict.CRASH: ("×", "bad"),
    Verdict.TIMEOUT: ("×", "bad"),
}


class Timeline(LineView):
    """The timeline of one session."""

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self._entries: tuple[Entry, ...] = ()
        self._experiments: tuple[Experiment, ...] = ()

    def show(self, view: SessionView) -> None:
        """Show a session's journal and verdicts."""
        if view.entries is self._entries and view.experiments is self._experiments:
            return
        self._entries, self._experiments = view.entries, view.experiments
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The lines, the newest first."""
        return None, timeline_lines(self._entries, self._experiments) or [line(("nothing yet", "quiet"))]


def timeline_lines(entries: tuple[Entry, ...], experiments: tuple[Experiment, ...]) -> list[Line]:
    """Journal entries and verdicts by time, the newest first, at most 500."""
    told = [(one.at, entry_line(one)) for one in entries if one.kind not in _LEFT_OUT or _limit_s(one) is not None]
    judged = [(one.ended_at, verdict_line(one)) for one in experiments]
    recent = sorted(told + judged, key=lambda pair: pair[0], reverse=True)[:_MOST_LINES]
    return [content for _at, content in recent]


def entry_line(entry: Entry) -> Line:
    """A journal entry: "23:11  nudged: go on"."""
    words, tone = _words(entry)
    text = _measured(entry.facts) if entry.kind == "replicate" else _text_of(entry.facts)
    if text.startswith(words):  # "paused" and "paused by you" are said once
        words, text = text, ""
    return line((f"{time_of_day(entry.at)}  ", "quiet"), (words, tone), f": {text}" if text else "")


def _words(entry: Entry) -> tuple[str, Tone]:
    if entry.kind == "nudge":
        return _NUDGES.get(str(entry.facts.get("what")), "nudged"), "accent"
    if (limit_s := _limit_s(entry)) is not None:
        return f"usage limit for {duration(limit_s)}", "warn"
    if entry.kind == "launched" and entry.facts.get("conversation"):
        return "agent launched, in its own conversation", "quiet"
    if entry.kind == "submitted":
        return f"#{one_line(str(entry.facts.get('number')), 6)} submitted", "busy"
    if entry.kind == "replicate":
        return f"noise: #{one_line(str(entry.facts.get('number')), 6)} once more", "quiet"
    if entry.kind == "another run":
        return f"#{one_line(str(entry.facts.get('number')), 6)} runs again", "busy"
    return _WORDS.get(entry.kind, (one_line(entry.kind, 24), "quiet"))


def _limit_s(entry: Entry) -> float | None:
    """For how long a usage limit held when it was met; None where the entry tells of none."""
    reset = entry.facts.get("resets_at")
    if entry.kind != "state" or not isinstance(reset, int | float) or not abs(reset) < _MOST_SECONDS:
        return None
    return reset - entry.at


def _text_of(facts: Mapping[str, Any]) -> str:
    return next((one_line(text) for key in _TEXTS if isinstance(text := facts.get(key), str) and text), "")


def _measured(facts: Mapping[str, Any]) -> str:
    """What a replicate gave, and what is known of the noise after it: "0.9731, σ 0.0021"."""
    number, sigma = facts.get("val_bpb"), facts.get("sigma")
    if not isinstance(number, float):
        return _text_of(facts)
    return bpb(number) + (f", σ {bpb(sigma)}" if isinstance(sigma, float) else "")


def verdict_line(one: Experiment) -> Line:
    """A verdict: "23:11  ○ #94 discard, ~+0.0004: softcap 15 to 20"."""
    glyph, tone = _VERDICTS.get(one.verdict, ("–", "quiet"))
    number = (
        f", {mark(one)}{delta(one.delta)}" if one.delta is not None else f", {bpb(one.val_bpb)}" if one.val_bpb else ""
    )
    return line(
        (f"{time_of_day(one.ended_at)}  ", "quiet"),
        (f"{glyph} #{one.number} {one_line(one.verdict, 12)}", tone),
        f"{number}: ",
        ("! ", "warn") if is_alarming(one) else "",
        one_line(one.message),
    )
