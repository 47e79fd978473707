"""What the screens look like, as snapshots: a feed that stands still, a fixed clock, fixed sizes.

`pytest --snapshot-update` accepts a new look; look at it first.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from textual.pilot import Pilot

from autoresearch_tui.app import WindowApp
from autoresearch_tui.changes import (
    Change,
    DiffRead,
    EntriesRead,
    Entry,
    ExperimentsRead,
    FrameArrived,
    Link,
    LinkChanged,
    MachineSampled,
    SessionsFound,
    StatusArrived,
)
from autoresearch_tui.feed import Emit
from harness.machine_sample import GpuProcess, GpuSample, MachineSample
from harness.result import Experiment
from sessions.explanation import Explanation
from sessions.protocol import BOLD, FAINT, Frame, Status
from sessions.spec import SessionSpec

NOW = 1_795_388_040.0  # 22 November 2026, 22:54 UTC
GIB = 1 << 30

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "160x50": (160, 50)}


WHY = Explanation(
    state="waiting",
    for_s=41.0,
    rule="free composer",
    evidence="› Ask for anything",
    seen=[
        {"name": "osc blocked, another kind", "says": "asking", "source": "osc7501", "saw": None},
        {"name": "osc working", "says": "working", "source": "osc7501", "saw": None},
        {"name": "title calls for action", "says": "asking", "source": "title", "saw": None},
        {"name": "title spinner", "says": "working", "source": "title", "saw": None},
        {"name": "transcript pager", "says": "hold", "source": "screen", "saw": None},
        {"name": "update prompt", "says": "asking", "source": "screen", "saw": None},
        {"name": "usage limit", "says": "limited", "source": "screen", "saw": None},
        {"name": "can be interrupted", "says": "working", "source": "screen", "saw": None},
        {"name": "free composer", "says": "waiting", "source": "screen", "saw": "› Ask for [bold]anything[/bold]"},
        {
            "name": "hints",
            "says": "waiting",
            "source": "screen",
            "saw": "gpt-6 high · /labs/climbmix · 41 % of the context is left · ? for shortcuts",
        },
    ],
    reported="waiting, 41 s ago: the agent reported agent-turn-complete: #12 was discarded; may I go on with the next?",
    holding="an experiment runs or is queued",
    would=["the experiment in progress ends"],
)


class StillFeed:
    """A feed that says what it was given, once, and notes what it is asked."""

    def __init__(self, emit: Emit, changes: list[Change]) -> None:
        self.emit = emit
        self.changes = changes
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.opened: list[tuple[str | None, tuple[int, int] | None]] = []

    async def run(self) -> None:
        for change in self.changes:
            self.emit(change)

    def open(self, session: str | None, size: tuple[int, int] | None) -> None:
        self.opened.append((session, size))

    async def request(self, session: str, verb: str, **arguments: Any) -> Any:
        self.asked.append((session, verb, arguments))
        return asdict(WHY) if verb == "explain" else None

    async def resume(self, session: str) -> None:
        self.asked.append((session, "resume", {}))


def window(changes: list[Change], session: str | None = None) -> WindowApp:
    return WindowApp(lambda emit: StillFeed(emit, changes), session=session, clock=lambda: NOW)


def spec(name: str, agent: str = "codex", lab: str = "/labs/climbmix") -> SessionSpec:
    return SessionSpec(
        session=name,
        agent=agent,
        argv=[agent],
        lab=lab,
        branch=f"autoresearch/{name}",
        base="0" * 40,
        corpus="/corpus",
        preset="embedded",
        budget_s=300.0,
        created_at=NOW - 9 * 3600,
    )


def status(name: str, **changes: Any) -> Status:
    facts: dict[str, Any] = {
        "session": name,
        "agent": "codex",
        "lab": "/labs/climbmix",
        "phase": "running",
        "state": "working",
        "state_since": NOW - 72,
        "best": 0.9731,
        "baseline": 0.9979,
        "best_number": 10,
        "kept": 5,
        "total": 12,
        "nudges": 11,
        "last_nudge_at": NOW - 130,
        "last_nudge": "go on",
        "pid": 4711,
        "agent_pid": 4712,
    }
    return Status(**(facts | changes))


IDEAS = [
    ("the baseline", 0.9979),
    ("MATRIX_LR 0.02 to 0.04", 0.9921),
    ("DEPTH 8 to 10", 0.9988),
    ("softcap 15 to 20", 0.9925),
    ("batch 64 rows to 32", 0.9862),
    ("a rotary base of 50 000", None),
    ("x0_lambda init 0.05", 0.9801),
    ("weight decay 0.1 to 0.2", 0.9836),
    ("cool down over the last half", 0.9766),
    ("embeddings at 0.6 of the rate", 0.9790),
    ("warm up over 40 steps", 0.9731),
    ("SwiGLU instead of squared ReLU", 0.9764),
    ("MATRIX_LR 0.04 to 0.06 [bold]not markup[/bold]", 1.0412),
]


def experiments(ideas: list[tuple[str, float | None]] = IDEAS) -> tuple[Experiment, ...]:
    made: list[Experiment] = []
    best: float | None = None
    for number, (message, bpb) in enumerate(ideas):
        delta = None if bpb is None or best is None else bpb - best
        kept = bpb is not None and (best is None or bpb < best)
        verdict = "crash" if bpb is None else "keep" if kept else "discard"
        reason = "RuntimeError: shapes differ" if bpb is None else "baseline" if delta is None else f"{delta:+.6f}"
        best = bpb if kept else best
        ended = NOW - 330 * (len(ideas) - number)
        made.append(
            Experiment(
                number=number,
                commit=f"{number * 7919 + 0x9FE2C10:07x}".ljust(40, "0"),
                parent="" if number == 0 else "0" * 40,
                message=message,
                verdict=verdict,
                reason=reason,
                val_bpb=bpb,
                delta=delta,
                best=best,
                submitted_at=ended - 320,
                started_at=ended - 318,
                ended_at=ended,
                result={"memory_gb": 43.9},
            )
        )
    return tuple(made)


def weighed() -> tuple[Experiment, ...]:
    """The same experiments, judged with a measured noise: some of them by luck's measure, one tainted, one simpler."""
    sigma, made = 0.0011, []
    for one in experiments([*IDEAS[:11], ("SwiGLU, and 12 lines less", 0.9734), IDEAS[12]]):
        runs, sure, flags, reason, verdict = 1, None, [], one.reason, one.verdict
        if one.delta is not None:
            sure = 0.9996 if one.delta < 0 else 0.0004
            reason = f"{one.delta:+.6f}, {abs(one.delta) / sigma:.1f} standard errors (sigma {sigma:.4f}, 1 run)"
        if one.number == 3:
            runs, sure, reason = 3, 0.31, "0.000400 above the incumbent's 0.9921, 0.4 standard errors (sigma 0.0011)"
        if one.number == 9:
            runs, flags = 2, ["run 1 of 2: throttled: hardware thermal in 40 % of the samples"]
        if one.number == 11:
            runs, sure, verdict = 3, 0.38, "keep"
            reason = "a simplification: 12 lines fewer, at 0.000300 above the incumbent's 0.9731, 0.3 standard errors"
        if one.number == 12:
            flags = ["memory: 71.2 GB, 1.6 times the incumbent's 43.9 GB"]
        facts = {"reason": reason, "confidence": sure, "flags": flags, "verdict": verdict, "sigma": sigma}
        made.append(replace(one, runs=[one.result] * runs, **facts))
    return tuple(made)


