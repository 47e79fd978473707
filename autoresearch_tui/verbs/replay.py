"""The verb that judges a recording again: replay. It types nothing to anyone."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.text import one_line
from sessions.bounds import Limits
from sessions.cast import Cast, Event, parse_size, read_cast
from sessions.profiles import load_profile
from sessions.store import config_home


def add(verbs: Any) -> None:
    """Declare the verb."""
    one = verbs.add_parser(
        "replay",
        help="what detector and policy would have done over a recording: to report or mend a wrong detection",
        description="Play an asciinema cast (version 2 or 3) to the detector and the policy, at its own timing, and "
        "print each change of state and each action. Hooks, child processes and experiments are not in a cast: each "
        "turn counts as progress, and what the cast says was typed counts as the supervisor's typing.",
    )
    one.add_argument("file", type=Path, metavar="FILE", help="the cast; a session's own are in its casts/ directory")
    one.add_argument("--agent", required=True, metavar="NAME", help="the profile to judge it with")
    one.add_argument("--size", type=_size, metavar="COLSxROWS", help="of the screen; default: as recorded")
    one.add_argument("--answer-approvals", action="store_true", help="as in `new`: give the profile's safe answers")
    one.add_argument("--json", action="store_true", help="one JSON object a line, for scripts")
    one.set_defaults(run=_replay)


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_size(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _replay(arguments: argparse.Namespace) -> int:
    from sessions.replay import replay

    cast = read_cast(arguments.file)
    profile = load_profile(arguments.agent, config_home())
    steps = replay(
        _events(cast, resized=arguments.size is None),
        profile,
        Limits(answer_approvals=arguments.answer_approvals),
        arguments.size or cast.size,
        began=None if cast.began_at is None else datetime.fromtimestamp(cast.began_at, UTC).astimezone(),
    )
    if not arguments.json:
        print(_row("seconds", "state", "action", "rule", "evidence"))
    for step in steps:
        if arguments.json:
            print(json.dumps(asdict(step)))
        else:
            print(_row(f"{step.t:.2f}", step.state, step.action, one_line(step.rule, 30), step.evidence))
    return 0


def _row(seconds: str, state: str, action: str, rule: str, evidence: str) -> str:
    return f"{seconds:>10}  {state:<8}  {action:<8}  {rule:<26}  {evidence}".rstrip()


def _events(cast: Cast, *, resized: bool) -> Iterator[Event]:
    return (event for event in cast.events() if resized or event.kind != "r")
