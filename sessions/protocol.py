"""The words on a session's unix socket, and the records that they carry. No I/O.

A message is one JSON object on one line, UTF-8, at most `MAX_LINE` bytes. Both sides open with a `hello` that
carries `PROTOCOL`. A client sends requests, `{"type": "request", "id": n, "verb": ..., **arguments}`, and gets
one reply each, `{"type": "reply", "id": n, "ok": true, "data": ...}` or `{..., "ok": false, "error": "one line"}`.
After a `watch` request the server also sends events:

    {"type": "status", "status": {...}}           a whole `Status`, whenever it changed
    {"type": "changed", "what": "experiments"}    re-read that file: "experiments" or "journal"
    {"type": "frame", "frame": {...}}             a `Frame`, if the screen was asked for
    {"type": "bye", "reason": "one line"}         the supervisor ends

Unknown types and unknown keys are ignored, so that an older side and a newer one can talk.

Verbs: `status`; `watch` (screen: bool, cols, rows); `nudge` (text, now: bool); `pause` (now: bool); `resume`; `stop`;
`explain` -> an `Explanation`; `hook` (event, data: what an agent reports through the hook client);
`submit` (message) -> {"number"}; `wait` (number or null: the one in progress) -> {"answer", "experiment"};
`resize` (cols, rows); `wheel` (on: bool); `keys` (data: base64, only of the one who
has the wheel).
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from harness.errors import ClearError
from harness.result import Record

PROTOCOL: Final = 1
MAX_LINE: Final = 4 << 20

# Below this agents have been seen to spin or to drop the first prompt; above it nobody looks.
MIN_SIZE: Final = (80, 24)
MAX_SIZE: Final = (250, 80)

Color = int | str | None
"""None is the terminal's default, 0-255 a palette entry, "#rrggbb" a direct colour."""

# Bits of a run's attributes.
BOLD: Final = 1
FAINT: Final = 2
ITALIC: Final = 4
UNDERLINE: Final = 8
INVERSE: Final = 16
STRIKE: Final = 32
INVISIBLE: Final = 64

Run = tuple[str, Color, Color, int]
"""Text, foreground, background, attributes. A wide character counts two cells; runs of a row tile it up to the
last cell that is not blank."""

Row = tuple[Run, ...]


class ProtocolError(ClearError):
    """The other side does not speak this protocol."""


@dataclass(frozen=True)
class Frame:
    """The agent's screen, or what changed of it.

    Attributes:
        full: whether `rows` holds every row; otherwise those that changed.
        cols, rows_total: the screen's size in cells.
        cursor: column, row (from 0), and whether it is shown.
        title: of the window, already sanitised.
        rows: row number -> its runs.
        modes: sequences that put a real terminal into the input modes that the agent has asked for (mouse, paste,
            keys), for the one who takes the wheel.
    """

    full: bool
    cols: int
    rows_total: int
    cursor: tuple[int, int, bool]
    title: str
    rows: dict[int, Row] = field(default_factory=dict)
    modes: str = ""

    def to_wire(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "full": self.full,
            "size": [self.cols, self.rows_total],
            "cursor": list(self.cursor),
            "title": self.title,
            "modes": self.modes,
            "rows": [[y, [list(run) for run in row]] for y, row in self.rows.items()],
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "Frame":
        """Read what `to_wire` made.

        Raises:
            ProtocolError: it has another form.
        """
        try:
            cols, rows = data["size"]
            x, y, shown = data["cursor"]
            content = {int(n): tuple((str(t), f, b, int(a)) for t, f, b, a in row) for n, row in data["rows"]}
            cursor = (int(x), int(y), bool(shown))
            return cls(
                bool(data["full"]),
                int(cols),
                int(rows),
                cursor,
                str(data["title"]),
                content,
                str(data.get("modes", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"not a frame: {error!r}") from None


@dataclass(frozen=True)
class Running(Record):
    """The run in progress. Seconds are on the harness's clock.

    Attributes:
        number, message: of the experiment whose commit runs.
        run, most_runs: which run of it this is, from 1, and how many there may be; a repetition for a taint keeps the
            number of the run that it repeats. Of a replicate: which replicate, and how many are wanted now.
        because: why there is another run, one line; empty for the first.
        replicate: whether it measures the noise of a commit that was kept, and no change.
    """

    number: int
    message: str
    phase: str
    started_at: float
    spent_s: float = 0.0
    budget_s: float = 0.0
    steps: int = 0
    run: int = 1
    most_runs: int = 1
    because: str = ""
    replicate: bool = False


@dataclass(frozen=True)
class Status(Record):
    """Everything a viewer needs to know of a session besides its ledgers and its screen.

    Attributes:
        session: the session's id, which is its tag.
        agent: the profile's name.
        lab: absolute path.
        phase: a value of `sessions.states.Phase`.
        phase_reason: why it is paused, parked or finished; one line.
        state: a value of `sessions.states.AgentState`.
        state_since: seconds since the epoch.
        rule: the name of the detector's rule that said so.
        evidence: what that rule saw; one line, sanitised.
        running: the experiment in progress, as `Running`'s fields, or None.
        queued: experiments that were submitted and have not started.
        best, baseline: val_bpb, the mean of all runs of the commit; None where there is none.
        best_number: the incumbent's experiment number.
        kept, total: of the experiments that were judged, the baseline left out.
        nudges: typed by the supervisor, the first brief left out.
        last_nudge_at, last_nudge: when (seconds since the epoch) and what, one line.
        alert: what a person should look at, one line; empty where there is nothing.
        viewers: clients that watch.
        wheel: whether a person is typing to the agent directly.
        pid, agent_pid: of the supervisor and the agent (0: none).
        size: the agent's screen, columns and rows.
        holding: why nothing is typed to the agent now, one line; empty where something is.
        resets_at: when its usage limit ends, in seconds since the epoch, where that is known.
        hours: for how long the session has been supervised.
        tokens: how many the agent has used, as far as its log says.
        cost: of those, in dollars, where prices are known.
        agent_session: the agent's own id of its conversation; empty while unknown.
        recording: whether its terminal is being recorded.
        best_runs: runs that `best` is the mean of.
        sigma: run-to-run standard deviation of val_bpb, in bits per byte; None: not known.
        sigma_runs: runs that it was measured with.
    """

    session: str
    agent: str
    lab: str
    phase: str
    state: str
    state_since: float
    phase_reason: str = ""
    rule: str = ""
    evidence: str = ""
    running: dict[str, Any] | None = None
    queued: int = 0
    best: float | None = None
    baseline: float | None = None
    best_number: int | None = None
    kept: int = 0
    total: int = 0
    nudges: int = 0
    last_nudge_at: float = 0.0
    last_nudge: str = ""
    alert: str = ""
    viewers: int = 0
    wheel: bool = False
    pid: int = 0
    agent_pid: int = 0
    size: list[int] = field(default_factory=lambda: list(MIN_SIZE))
    started_at: float = 0.0
    max_experiments: int | None = None
    holding: str = ""
    resets_at: float | None = None
    hours: float = 0.0
    tokens: int = 0
    cost: float | None = None
    agent_session: str = ""
    recording: bool = False
    best_runs: int = 0
    sigma: float | None = None
    sigma_runs: int = 0

    def run_in_progress(self) -> Running | None:
        """`running` as a record."""
        return None if self.running is None else Running.from_dict(self.running)


def encode(message: dict[str, Any]) -> bytes:
    """A message as its line, newline included."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """A line as its message.

    Raises:
        ProtocolError: not a JSON object with a "type".
    """
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("a message is an object with a type")
    return message
