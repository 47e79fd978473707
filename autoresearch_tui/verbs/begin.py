"""The verb that begins a session: new."""

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autoresearch_tui.verbs.steer import open_window
from harness.errors import ClearError
from harness.settings import EMBEDDED, PRESETS, RULE, Rule
from sessions.overview import overview
from sessions.profiles import profile_names
from sessions.store import config_home


def add(verbs: Any) -> None:
    """Declare the verb."""
    one = verbs.add_parser(
        "new",
        help="start a session: an agent, babysat, on a lab",
        usage="%(prog)s [--agent NAME] [options] [-- COMMAND ...]",
        description="Start a session and open the window on it. The agent works in a worktree of its own, on the "
        "branch autoresearch/<tag>; its keys and login are your environment's. A lab is a git repository with a "
        "train.py; a folder that is empty or does not exist is seeded with ours.",
    )
    names = ", ".join(name for name in profile_names(config_home()) if name != "demo")
    one.add_argument("--agent", metavar="NAME", help=f"the profile: {names} (default: generic, with a COMMAND)")
    one.add_argument("--lab", metavar="PATH", type=Path, help="default: the git repository around this folder")
    one.add_argument("--tag", help="names the session and its branch (default: today, like nov23)")
    one.add_argument(
        "--preset",
        choices=PRESETS,
        default=EMBEDDED.name,
        help="what is measured: embedded (any machine; Python's own library) or reference (a CUDA device; the "
        "ecosystem's data and numbers) (default: embedded)",
    )
    one.add_argument(
        "--budget",
        metavar="SECONDS",
        type=positive,
        help="training time an experiment (default: the preset's, 20 or 300)",
    )
    one.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if there is one")
    one.add_argument("--experiments", metavar="N", type=count, help="finish after N experiments (default: never)")
    one.add_argument("--hours", metavar="H", type=positive, help="finish after H hours (default: never)")
    one.add_argument("--nudges", metavar="N", type=count, help="finish after N nudges (default: never)")
    one.add_argument("--tokens", metavar="N", type=count, help="finish once the agent has used N tokens")
    one.add_argument(
        "--idle-nudges",
        metavar="N",
        type=count,
        default=5,
        help="park after N nudges without an experiment (default: 5); before that: other words, then a fresh context",
    )
    one.add_argument(
        "--quiet-hours", metavar="FROM-TO", default="", help="then nothing is typed and nothing runs, as 09:00-18:30"
    )
    one.add_argument(
        "--sigmas",
        metavar="K",
        type=sigmas,
        default=RULE.k,
        help="keep a change as seldom by luck as a gain of K standard errors is luck (default: 2, one in 44)",
    )
    one.add_argument(
        "--replicates",
        metavar="N",
        type=count,
        default=RULE.replicates,
        help="runs of the baseline, which measure the noise (default: 3); 1: not measured, and a lower number is kept",
    )
    one.add_argument(
        "--retests",
        metavar="N",
        type=whole,
        default=RULE.most_runs - 1,
        help="further runs, at most, of a change whose gain is within the noise (default: 2)",
    )
    one.add_argument(
        "--answer-approvals",
        action="store_true",
        help="give the profile's safe answer when the agent asks to run something",
    )
    one.add_argument("--record", action="store_true", help="record the agent's terminal as asciinema casts")
    one.add_argument("--detach", action="store_true", help="do not open the window")
    one.add_argument("--json", action="store_true", help="do not open the window; print one JSON object, for scripts")
    one.set_defaults(run=_new)


def positive(text: str) -> float:
    """An argument that is a positive number, of seconds or hours."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError("a positive number")
    return value


def count(text: str) -> int:
    """An argument that is a whole number from 1 up."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 up")
    return value


def whole(text: str) -> int:
    """An argument that is a whole number from 0 up."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("a whole number from 0 up")
    return value


def sigmas(text: str) -> float:
    """An argument that is a number of standard errors."""
    value = float(text)
    if not 0 < value <= 6:  # beyond, no number of runs would ever do
        raise argparse.ArgumentTypeError("a number above 0, and 6 at most")
    return value


def _new(arguments: argparse.Namespace) -> int:
    # GitPython and the corpus's libraries come with it: not at the start of every verb.
    from sessions.begin import Plan, begin
    from sessions.lab import enclosing_repository

    if arguments.agent is None and not arguments.command:
        raise ClearError(
            "which agent? `autoresearch-tui new --agent codex`, or any command: `autoresearch-tui new -- aider`"
        )
    lab = arguments.lab or enclosing_repository(Path.cwd())
    if lab is None:
        raise ClearError("this folder is in no git repository; name a lab with --lab PATH (a new folder is seeded)")
    plan = Plan(
        agent=arguments.agent or "generic",
        argv=tuple(arguments.command),
        lab=lab.absolute(),
        tag=arguments.tag,
        preset=arguments.preset,
        budget_s=arguments.budget,
        device=arguments.device,
        max_experiments=arguments.experiments,
        max_idle_nudges=arguments.idle_nudges,
        max_hours=arguments.hours,
        max_nudges=arguments.nudges,
        max_tokens=arguments.tokens,
        quiet_hours=arguments.quiet_hours,
        answer_approvals=arguments.answer_approvals,
        record=arguments.record,
        rule=Rule(k=arguments.sigmas, replicates=arguments.replicates, most_runs=1 + arguments.retests),
    )
    session = begin(plan, say=(lambda _line: None) if arguments.json else print)
    if arguments.json:
        print(json.dumps(asdict(overview(session))))
        return 0
    print(f"session {session.id} is running; `autoresearch-tui attach {session.id}` opens it")
    if arguments.detach or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return 0
    return open_window(session.id)