TERMINAL = """
• I will halve the learning rate of the matrices and look at what that does.

• Edited train.py (+1 -1)
    41     # optimiser
    42 -MATRIX_LR = 0.04
    42 +MATRIX_LR = 0.045

• Running autoresearch-tui try -m "MATRIX_LR 0.04 to 0.045"
  └ experiment #13 is training, 192 of 300 s
""".splitlines()[1:]


def frame(cols: int = 80, rows: int = 24) -> Frame:
    content: dict[int, Any] = {}
    for y, text in enumerate(TERMINAL):
        color: Any = 9 if "-MATRIX" in text else 10 if "+MATRIX" in text else None
        bold = BOLD if text.startswith("•") else 0
        content[y] = ((text, color, None, bold),) if text else ()
    content[rows - 4] = (("• ", 12, None, 0), ("Working", None, None, BOLD), (" (3s • esc to interrupt)", 8, None, 0))
    content[rows - 2] = (("› ", None, "#23262f", BOLD), ("Ask for anything".ljust(cols - 2), None, "#23262f", FAINT))
    content[rows - 1] = (("  gpt-6 high · /labs/climbmix", 8, None, 0),)
    return Frame(True, cols, rows, (2, rows - 2, True), "codex", content)


def gpu_sample(**changes: Any) -> MachineSample:
    facts: dict[str, Any] = {
        "index": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "utilization": 98,
        "memory_used": 61 * GIB,
        "memory_total": 80 * GIB,
        "power_w": 612.0,
        "power_limit_w": 700.0,
        "temperature_c": 64,
        "sm_clock_mhz": 1980,
        "processes": [GpuProcess(8123, "train.py", int(60.2 * GIB))],
    }
    return MachineSample(
        at=NOW,
        gpus=[GpuSample(**(facts | changes))],
        cpu_percent=12.0,
        cpu_count=26,
        cpu_name="Xeon Platinum 8480+",
        load1=3.11,
        memory_used=31 * GIB,
        memory_total=221 * GIB,
    )


