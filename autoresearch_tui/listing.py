"""Sessions as lines of plain text, for `ls` and the verbs that steer. Pure."""

from autoresearch_tui.format import countdown, time_of_day
from autoresearch_tui.run_words import subject, which_run
from sessions.overview import Overview
from sessions.protocol import Status
from sessions.states import AgentState, Phase

_HEAD = ("session", "agent", "phase", "now", "best", "vs base", "kept", "nudges")


def session_table(found: list[Overview], now: float | None = None) -> str:
    """A table with a line a session, the newest last, and below it what is wrong with any.

    `now`, in seconds since the epoch, is what limits are counted down from; without it the time of their end is given.
    """
    rows = [_HEAD, *(_cells(one, now) for one in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    problems = [f"{one.session}: {one.problem}" for one in found if one.problem]
    return "\n".join([*lines, *([""] if problems else []), *problems])


def session_line(one: Overview) -> str:
    """A session in one line."""
    status = one.status
    parts = [f"{one.session}: {one.phase}"]
    if status is not None:
        if status.phase_reason:
            parts.append(status.phase_reason)
        parts.append(f"{status.kept} kept of {status.total}")
        if status.best is not None:
            parts.append(f"best val_bpb {status.best:.6f}")
    return ", ".join(parts)


def _cells(one: Overview, now: float | None) -> tuple[str, ...]:
    status = one.status
    if status is None:
        return (one.session, "?", one.phase, "–", "–", "–", "–", "–")
    gain = None if status.best is None or status.baseline is None else status.best - status.baseline
    return (
        one.session,
        status.agent,
        one.phase,
        _doing(one.phase, status, now),
        "–" if status.best is None else f"{status.best:.4f}",
        "–" if gain is None else f"{gain:+.4f}",
        f"{status.kept}/{status.total}",
        str(status.nudges),
    )


def _doing(phase: str, status: Status, now: float | None) -> str:
    if phase in {Phase.STOPPED, Phase.DEAD}:
        return "–"
    running = status.run_in_progress()
    if running is not None:
        clock = f"{running.spent_s:.0f} of {running.budget_s:.0f} s"
        return ", ".join(filter(None, (subject(running), clock, which_run(running))))
    if status.state == AgentState.LIMITED and status.resets_at is not None:
        if now is None:
            return f"limited until {time_of_day(status.resets_at)}"
        left = status.resets_at - now
        return f"limited, resets in {countdown(left)}" if left > 0 else "limited, the reset is due"
    if status.state in {AgentState.LIMITED, AgentState.FAILING}:
        return f"{status.state}, next try later"
    return f"agent {status.state}"
