"""The verbs that look at sessions and steer them: ls, attach, nudge, pause, resume, stop."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from autoresearch_tui.listing import session_line, session_table
from harness.errors import ClearError
from sessions import launch
from sessions.client import ask
from sessions.overview import Overview, overview
from sessions.store import BusyError, SessionDir, find_session, is_supervised, locked, session_dirs

_ABORT_WITHIN_S = 60.0


def add(verbs: Any) -> None:
    """Declare the verbs."""
    one = verbs.add_parser("ls", help="list the sessions on this machine")
    one.add_argument("--json", action="store_true", help="one JSON array, for scripts")
    one.set_defaults(run=_ls)

    one = verbs.add_parser("attach", help="open the window on a session; q leaves it running")
    _session(one)
    one.set_defaults(run=_attach)

    one = verbs.add_parser(
        "nudge",
        help="type a message to the agent as soon as it can take one",
        usage="%(prog)s [--now] [SESSION] TEXT",
    )
    one.add_argument("--now", action="store_true", help="at once: into its work, or with its turn interrupted")
    one.add_argument("words", nargs="+", metavar="[SESSION] TEXT", help="the session (if there are several), the text")
    one.set_defaults(run=_nudge)

    one = verbs.add_parser("pause", help="after the experiment in progress: no more nudges, no new experiment")
    one.add_argument("--now", action="store_true", help="stop the run in progress, too; it is recorded as aborted")
    _session(one)
    one.set_defaults(run=_pause)

    one = verbs.add_parser("resume", help="go on after a pause, a park or a stop; restarts a dead supervisor")
    _session(one)
    one.set_defaults(run=_resume)

    one = verbs.add_parser("stop", help="end the agent, the experiment in progress and the supervisor; nothing is lost")
    _session(one)
    one.set_defaults(run=_stop)


def _session(one: argparse.ArgumentParser) -> None:
    one.add_argument("session", nargs="?", metavar="SESSION", help="its tag or a unique beginning; not needed for one")


def dashboard(_arguments: argparse.Namespace) -> int:
    """Open the window on all sessions."""
    return open_window(None)


def open_window(session: str | None) -> int:
    """Open the window; on one session, or on all."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ClearError("the window needs a terminal; `autoresearch-tui ls` works without one")
    from autoresearch_tui.app import run_window

    return run_window(session)


def _ls(arguments: argparse.Namespace) -> int:
    found = [overview(session) for session in session_dirs()]
    if arguments.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        print(session_table(found, time.time()))
    else:
        print("no sessions yet; `autoresearch-tui demo` shows one, `autoresearch-tui new --help` starts one")
    return 0


def _attach(arguments: argparse.Namespace) -> int:
    return open_window(find_session(arguments.session).id)


def _nudge(arguments: argparse.Namespace) -> int:
    first, *rest = arguments.words
    if not rest and any(one.id == first for one in session_dirs()):
        raise ClearError(f'what should {first} be told? autoresearch-tui nudge {first} "..."')
    session = find_session(first if rest else None)
    answer = ask(session, "nudge", text=" ".join(rest or [first]), now=arguments.now)
    print(f"{session.id}: {answer['when']}")
    return 0


def _pause(arguments: argparse.Namespace) -> int:
    session = find_session(arguments.session)
    ask(session, "pause", timeout_s=_ABORT_WITHIN_S if arguments.now else 5.0, now=arguments.now)
    return _show(overview(session))


def _resume(arguments: argparse.Namespace) -> int:
    session = find_session(arguments.session)
    if is_supervised(session):
        ask(session, "resume")
    else:
        launch.start(session)
    return _show(overview(session))


def _stop(arguments: argparse.Namespace) -> int:
    session = find_session(arguments.session)
    if not is_supervised(session):
        print(f"{session.id}: no supervisor is running; nothing to stop")
        return 0
    stop_session(session)
    return _show(overview(session))


def stop_session(session: SessionDir) -> None:
    """Ask the supervisor to end, and wait until it has: until its lock is free."""
    ask(session, "stop")
    try:
        with locked(session, patience_s=60.0):
            pass
    except BusyError:
        raise ClearError(f"the supervisor of {session.id} has not ended yet; see {session.log}") from None


def _show(one: Overview) -> int:
    print(session_line(one))
    return 0
