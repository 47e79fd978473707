"""The harness's own command line: `python -I -m harness prepare | run | evaluate | verify`.

With `--events-fd` the records go to that descriptor, one JSON object a line, and the process lives no longer than its
parent; otherwise they are shown to a person.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import platformdirs

from harness.claim import Answer
from harness.errors import ClearError
from harness.events import OnProgress, say
from harness.prepare_options import add_prepare_options, prepare_chosen
from harness.process_tree import die_with_parent
from harness.result import Outcome, RecordError, RunProgress, RunRequest, RunResult
from harness.settings import EMBEDDED, PRESETS
from harness.single_run import run_alone
from harness.text import tail
from harness.verify import STATUS, summary
from harness.verify_options import add_verify_options, verify_chosen


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return int(arguments.do(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -I -m harness", description="Prepare a corpus, run a genome, score one, check a number."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    prepare = verbs.add_parser("prepare", help="make the corpus, or check the one that is there")
    add_prepare_options(prepare)
    prepare.add_argument("--out", type=Path, help="directory of the corpus (default: in the user's cache)")
    prepare.set_defaults(do=_prepare)

    run = verbs.add_parser("run", help="train a genome and score it")
    what = run.add_mutually_exclusive_group(required=True)
    what.add_argument("--request", type=Path, help="a file with a RunRequest as JSON; the options below are not used")
    what.add_argument("--genome", type=Path, help="the train.py to run")
    _add_run_options(run)
    run.add_argument("--budget", type=_seconds, help="training seconds (default: the preset's, 20 or 300)")
    run.set_defaults(do=_run)

    evaluate = verbs.add_parser("evaluate", help="score the weights that a genome saved")
    evaluate.add_argument("--genome", type=Path, required=True, help="the train.py that defines the model")
    evaluate.add_argument("--weights", type=Path, required=True, help="the .safetensors file")
    _add_run_options(evaluate)
    evaluate.set_defaults(do=_evaluate, budget=None)

    verify = verbs.add_parser("verify", help="run a recorded experiment again and say whether its number holds")
    add_verify_options(verify)
    verify.set_defaults(do=_verify)
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", choices=PRESETS, default=EMBEDDED.name, help="(default: %(default)s)")
    parser.add_argument("--corpus", type=Path, help="the prepared corpus (default: in the user's cache)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: %(default)s)")
    parser.add_argument("--events-fd", type=int, metavar="N", help="write records to this descriptor, one a line")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def _default_corpus(preset: str = EMBEDDED.name) -> Path:
    """Where the sessions keep it, too."""
    home = os.environ.get("AUTORESEARCH_TUI_HOME")
    cache = Path(home).expanduser() / "cache" if home else Path(platformdirs.user_cache_dir("autoresearch-tui"))
    return cache / "corpus" / preset


def _prepare(arguments: argparse.Namespace) -> int:
    out = arguments.out or _default_corpus(arguments.preset)
    try:
        corpus = prepare_chosen(arguments, out, partial(print, flush=True))
    except ClearError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _failed("stopped; what was downloaded is kept, and the same command goes on with it", status=130)
    print(f"corpus:           {corpus.path}")
    print(f"id:               {corpus.id}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    if arguments.request is None:
        with _own_directory() as directory:
            return _carry_out(_request(arguments, directory), arguments.events_fd)
    try:
        request = RunRequest.from_json(arguments.request.read_bytes())
    except (OSError, RecordError) as error:
        return _failed(f"{arguments.request}: {error}", status=2)
    return _carry_out(request, arguments.events_fd)


def _evaluate(arguments: argparse.Namespace) -> int:
    with _own_directory() as directory:
        request = replace(_request(arguments, directory), weights=str(arguments.weights.absolute()))
        return _carry_out(request, arguments.events_fd)


def _verify(arguments: argparse.Namespace) -> int:
    on_record = _show_progress if sys.stderr.isatty() else lambda _: None
    with _own_directory() as directory, _stop_on_signals() as (stop_fd, _):
        try:
            claim, finding = verify_chosen(
                arguments, directory, _default_corpus, lambda request: run_alone(request, on_record, stop_fd)
            )
        except ClearError as error:
            return _failed(str(error), status=STATUS[Answer.UNKNOWN])
    print(summary(claim, finding))
    return STATUS[Answer(finding.answer)]


@contextlib.contextmanager
def _own_directory() -> Iterator[Path]:
    """A temporary directory with a scratch directory in it."""
    directory = Path(tempfile.mkdtemp(prefix="harness-"))
    (directory / "scratch").mkdir()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _request(arguments: argparse.Namespace, directory: Path) -> RunRequest:
    return RunRequest(
        run_id=directory.name,
        commit="",
        genome=str(arguments.genome.absolute()),
        scratch=str(directory / "scratch"),
        corpus=str((arguments.corpus or _default_corpus(arguments.preset)).absolute()),
        preset=arguments.preset,
        budget_s=arguments.budget or PRESETS[arguments.preset].budget_s,
        seed=arguments.seed,
        device=arguments.device,
    )


def _carry_out(request: RunRequest, events_fd: int | None) -> int:
    """Run it, tell it, and say by the exit status whether there is a number, or an abort that was asked for."""
    if events_fd is not None:
        die_with_parent(signal.SIGTERM)  # which is an order to abort, below
        on_record: OnProgress = partial(say, events_fd)
    else:
        on_record = _show_progress if sys.stderr.isatty() else lambda _: None
    with _stop_on_signals() as (stop_fd, stopped_by):
        result = run_alone(request, on_record, stop_fd)
    if events_fd is not None:
        say(events_fd, result)
    elif result.outcome == Outcome.OK:
        print(_summary(result))
    if result.outcome == Outcome.OK or signal.SIGTERM in stopped_by:
        return 0
    if events_fd is None:
        _show_log(Path(result.log))
    return _failed(f"{result.outcome}: {result.reason}")


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[tuple[int, list[int]]]:
    """A descriptor that becomes readable on SIGTERM or Ctrl-C, and the signals that came."""
    read, write = os.pipe()
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        if not came:
            os.write(write, b"\n")
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield read, came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read)
        os.close(write)


def _show_progress(record: RunProgress) -> None:
    line = f"{record.phase} {record.spent_s:.1f} of {record.budget_s:.1f} s, {record.steps} steps"
    print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)


def _summary(result: RunResult) -> str:
    """The `key: value` block that the ecosystem's tools print and read."""
    on_gpu = result.device.startswith("cuda")
    memory = ("peak_vram_mb", f"{result.memory_gb * 1024:.1f}") if on_gpu else ("memory_gb", f"{result.memory_gb:.3f}")
    rows = (
        ("val_bpb", f"{result.val_bpb:.6f}"),
        ("training_seconds", f"{result.training_s:.1f}"),
        ("total_seconds", f"{result.total_s:.1f}"),
        memory,
        ("total_tokens_M", f"{result.tokens / 1e6:.3f}"),
        ("num_steps", f"{result.steps}"),
        ("num_params_M", f"{result.params / 1e6:.3f}"),
    )
    return "\n".join(["---", *(f"{name + ':':<18}{value}" for name, value in rows)])


def _show_log(path: Path) -> None:
    """The end of what the run printed: untrusted, so cleaned and indented."""
    with contextlib.suppress(OSError):
        for line in tail(path.read_bytes()):
            print(f"    {line}", file=sys.stderr)


def _failed(reason: str, status: int = 1) -> int:
    print(f"harness: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
