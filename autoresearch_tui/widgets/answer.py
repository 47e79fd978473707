"""The answer first: one line that says what a session does now, how far it got, and when it was last nudged."""

from pathlib import PurePath

from autoresearch_tui.activity import activity, attention
from autoresearch_tui.changes import Link
from autoresearch_tui.format import ago, bpb, count_of, delta, dollars, rate, sparkline, tokens
from autoresearch_tui.lines import Line, Span, joined, line, spread
from autoresearch_tui.score import best_so_far, per_hour, score
from autoresearch_tui.state import SessionView, WindowState
from autoresearch_tui.widgets.line_view import LineView
from autoresearch_tui.widgets.machine import machine_line
from harness.text import one_line


class Answer(LineView):
    """The top of a session's screen: the answer, below it what needs a person, if anything does.

    In the compact layout there is a line more: the best so far as blocks, and the machine.
    """

    can_focus = False

    def __init__(self, *, compact: bool, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._compact = compact
        self._state = WindowState()

    def show(self, state: WindowState) -> None:
        """Show the open session."""
        self._state = state
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The lines."""
        view = self._state.current
        if view is None:
            return None, []
        if self._compact:
            return None, [spark_line(self._state, view, cells)]
        return None, [answer_line(view, self._state.now, cells)]


class Attention(LineView):
    """One line that is only there while a person should look at something."""

    can_focus = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._text = ""

    def show(self, view: SessionView) -> None:
        """Show what needs a person, or nothing at all."""
        text = attention(view)
        if text == self._text:
            return
        self._text = text
        self.display = bool(text)
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The line."""
        return None, [line((f" ! {self._text}", "warn"))] if self._text else []


def answer_line(view: SessionView, now: float, cells: int) -> Line:
    """The answer, the most important parts first; what does not fit is left out.

    Long: "nov23 · codex on climbmix · ● training #95, 3:12/5:00 · best 0.9731 at #88, −0.0248 · 17 kept of 94 · ...".
    """
    points = score(view)
    doing = activity(view, now)
    wide = cells >= 140
    head = line((f" {view.id}", "strong"), *_recording(view))
    best = (
        line(("best ", "quiet"), (bpb(points.best), "strong"), _at(points.best_number) if wide else "", _gain(view))
        if points.best is not None
        else line(("no number yet", "quiet"))
    )
    kept = f"{points.kept} kept of {points.total}" if cells >= 100 else f"{points.kept}/{points.total}"
    parts: list[Line] = [head, doing.as_line(detail=True, why=wide), best, line(kept)]
    if points.sigma is not None and cells >= 100:  # below that the next line has it
        parts.append(line(("σ ", "quiet"), bpb(points.sigma)))
    speed = per_hour(view)
    if speed is not None:
        parts.append(line(rate(speed)))
    used = _usage(view)
    parts += [_nudged(view, now, wide=cells >= (180 if used else 160)), used]
    if view.spec is not None and cells >= 100:
        lab = one_line(PurePath(view.spec.lab).name, 24)
        parts.insert(1, line((f"{one_line(view.spec.agent, 16)} on {lab}", "quiet")))
    return joined(parts, cells, ("  ·  " if wide else "  ", "quiet"))


def _at(number: int | None) -> str:
    return "" if number is None else " (baseline)" if number == 0 else f" at #{number}"


def _gain(view: SessionView) -> Span:
    points = score(view)
    if points.gain is None or points.best_number == 0:
        return ("", "")
    return (f" {delta(points.gain)}", "good" if points.gain < 0 else "")


def _nudged(view: SessionView, now: float, *, wide: bool) -> Line:
    status = view.status
    if status is None or not status.nudges:
        return ()
    when = f", last {ago(now - status.last_nudge_at)}" if wide and status.last_nudge_at else ""
    return line(count_of(status.nudges, "nudge"), (when, "quiet"))


def _usage(view: SessionView) -> Line:
    """What the agent has used so far: "1.2 Mtok  $3.40"."""
    status = view.status
    if status is None or not status.tokens:
        return ()
    return line(tokens(status.tokens), f"  {dollars(status.cost)}" if status.cost is not None else "")


def _recording(view: SessionView) -> Line:
    on = view.status is not None and view.status.recording and view.link is Link.LIVE
    return line((" ● rec", "bad")) if on else ()


def spark_line(state: WindowState, view: SessionView, cells: int) -> Line:
    """The best so far as blocks and the noise on the left, the machine on the right."""
    best = best_so_far(view)
    machine = machine_line(state.machine, state.machine_problem, cells // 2)
    if not best:
        return spread(line((" val_bpb: no number yet", "quiet")), line(*machine, " "), cells)
    points = score(view)
    if points.sigma is not None:  # what it began with follows from the gain, one line above
        ends = f" {bpb(points.best)} σ {bpb(points.sigma)}"
    else:
        ends = f" {bpb(best[0])} → {bpb(best[-1])}" if len(best) > 1 else f" {bpb(best[0])}"
    blocks = sparkline(best, max(4, cells // 2 - len(ends) - 12))
    return spread(line((" val_bpb ", "quiet"), (blocks, "accent"), ends), line(*machine, " "), cells)
