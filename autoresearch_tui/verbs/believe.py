"""The verbs that ask whether a number can be believed: verify, confirm."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final, TypeVar

from autoresearch_tui.verbs.begin import count, positive
from harness.claim import Again, Answer
from harness.errors import ClearError
from harness.result import Experiment, RunProgress
from harness.settings import RULE
from harness.text import one_line
from sessions.store import find_session

_STOPPED: Final = 130
_RUNS: Final = 2
_SEEDS: Final = 3

Done = TypeVar("Done")


def add(verbs: Any) -> None:
    """Declare the verbs."""
    one = verbs.add_parser(
        "verify",
        help="run an experiment's commit again and say whether its number holds",
        usage="%(prog)s [options] [SESSION] EXPERIMENT",
        description="Run the experiment's commit again, as its record says, with seeds that were not used before, and "
        "compare the means. Exit status 0: the number holds, 1: it does not, 2: it could not be checked. The session "
        "need not be running, and nothing of it changes.",
    )
    one.add_argument("words", nargs="+", metavar="[SESSION] EXPERIMENT", help="the session (if there are several), N")
    one.add_argument("--runs", metavar="K", type=count, default=_RUNS, help="runs to make (default: %(default)s)")
    _sigmas(one, "the means may differ by K standard errors")
    one.add_argument("--device", choices=("auto", "cpu", "cuda"), default="", help="default: as recorded")
    one.add_argument(
        "--other-device", action="store_true", help="compare with a number from another device model all the same"
    )
    one.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    one.set_defaults(run=_verify)

    one = verbs.add_parser(
        "confirm",
        help="run the best and the baseline longer, with several seeds: does the gain transfer?",
        description="Run the incumbent and the baseline in turns at a longer budget, with seeds that decided nothing, "
        "and say whether the gain is there, too. Each finished run is recorded at once in the session's directory: "
        "stop it with ctrl-c, and the same command goes on.",
    )
    one.add_argument("session", nargs="?", metavar="SESSION", help="its tag or a unique beginning; not needed for one")
    one.add_argument(
        "--budget", metavar="SECONDS", type=positive, help="training time a run (default: three times the session's)"
    )
    one.add_argument("--seeds", metavar="N", type=count, default=_SEEDS, help="runs of each (default: %(default)s)")
    _sigmas(one, "a gain must exceed K standard errors")
    one.add_argument("--again", action="store_true", help="run everything anew, also what an earlier one has finished")
    one.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    one.set_defaults(run=_confirm)


def _sigmas(one: argparse.ArgumentParser, what: str) -> None:
    one.add_argument("--sigmas", metavar="K", type=positive, default=RULE.k, help=f"{what} (default: %(default)g)")


def _verify(arguments: argparse.Namespace) -> int:
    from harness.verify import STATUS

    try:
        return _verified(arguments)
    except (ClearError, OSError) as error:  # no number was compared: that is not a number that does not hold
        if arguments.json:
            print(json.dumps({"answer": Answer.UNKNOWN, "reason": str(error)}))
        else:
            print(f"autoresearch-tui: {error}", file=sys.stderr)
        return STATUS[Answer.UNKNOWN]


def _verified(arguments: argparse.Namespace) -> int:
    from harness.verify import STATUS, summary
    from sessions.rerun import StoppedError, sharing
    from sessions.verification import Wish, verify

    *name, number = arguments.words
    if len(name) > 1 or not number.isdecimal():
        raise ClearError("which experiment? autoresearch-tui verify [SESSION] EXPERIMENT, as in `verify 12`")
    session = find_session(name[0] if name else None)
    wish = Wish(int(number), arguments.runs, arguments.sigmas, arguments.device, arguments.other_device)
    teller = _Teller(quiet=arguments.json)
    if note := sharing(session, session.spec().device):
        teller.note(note)

    def on_step(step: Again, progress: RunProgress | None) -> None:
        teller.say(f"seed {step.seed}, {step.why}", progress)

    try:
        claim, finding = _until_stopped(lambda run, abort: verify(session, wish, run, on_step, abort))
    except StoppedError:
        return _STOPPED
    finally:
        teller.end()
    if arguments.json:
        print(
            json.dumps({"session": session.id, "experiment": claim.number, "commit": claim.commit, **asdict(finding)})
        )
    else:
        print(summary(claim, finding))
    return STATUS[Answer(finding.answer)]


def _confirm(arguments: argparse.Namespace) -> int:
    from autoresearch_tui.confirming_table import confirmation_lines
    from sessions.confirmation import confirm
    from sessions.confirming import plan
    from sessions.rerun import StoppedError, sharing

    session = find_session(arguments.session)
    chosen = plan(session, arguments.budget, arguments.seeds, arguments.sigmas, again=arguments.again)
    teller = _Teller(quiet=arguments.json)
    if note := sharing(session, session.spec().device):
        teller.note(note)
    had, missing = len(chosen.done), len(chosen.missing)
    least = missing * chosen.budget_s / 60
    teller.note(
        f"#{chosen.incumbent.number} against the baseline, {chosen.budget_s:g} s a run, in turns: "
        f"{missing} runs to make, {least:.1f} min of training{f'; {had} are there already' if had else ''}"
    )

    def on_step(index: int, total: int, experiment: Experiment, seed: int, progress: RunProgress | None) -> None:
        which = "baseline" if experiment.number == 0 else f"#{experiment.number}"
        teller.say(f"run {index} of {total}: {which}, seed {seed}", progress)

    try:
        done = _until_stopped(lambda run, abort: confirm(session, chosen, run, on_step, abort))
    except StoppedError:
        teller.end()
        print("stopped; finished runs are kept, and the same command goes on with them", file=sys.stderr)
        return _STOPPED
    finally:
        teller.end()
    print(json.dumps(asdict(done)) if arguments.json else "\n".join(confirmation_lines(done)))
    return 0


def _until_stopped(work: Callable[[Any, asyncio.Event], Awaitable[Done]]) -> Done:
    """Do the work with a harness of its own; ctrl-c asks the run in progress to end."""
    from sessions.rerun import own_harness

    async def whole() -> Done:
        abort = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, abort.set)
        async with own_harness() as run:
            return await work(run, abort)

    return asyncio.run(whole())


class _Teller:
    """Says on standard error where a run is: on a terminal in one line that changes, else a line a run."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._drawn = False
        self._live = sys.stderr.isatty()

    def note(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            print(one_line(text), file=sys.stderr, flush=True)

    def say(self, what: str, progress: RunProgress | None) -> None:
        """Where a run is."""
        if self._quiet or (progress is not None and not self._live):
            return
        if not self._live:
            self.note(what)
            return
        where = "" if progress is None else f": {progress.phase} {progress.spent_s:.1f} of {progress.budget_s:g} s"
        print(f"\r{one_line(what + where, 78):<78}", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def end(self) -> None:
        """Leave the line that changes."""
        if self._drawn:
            print(f"\r{'':<78}\r", end="", file=sys.stderr, flush=True)
            self._drawn = False
