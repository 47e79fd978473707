"""The results table: one row an experiment, the newest first, and the reason for the verdict under the cursor."""

from dataclasses import replace
from typing import ClassVar, Final

from autoresearch_tui.belief import doubts, is_alarming, mark, runs, sure
from autoresearch_tui.changes import Link
from autoresearch_tui.format import MISSING, bpb, delta
from autoresearch_tui.lines import Align, Line, Span, Tone, line, row
from autoresearch_tui.run_words import which_run
from autoresearch_tui.state import SessionView
from autoresearch_tui.widgets.chart import DISCARDED, FAILED, KEPT
from autoresearch_tui.widgets.line_view import LineView
from harness.result import Experiment, Phase
from harness.text import one_line
from harness.verdict import Verdict
from sessions.protocol import Running

_GLYPHS: Final[dict[str, Span]] = {
    Verdict.KEEP: KEPT,
    Verdict.DISCARD: DISCARDED,
    Verdict.HELD: ("!", "warn"),
    Verdict.REJECTED: FAILED,
    Verdict.CRASH: FAILED,
    Verdict.TIMEOUT: FAILED,
    Verdict.ABORTED: ("–", "quiet"),
}
_Cell = tuple[Line, int, Align]


class Results(LineView):
    """The experiments of one session."""

    has_cursor: ClassVar[bool] = True

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self._experiments: tuple[Experiment, ...] = ()
        self._current: Running | None = None
        self._broken = 0

    def show(self, view: SessionView) -> None:
        """Show a session's experiments, and the one in progress above them."""
        running = view.status.run_in_progress() if view.status is not None and view.link is Link.LIVE else None
        # Its clock is told elsewhere: a tick of it changes nothing here.
        shown = None if running is None else replace(running, started_at=0.0, spent_s=0.0, budget_s=0.0, steps=0)
        if view.experiments is self._experiments and (shown, view.broken) == (self._current, self._broken):
            return
        grown = self.cursor > 0 and len(view.experiments) - len(self._experiments)
        self._experiments, self._current, self._broken = view.experiments, shown, view.broken
        self.remake()
        if grown:  # the cursor stays on its experiment, the rows move down below it
            self.put_cursor(self.cursor + grown)
        self.cursor_moved()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The heading and the rows."""
        rows = [result_row(one, cells) for one in reversed(self._experiments)]
        if self._current is not None:
            rows.insert(0, running_row(self._current, cells))
        if not rows:
            rows = [line(("no experiment yet", "quiet"))]
        return heading(cells), rows

    def cursor_moved(self) -> None:
        """Say below the table why the experiment under the cursor got its verdict."""
        index = self.cursor - (1 if self._current is not None else 0)
        if 0 <= index < len(self._experiments):
            one = self._experiments[-1 - index]
            said = f"#{one.number} {one_line(one.verdict, 12)}: {one_line(one.reason, 160)}"
            text = " · ".join([said, *(f"! {doubt}" for doubt in doubts(one) if doubt not in said)])
        elif index < 0 and self._current is not None and self._current.because:
            text = f"#{self._current.number} {which_run(self._current)}: {one_line(self._current.because, 160)}"
        else:
            text = f"{self._broken} lines of the ledger are not records" if self._broken else ""
        self.border_subtitle = line_to_markup(text)


def line_to_markup(text: str) -> str:
    """Text for a border, where Textual reads markup: brackets are escaped."""
    return text.replace("[", r"\[")


def heading(cells: int) -> Line:
    """The table's heading."""
    narrow = cells < _WORDS_FROM  # the mark stands behind the number, for there is no other place
    texts: dict[str, str] = {
        "#": "#",
        "val_bpb": "val_bpb " if narrow else "val_bpb",
        "delta": "Δ best",
        "verdict": "verdict",
    }
    texts |= {"commit": "commit", "memory": "GiB", "runs": "runs", "sure": "sure", "what": "what was tried"}
    if narrow:
        texts["verdict"] = ""
    return row([(line((texts[name], "quiet")), size, side) for name, size, side in _columns(cells)])


def result_row(one: Experiment, cells: int) -> Line:
    """One experiment as a row of `cells` cells."""
    glyph, tone = _GLYPHS.get(one.verdict, ("?", "warn"))
    changed: Tone = "" if one.delta is None else "good" if one.delta < 0 else "quiet"
    memory = one.result.get("memory_gb") if one.val_bpb is not None else None
    contents: dict[str, Line] = {
        "#": line((str(one.number), "quiet")),
        "commit": line((one.commit[:7], "quiet")),
        "val_bpb": line(
            (bpb(one.val_bpb, 5), "strong" if one.verdict == Verdict.KEEP else ""),
            "" if cells >= _WORDS_FROM else mark(one) or " ",
        ),
        "delta": line((_change(one), changed)),
        "runs": line((runs(one), "quiet")),
        "sure": line((sure(one), "warn" if mark(one) else "quiet")),
        "memory": line((f"{memory:.1f}" if isinstance(memory, int | float) else MISSING, "quiet")),
        "verdict": line((glyph, tone)) if cells < _WORDS_FROM else line((f"{glyph} {one_line(one.verdict, 8)}", tone)),
        "what": line(("! ", "warn") if is_alarming(one) else "", one_line(one.message)),
    }
    return row([(contents[name], size, side) for name, size, side in _columns(cells)])


def _change(one: Experiment) -> str:
    if one.number == 0 and one.val_bpb is not None:
        return "baseline"
    return f"{mark(one)}{delta(one.delta, 5)}"


def running_row(running: Running, cells: int) -> Line:
    """The run in progress as a row."""
    word = "waiting" if running.phase == Phase.WAITING else "noise" if running.replicate else "running"
    which = which_run(running)
    contents: dict[str, Line] = {
        "#": line((str(running.number), "busy")),
        "verdict": line(("▸", "busy")) if cells < _WORDS_FROM else line((f"▸ {word}", "busy")),
        "what": line((f"{which}: " if which else "", "busy"), (one_line(running.message), "busy")),
    }
    return row([(contents.get(name, ()), size, side) for name, size, side in _columns(cells)])


# Below this many cells a verdict is its glyph alone and the change is only below the table; below the next ones give
# way: how sure it is, the number of runs, memory, the commit.
_WORDS_FROM: Final = 52
_SURE_FROM: Final = 62
_RUNS_FROM: Final = 72
_MEMORY_FROM: Final = 80
_COMMIT_FROM: Final = 90


def _columns(cells: int) -> list[tuple[str, int, Align]]:
    if cells < _WORDS_FROM:
        return [
            ("#", 3, "right"),
            ("verdict", 1, "left"),
            ("val_bpb", 8, "right"),
            ("what", max(4, cells - 18), "left"),
        ]
    columns: list[tuple[str, int, Align]] = [("#", 3, "right")]
    if cells >= _COMMIT_FROM:
        columns.append(("commit", 7, "left"))
    columns += [("val_bpb", 7, "right"), ("delta", 9, "right")]
    if cells >= _SURE_FROM:
        columns.append(("sure", 5, "right"))
    if cells >= _RUNS_FROM:
        columns.append(("runs", 4, "right"))
    if cells >= _MEMORY_FROM:
        columns.append(("memory", 5, "right"))
    columns.append(("verdict", 9, "left"))
    rest = cells - sum(size + 2 for _name, size, _side in columns)
    return [*columns, ("what", max(4, rest), "left")]
