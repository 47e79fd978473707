"""The verb `verify` of the harness's own command line: a recorded number checked without a session."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.claim import Claim, Finding, next_step
from harness.result import RunRequest, RunResult
from harness.settings import RULE
from harness.verify import check_of, recorded_claim

HELP: Final = """\
Run a genome again as its record says, with seeds that were not used before, and say whether its number holds: whether
the means differ by no more than the noise explains. The exit status is 0 if it holds, 1 if not, 2 if that could not be
checked: genome, corpus, torch, preset and device must be the recorded ones."""

_RUNS: Final = 2


def add_verify_options(parser: argparse.ArgumentParser) -> None:
    """Declare them, and what `--help` says."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = HELP
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="an experiments.jsonl")
    parser.add_argument("--experiment", type=int, required=True, metavar="N", help="its number in that file")
    parser.add_argument("--genome", type=Path, required=True, help="the train.py that the number is of")
    parser.add_argument("--corpus", type=Path, help="the prepared corpus (default: in the user's cache)")
    parser.add_argument("--runs", type=_count, default=_RUNS, metavar="K", help="runs to make (default: %(default)s)")
    parser.add_argument(
        "--sigmas", type=_positive, default=RULE.k, metavar="K", help="standard errors to allow (default: %(default)g)"
    )
    parser.add_argument(
        "--budget", type=_positive, default=0.0, help="training seconds, for a record that does not say them"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="", help="(default: as recorded)")
    parser.add_argument(
        "--other-device", action="store_true", help="compare with a number from another device model all the same"
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def verify_chosen(
    arguments: argparse.Namespace,
    directory: Path,
    corpus_of: Callable[[str], Path],
    run: Callable[[RunRequest], RunResult],
) -> tuple[Claim, Finding]:
    """Check a number as the options say.

    Args:
        arguments: the options.
        directory: an empty one, for the runs' files.
        corpus_of: where the corpus of a preset lies, unless the options name one.
        run: makes a run.

    Raises:
        ClearError: it cannot be checked here.
    """
    claim = recorded_claim(arguments.record, arguments.experiment, arguments.sigmas)
    corpus = (arguments.corpus or corpus_of(claim.runs[-1].preset)).absolute()
    check = check_of(claim, arguments.genome.absolute(), corpus, arguments.device, arguments.budget)
    runs: list[RunResult] = []
    while True:
        step = next_step(check.claim, runs, arguments.runs, other_device=arguments.other_device)
        if isinstance(step, Finding):
            return check.claim, step
        run_id = f"{directory.name}-{len(runs)}"
        scratch = directory / run_id / "scratch"
        scratch.mkdir(parents=True)
        runs.append(run(check.request(run_id, scratch, step.seed)))
