"""The verb that shows everything: demo."""

import argparse
import asyncio
import sys
from dataclasses import replace
from typing import Any, Final

from autoresearch_tui.verbs.begin import positive
from autoresearch_tui.verbs.steer import open_window, stop_session
from harness.ledger import read_experiments
from harness.result import Experiment
from harness.settings import RULE
from harness.verdict import Verdict
from sessions.client import Connection, UnreachableError, connect
from sessions.protocol import Status
from sessions.states import Phase
from sessions.store import SessionDir, private_dir, sessions_home, state_home

_EXPERIMENTS: Final = 6
_BUDGET_S: Final = 20.0
# As for any session, but for the third run of a doubtful change: a minute that nobody waits for in a demo.
_RULE: Final = replace(RULE, most_runs=2)


def add(verbs: Any) -> None:
    """Declare the verb."""
    one = verbs.add_parser(
        "demo",
        help="a whole night in four minutes: real training, a scripted agent, no key, no download",
        description="Prepare a corpus from this Python's own standard library, seed a lab whose baseline is "
        "handicapped on purpose, let a scripted agent improve it under the babysitter, and open the window on it.",
    )
    one.add_argument("--headless", action="store_true", help="no window: print experiments and a summary, then stop")
    one.add_argument(
        "--budget", metavar="SECONDS", type=positive, default=_BUDGET_S, help="training an experiment (default: 20)"
    )
    one.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if there is one")
    one.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from sessions.begin import Plan, begin
    from sessions.seed import seed_lab

    tag = _free_tag()
    lab = private_dir(private_dir(state_home()) / "labs") / tag
    print(seed_lab(lab, handicap=True))
    plan = Plan(
        agent="demo",
        argv=(),
        lab=lab,
        tag=tag,
        budget_s=arguments.budget,
        device=arguments.device,
        max_experiments=_EXPERIMENTS,
        answer_approvals=True,
        rule=_RULE,
    )
    session = begin(plan, say=print)
    print(f"session {tag} is running")
    if arguments.headless:
        return asyncio.run(_follow(session))
    return open_window(session.id)


def _free_tag() -> str:
    number = 1
    while True:
        tag = "demo" if number == 1 else f"demo-{number}"
        if not any((home / tag).exists() for home in (sessions_home(), state_home() / "labs")):
            return tag
        number += 1


async def _follow(session: SessionDir) -> int:
    """Print experiments as they end, until the session has finished or given up; whether it did its work."""
    connection = await connect(session)
    try:
        status = await _until_done(session, connection)
    finally:
        await connection.close()
    stop_session(session)
    experiments = read_experiments(session.experiments).records
    kept = [one for one in experiments if one.number > 0 and one.verdict == Verdict.KEEP]
    _print_summary(experiments, kept, status)
    return 0 if kept and status.nudges > 0 else 1


async def _until_done(session: SessionDir, connection: Connection) -> Status:
    connection.send("watch")
    printed = 0
    status: Status | None = None
    async for event in connection.events():
        for one in read_experiments(session.experiments).records[printed:]:
            print(_line(one), flush=True)
            printed += 1
        if event["type"] == "status":
            before, status = status, Status.from_dict(event["status"])
            if before is None or before.nudges != status.nudges > 0:
                print(
                    f"     nudged: {status.last_nudge}" if status.nudges else "     waiting for the agent", flush=True
                )
            if status.phase in {Phase.FINISHED, Phase.PARKED}:
                print(f"     {status.phase}: {status.phase_reason}", flush=True)
                return status
    raise UnreachableError(f"the supervisor of {session.id} went away; see {session.log}")


def _line(one: Experiment) -> str:
    bpb = "        –" if one.val_bpb is None else f"{one.val_bpb:9.6f}"
    delta = "" if one.delta is None else f"  {one.delta:+.6f}"
    return f"#{one.number:<3} {bpb}  {one.verdict:<8} {one.message}{delta}"


def _print_summary(experiments: list[Experiment], kept: list[Experiment], status: Status) -> None:
    tried = [one for one in experiments if one.number > 0]
    counts = ", ".join(f"{n} {verdict}" for verdict in Verdict if (n := sum(one.verdict == verdict for one in tried)))
    print("---")
    print(f"experiments:      {len(tried)} ({counts})")
    print(f"kept:             {len(kept)}")
    print(f"nudges:           {status.nudges}")
    if status.baseline is not None and status.best is not None:
        print(f"baseline_val_bpb: {status.baseline:.6f}")
        print(f"best_val_bpb:     {status.best:.6f}")
    if not kept:
        print("no change was kept", file=sys.stderr)
    elif not status.nudges:
        print("no nudge was needed", file=sys.stderr)
