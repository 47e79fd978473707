"""The agent's verb: try."""

import argparse
import json
from typing import Any

from harness.errors import ClearError
from sessions.client import UnreachableError, ask
from sessions.store import find_session

_LATEST = -1


def add(verbs: Any) -> None:
    """Declare the verb."""
    one = verbs.add_parser(
        "try",
        help="run the change in the working tree as an experiment and print the verdict (what the agent calls)",
        description="Commit the change to the genome, run it under the harness, keep it or reset it, and print the "
        "verdict as `key: value` lines. If this command is cut off the run goes on; --wait joins it again.",
    )
    one.add_argument("-m", "--message", help="what the change tries, one line")
    one.add_argument(
        "--wait",
        nargs="?",
        type=int,
        const=_LATEST,
        metavar="N",
        help="submit nothing; wait for experiment N (default: the latest) and print its verdict",
    )
    one.add_argument(
        "--again", action="store_true", help="run a change that was tried before to the letter all the same"
    )
    one.add_argument("--session", metavar="SESSION", help="default: the session whose working tree this is")
    one.add_argument("--json", action="store_true", help="print the experiment's whole record instead, for scripts")
    one.set_defaults(run=_try)


def _try(arguments: argparse.Namespace) -> int:
    session = find_session(arguments.session)
    if arguments.wait is not None and arguments.message is not None:
        raise ClearError("either -m submits an experiment or --wait joins one, not both")
    if arguments.wait is None:
        if not arguments.message:
            raise ClearError('say what the change tries: autoresearch-tui try -m "..."')
        submitted = ask(session, "submit", timeout_s=60.0, message=arguments.message, again=arguments.again)
        number = int(submitted["number"])
        if not arguments.json:
            print(
                f"experiment {number} submitted, budget {submitted['budget_s']:g} s; waiting for its verdict",
                flush=True,
            )
            if note := submitted.get("note"):
                print(f"note: {note}", flush=True)
    else:
        number = arguments.wait
    try:
        answer = ask(session, "wait", timeout_s=None, number=None if number == _LATEST else number)
    except UnreachableError:
        raise ClearError(
            "the supervisor went away while the experiment ran; nothing is lost: "
            f"`autoresearch-tui resume {session.id}` brings it back"
        ) from None
    print(json.dumps(answer["experiment"]) if arguments.json else answer["answer"])
    return 0