def cpu_sample(percent: float = 87.0) -> MachineSample:
    return MachineSample(
        at=NOW,
        gpu_error="no NVIDIA driver on this machine (libnvidia-ml.so.1 was not found)",
        cpu_percent=percent,
        cpu_count=2,
        cpu_name="EPYC 7763",
        load1=1.92,
        memory_used=int(3.1 * GIB),
        memory_total=8 * GIB,
    )


DIFF = """\
diff --git a/train.py b/train.py
index 4f2a1c0..9d3b7ee 100644
--- a/train.py
+++ b/train.py
@@ -39,7 +39,7 @@ DEPTH = 10
 # optimiser
-MATRIX_LR = 0.04
+MATRIX_LR = 0.045  # [red]not markup[/red]
 EMBED_LR = 0.6
"""

ENTRIES = (
    Entry(NOW - 5000, "started", {"pid": 4711, "argv": ["codex"]}),
    Entry(NOW - 2400, "nudge", {"what": "nudge", "text": "turn ended, nothing running: go on"}),
    Entry(NOW - 1500, "paused", {"reason": "paused by you"}),
    Entry(NOW - 1200, "running", {"reason": ""}),
    Entry(NOW - 195, "submitted", {"number": 13, "message": "MATRIX_LR 0.04 to 0.045"}),
    Entry(NOW - 130, "nudge", {"what": "result", "text": "#12 was discarded; try the next idea"}),
)
TRAINING = {
    "number": 13,
    "message": "MATRIX_LR 0.04 to 0.045",
    "phase": "training",
    "started_at": NOW - 195,
    "spent_s": 192.0,
    "budget_s": 300.0,
    "steps": 611,
}


LIMITED = {
    "state": "limited",
    "evidence": "You've hit your usage limit. Try again at 11:35 PM.",
    "alert": "the agent is limited: You've hit your usage limit. Try again at 11:35 PM.",
    "holding": "the agent is limited; the next try comes later",
    "resets_at": NOW + 2467.4,
}
WAITING = {"state": "waiting", "state_since": NOW - 41, "holding": "an experiment runs or is queued"}
USED = {"tokens": 1_234_567, "cost": 3.4, "recording": True}


