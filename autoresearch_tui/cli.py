"""The command line: words to functions, errors to one line and an exit code.

Exit codes: 0; 1 for a failure, with one line on stderr; 2 for usage. Neither torch nor textual is imported here:
`autoresearch-tui try` and `ls` must answer at once.
"""

import argparse
import os
import sys
import traceback
from typing import Final

from autoresearch_tui.verbs import begin, believe, demo, experiment, explain, machine, replay, steer
from harness import __version__
from harness.errors import ClearError
from sessions.store import private_dir, state_home

_DESCRIPTION: Final = """\
Leave a coding agent alone with a GPU overnight: launch it, babysit it, and believe its numbers in the morning.

Without a verb it opens the window on all sessions. `autoresearch-tui demo` shows everything in four minutes,
without a key, a download or a GPU."""

_EPILOG: Final = """\
A session runs in a supervisor of its own that outlives this terminal; `attach` comes back to it.
State lives in the user's state directory; $AUTORESEARCH_TUI_HOME puts it (and caches and profiles) elsewhere."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="autoresearch-tui",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"autoresearch-tui {__version__}")
    top.set_defaults(run=steer.dashboard)
    verbs = top.add_subparsers(title="verbs", metavar="VERB")
    for module in (demo, begin, steer, explain, believe, replay, experiment, machine):
        module.add(verbs)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    # What follows `--` is the agent's command, and none of argparse's business.
    cut = words.index("--") if words[:1] == ["new"] and "--" in words else len(words)
    arguments = parser().parse_args(words[:cut])
    arguments.command = words[cut + 1 :]
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()  # here, where a reader that is gone is understood; at exit it would be a complaint
        return code
    except ClearError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `autoresearch-tui ls | head`: the reader has seen enough. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}")
    except Exception as error:  # noqa: BLE001 - a person gets a line and a file to send, never a traceback
        return _fail(f"unexpected {type(error).__name__}: {error}{_keep_traceback()}")


def _keep_traceback() -> str:
    try:
        report = private_dir(state_home()) / "crash.log"
        report.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return ""
    return f" (please report it with {report})"


def _fail(text: str) -> int:
    print(f"autoresearch-tui: {text}", file=sys.stderr)
    return 1
