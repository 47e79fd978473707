"""val_bpb over the experiments: every verdict's number, and the best so far as a line. Lower is better."""

from collections.abc import Sequence
from typing import Final

from autoresearch_tui.format import bpb
from autoresearch_tui.lines import Line, Span, Tone, joined, line
from autoresearch_tui.state import SessionView
from autoresearch_tui.widgets.line_view import LineView
from harness.result import Experiment
from harness.verdict import Verdict

KEPT: Final[Span] = ("●", "good")
DISCARDED: Final[Span] = ("○", "quiet")
FAILED: Final[Span] = ("×", "bad")
_OFF_SCALE: Final[Span] = ("↑", "quiet")
_PATH: Final[Tone] = "accent"
_LEGEND: Final = (
    line(KEPT, " kept"),
    line(DISCARDED, " discarded"),
    line(FAILED, " no number"),
    line(("─", _PATH), " best so far"),
)
# Few points are not pulled apart over the whole width: the eye should find them together.
_WIDEST_STEP: Final = 8


class Chart(LineView):
    """The chart of one session."""

    can_focus = False

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self._experiments: tuple[Experiment, ...] = ()

    def show(self, view: SessionView) -> None:
        """Show a session's experiments."""
        if view.experiments is self._experiments:
            return
        self._experiments = view.experiments
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The chart; without a number yet, a line that says so."""
        return None, chart_lines(self._experiments, cells, height)


def chart_lines(experiments: Sequence[Experiment], cells: int, height: int) -> list[Line]:
    """The chart as at most `height` lines of at most `cells` cells."""
    numbers = sorted(one.val_bpb for one in experiments if one.val_bpb is not None)
    if not numbers:
        return [line(("no number yet: the baseline runs first", "quiet"))]
    legend = height >= 6
    rows = max(1, height - 1 if legend else height)
    high = max(
        [numbers[len(numbers) * 8 // 10 - 1 if len(numbers) > 1 else 0]]
        + [one.val_bpb for one in experiments if one.verdict == Verdict.KEEP and one.val_bpb is not None]
    )
    grid = _Grid(max(1, cells - 8), rows, numbers[0], high)
    grid.draw(experiments)
    lines = [line((_label(grid, y), "quiet"), *grid.row(y)) for y in range(rows)]
    return [*lines, line(" " * 8, *joined(_LEGEND, cells - 8, ("  ", "")))] if legend else lines


def _label(grid: "_Grid", y: int) -> str:
    ticks = {0, grid.rows - 1} | ({(grid.rows - 1) // 2} if grid.rows >= 5 else set())
    return f"{bpb(grid.value(y)):>6} ┤" if y in ticks else "       ┤"


class _Grid:
    """Character cells with a scale: the top row is the worst number, the bottom row the best."""

    def __init__(self, columns: int, rows: int, low: float, high: float) -> None:
        self.columns, self.rows = columns, rows
        self._high = high if high > low else low + 1e-4
        self._low = low
        self._cells: list[list[Span]] = [[(" ", "") for _ in range(columns)] for _ in range(rows)]

    def value(self, y: int) -> float:
        """The number at the middle of a row."""
        return self._high - (self._high - self._low) * y / max(1, self.rows - 1)

    def _row_of(self, value: float) -> int:
        share = (self._high - value) / (self._high - self._low)
        return max(0, min(self.rows - 1, round(share * (self.rows - 1))))

    def draw(self, experiments: Sequence[Experiment]) -> None:
        """Place the line of the best so far, then the points over it, the kept ones last."""
        step = min(_WIDEST_STEP, (self.columns - 1) / max(1, len(experiments) - 1))
        places = [(one, round(i * step)) for i, one in enumerate(experiments)]
        self._draw_best(places)
        for one, x in sorted(places, key=lambda place: place[0].verdict == Verdict.KEEP):
            if one.verdict == Verdict.ABORTED:
                continue
            if one.val_bpb is None:
                self._cells[0][x] = FAILED
            elif one.verdict == Verdict.KEEP:
                self._cells[self._row_of(one.val_bpb)][x] = KEPT
            else:
                worse = one.val_bpb > self._high
                self._cells[self._row_of(one.val_bpb)][x] = _OFF_SCALE if worse else DISCARDED

    def _draw_best(self, places: Sequence[tuple[Experiment, int]]) -> None:
        at: tuple[int, int] | None = None
        for one, x in places:
            kept = one.verdict == Verdict.KEEP and one.val_bpb is not None
            if at is not None and (kept or one is places[-1][0]):
                for column in range(at[0], x + 1):
                    self._cells[at[1]][column] = ("─", _PATH)
            if not kept or one.val_bpb is None:
                continue
            y = self._row_of(one.val_bpb)
            if at is not None and y > at[1]:
                self._cells[at[1]][x] = ("╮", _PATH)
                for between in range(at[1] + 1, y):
                    self._cells[between][x] = ("│", _PATH)
            at = (x, y)

    def row(self, y: int) -> Line:
        """A row, neighbours of one tone joined."""
        spans: list[Span] = []
        for glyph, tone in self._cells[y]:
            if spans and spans[-1][1] == tone:
                spans[-1] = (spans[-1][0] + glyph, tone)
            else:
                spans.append((glyph, tone))
        return tuple(spans)