def one_session(link: Link = Link.LIVE, **facts: Any) -> list[Change]:
    changes: list[Change] = [
        SessionsFound((("nov22", spec("nov22"), ""),)),
        StatusArrived("nov22", status("nov22", **facts)),
        LinkChanged("nov22", link),
        ExperimentsRead("nov22", experiments(), afresh=True),
        EntriesRead("nov22", ENTRIES, afresh=True),
        *(MachineSampled(gpu_sample(utilization=40 + i * 13 % 59)) for i in range(40)),
        MachineSampled(gpu_sample()),
        DiffRead("nov22", DIFF),
    ]
    return [*changes, FrameArrived("nov22", frame())] if link is Link.LIVE else changes


def several_sessions() -> list[Change]:
    names = [("nov20", "aider"), ("nov21", "claude"), ("sorts", "codex"), ("nov22-b", "claude"), ("nov22", "codex")]
    labs = {"sorts": "/labs/quicksort"}
    changes: list[Change] = [
        SessionsFound(tuple((name, spec(name, agent, labs.get(name, "/labs/climbmix")), "") for name, agent in names)),
        *(
            ExperimentsRead(name, experiments(IDEAS[: 5 + 2 * i]), afresh=True)
            for i, (name, _agent) in enumerate(names)
        ),
        StatusArrived("nov20", status("nov20", phase="stopped", kept=9, total=71, best=0.9812, phase_reason="")),
        LinkChanged("nov20", Link.STOPPED),
        StatusArrived("nov21", status("nov21")),
        LinkChanged("nov21", Link.DEAD),
        StatusArrived("sorts", status("sorts", phase="paused", phase_reason="paused by you", kept=9, total=30)),
        LinkChanged("sorts", Link.LIVE),
        StatusArrived("nov22-b", status("nov22-b", kept=11, **LIMITED)),
        LinkChanged("nov22-b", Link.LIVE),
        StatusArrived("nov22", status("nov22", running=TRAINING)),
        LinkChanged("nov22", Link.LIVE),
        EntriesRead("nov22", ENTRIES, afresh=True),
        MachineSampled(gpu_sample()),
    ]
    return changes


RETESTED = {
    **TRAINING,
    "run": 2,
    "most_runs": 3,
    "because": "within noise: 0.001300 below the incumbent's 0.9731, 1.1 standard errors (sigma 0.0011, 1 run)",
}
ALONE = {**TRAINING, "number": 11, "message": "SwiGLU, and 12 lines less", "run": 2, "most_runs": 2, "replicate": True}
ALONE |= {"because": "measures the noise", "phase": "waiting", "spent_s": 0.0}
NOISE = {"sigma": 0.0011, "sigma_runs": 6, "best": 0.9734, "best_number": 11, "best_runs": 3}
NOISE_ENTRIES = (
    *ENTRIES,
    Entry(NOW - 300, "replicate", {"number": 11, "seed": 4, "val_bpb": 0.9736, "sigma": 0.0011, "reason": ""}),
    Entry(NOW - 60, "another run", {"number": 13, "run": 2, "reason": RETESTED["because"]}),
)


def noisy(running: dict[str, Any]) -> list[Change]:
    changes = [
        ExperimentsRead("nov22", weighed(), afresh=True),
        EntriesRead("nov22", NOISE_ENTRIES, afresh=True),
    ]
    return [*one_session(running=running, **NOISE), *changes]


