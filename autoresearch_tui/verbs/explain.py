"""The verb that says why: explain."""

import argparse
import json
from collections import deque
from typing import Any

from autoresearch_tui.explaining import explanation_lines
from harness.text import one_line
from sessions.client import ask
from sessions.explanation import Explanation
from sessions.overview import overview
from sessions.store import SessionDir, find_session, is_supervised

_LAST = 10


def add(verbs: Any) -> None:
    """Declare the verb."""
    one = verbs.add_parser(
        "explain",
        help="say why the agent is in its state, and what would make the babysitter type",
        description="Say what the agent is doing and what says so, what each rule of its profile sees now, why nothing "
        "is typed at the moment, and what would have to happen for that to change.",
    )
    one.add_argument("session", nargs="?", metavar="SESSION", help="its tag or a unique beginning; not needed for one")
    one.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    one.set_defaults(run=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    session = find_session(arguments.session)
    if not is_supervised(session):
        return _dead(session, as_json=arguments.json)
    explanation = Explanation.from_dict(ask(session, "explain"))
    print(explanation.to_json() if arguments.json else "\n".join(explanation_lines(explanation)))
    return 0


def _dead(session: SessionDir, *, as_json: bool) -> int:
    """Without a supervisor nothing is judged: what it did last says more than a guess."""
    one, last = overview(session), _last_entries(session)
    if as_json:
        print(json.dumps({"phase": one.phase, "problem": one.problem, "last": last}))
        return 0
    print(f"{session.id} is {one.phase}: {one.problem or 'its supervisor was stopped'}")
    if last:
        print("the last it did:")
    for entry in last:
        facts = ", ".join(f"{key} {one_line(str(value), 60)}" for key, value in entry.items() if key not in _HIDDEN)
        print(f"  {one_line(str(entry.get('kind')), 40)}: {facts}".rstrip(": "))
    return 0


_HIDDEN = frozenset({"at", "kind", "clock"})


def _last_entries(session: SessionDir) -> list[dict[str, Any]]:
    found: deque[dict[str, Any]] = deque(maxlen=_LAST)
    try:
        with session.journal.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:  # torn by a crash
                    continue
                if isinstance(entry, dict):
                    found.append(entry)
    except OSError:
        return []
    return list(found)