SCENES: dict[str, tuple[list[Change], str | None]] = {
    "empty": ([SessionsFound(()), MachineSampled(cpu_sample())], None),
    "dashboard": (several_sessions(), None),
    "training": (one_session(running=TRAINING), "nov22"),
    "paused": (one_session(phase="paused", phase_reason="paused by you"), "nov22"),
    "parked": (
        one_session(phase="parked", phase_reason="5 nudges without a new experiment", alert="codex asks to log in"),
        "nov22",
    ),
    "dead": (one_session(Link.DEAD), "nov22"),
    "limited": (one_session(**LIMITED, **USED), "nov22"),
    "held": (one_session(running=TRAINING, **WAITING, **USED), "nov22"),
    "retested": (noisy(RETESTED), "nov22"),
    "replicate": (noisy(ALONE), "nov22"),
}


@pytest.fixture(autouse=True)
def _fixed_place(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


LOOKS = [
    *((scene, size) for scene in ("dashboard", "training") for size in SIZES),
    *((scene, size) for scene in ("empty", "paused", "parked", "dead", "limited") for size in ("80x24", "160x50")),
    ("held", "120x40"),
    ("held", "160x50"),
    *(("retested", size) for size in SIZES),
    ("replicate", "80x24"),
    ("replicate", "160x50"),
]


@pytest.mark.parametrize(("scene", "size"), LOOKS)
def test_screen(snap_compare: Callable[..., bool], scene: str, size: str) -> None:
    """Each scene looks as accepted at each size."""
    changes, session = SCENES[scene]
    assert snap_compare(window(changes, session), terminal_size=SIZES[size], run_before=settled)


async def settled(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.pause()


def pressing(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def press(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press(*keys)
        await settled(pilot)

    return press


def test_help_dialog(snap_compare: Callable[..., bool]) -> None:
    """The help fits the smallest size, in the session's words on a session's screen."""
    app = window(*SCENES["training"])
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("question_mark"))


@pytest.mark.parametrize(
    ("name", "keys"), [("nudge", ("N", *"go on")), ("stop", ("s",)), ("light", ("t",)), ("pause", ("p",))]
)
def test_dialog(snap_compare: Callable[..., bool], name: str, keys: tuple[str, ...]) -> None:
    """The dialogs over a running session, and the light theme."""
    keys = tuple("space" if key == " " else key for key in keys)
    assert snap_compare(window(*SCENES["training"]), terminal_size=(120, 40), run_before=pressing(*keys))


@pytest.mark.parametrize("size", ["80x24", "160x50"])
def test_why(snap_compare: Callable[..., bool], size: str) -> None:
    """The explanation wraps in the smallest size and stands in columns in a large one."""
    assert snap_compare(window(*SCENES["held"]), terminal_size=SIZES[size], run_before=pressing("e"))


def test_why_scrolled(snap_compare: Callable[..., bool]) -> None:
    """What does not fit is a key away, from the dashboard as from the session."""
    app = window(SCENES["held"][0])
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("e", "G"))


@pytest.mark.parametrize("panel", ["2", "3", "4", "5"])
def test_small_panel(snap_compare: Callable[..., bool], panel: str) -> None:
    """In 80x24 a digit shows its panel alone, under the same answer."""
    assert snap_compare(window(*SCENES["training"]), terminal_size=(80, 24), run_before=pressing(panel))


@pytest.mark.parametrize(("size", "keys"), [("80x24", "2"), ("80x24", "2gj"), ("120x40", "2"), ("160x50", "2z")])
def test_how_sure(snap_compare: Callable[..., bool], size: str, keys: str) -> None:
    """The results say what may be luck, what was run again and what was tainted; below them stands why."""
    assert snap_compare(window(*SCENES["retested"]), terminal_size=SIZES[size], run_before=pressing(*keys))


def test_cpu_machine(snap_compare: Callable[..., bool]) -> None:
    """Without an NVIDIA driver the machine's panel says so and shows CPU and memory."""
    changes = [*one_session(running=TRAINING), *(MachineSampled(cpu_sample(float(i * 7 % 100))) for i in range(60))]
    assert snap_compare(window(changes, "nov22"), terminal_size=(160, 50), run_before=pressing("4"))
