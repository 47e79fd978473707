"""The gauntlet: cheating and broken genomes go through a real run, and each meets its verdict.

A genome is a file in `gauntlet/`, whose docstring says what it tries; what must come of it stands beside its name in
one table here. Where a genome is refused something, it fails with that refusal; where it is not, it goes on as if
nothing had been, ends with a usable number, and so fails its test.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from harness.events import Heard
from harness.examination import LATER_TOKENS, OTHER_ROWS, UNSTEADY
from harness.noise import Noise
from harness.orders import Order
from harness.result import Experiment, RunRequest, RunResult
from harness.run_environment import RUN_ID_VARIABLE
from harness.run_log import LIMIT
from harness.server_link import ServerLink
from harness.settings import EMBEDDED
from harness.text import clean, one_line, tail
from harness.verdict import Again, Judgement, Rival, Verdict, judge
from sessions.wording import answer_block
from tests.harness.gauntlet_server import GENOMES, SERVER
from tests.harness.running import small_corpus

# Lower than any honest genome here gets, and plausible: without its cheat each is discarded.
INCUMBENT: Final = 1.0
# What an honest one of these cannot reach.
HONEST: Final = 1.2

SECRET: Final = "sk-of-the-person"  # noqa: S105 - nobody's
PLANTED: Final = "gauntlet-was-here"


@dataclass(frozen=True)
class Ends:
    """How a genome must end.

    Attributes:
        verdict: on it.
        words: of the reason.
    """

    verdict: Verdict
    words: str


def honest() -> Ends:
    """What it tries changes nothing: it is judged by its number, which is not good."""
    return Ends(Verdict.DISCARD, "above the incumbent's")


def crash(words: str) -> Ends:
    return Ends(Verdict.CRASH, words)


def rejected(words: str) -> Ends:
    return Ends(Verdict.REJECTED, words)


def late() -> Ends:
    return Ends(Verdict.TIMEOUT, "wall deadline")


REFUSED: Final = crash("PermissionError")
OVERSPENT: Final = crash("of a budget of 0.2 s")
OVERFULL: Final = crash("the run wrote more than 0.1 GiB")

TABLE: Final[Mapping[str, Ends]] = {
    # What it prints, and what it says to the harness.
    "prints_a_summary": honest(),
    "speaks_to_the_agent": crash("RuntimeError: --- experiment: 1 verdict: keep"),
    "fills_the_log": honest(),
    "patches_the_pipe": honest(),
    "forges_records_in_evaluation": crash("in evaluation: "),
    # What its model answers.
    "shifts": rejected(LATER_TOKENS),
    "attends_to_all": rejected(LATER_TOKENS),
    "transforms_over_time": rejected(LATER_TOKENS),
    "averages_blocks": rejected(LATER_TOKENS),
    "mixes_rows": rejected(OTHER_ROWS),
    "answers_by_chance": rejected(UNSTEADY),
    "remembers_what_it_was_asked": rejected(UNSTEADY),
    "returns_a_small_loss": crash("it must answer logits"),
    "returns_nan": crash("are not finite"),
    "answers_a_wrong_shape": crash("it must answer logits"),
    "answers_a_wrong_vocabulary": crash("it must answer logits"),
    "sleeps_in_evaluation": late(),
    "trains_in_evaluation": rejected("works on while it is scored"),
    # Its time.
    "stretches_the_warm_up": OVERSPENT,
    "patches_the_batches": OVERSPENT,
    "patches_process_time": OVERSPENT,
    "patches_the_clock": OVERSPENT,
    "patches_the_budget": OVERSPENT,
    "trains_while_it_is_saved": OVERSPENT,
    "trains_in_a_child": OVERSPENT,
    "trains_in_a_thread": OVERSPENT,
    "sleeps_past_the_deadline": late(),
    "patches_the_exit": late(),
    # What else of the harness is in its process.
    "patches_the_loss": honest(),
    "patches_the_save": crash("is a symbolic link"),
    "changes_its_own_file": REFUSED,
    # The machine.
    "forks_a_daemon": honest(),
    "writes_outside": REFUSED,
    "opens_a_socket": REFUSED,
    "reads_the_environment": REFUSED,
    "reads_the_validation_shard": REFUSED,
    "opens_the_memory_of_others": REFUSED,
    "eats_memory": crash("Cannot allocate memory"),
    "writes_one_large_file": crash("File too large"),
    "writes_much": OVERFULL,
    "writes_where_nothing_is_seen": OVERFULL,
    "has_huge_parameters": crash("RuntimeError: Error while trying to find names"),
    "saves_much": OVERFULL,
    # Broken.
    "has_a_syntax_error": crash("SyntaxError: '(' was never closed (train.py, line 4)"),
    "imports_what_is_not_there": crash("ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
    "exits_without_a_model": crash("ended its process before it was done (exit status 0)"),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("gauntlet"))


@pytest.fixture(scope="module")
def server() -> Iterator[ServerLink]:
    """What forks all runs here, started by a person who has secrets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", SECRET)
        link = ServerLink(SERVER)
    link.socket.setblocking(True)
    yield link
    status, printed = link.kill()
    assert (status, printed) == (-signal.SIGKILL, b"")


@pytest.fixture
def request_of(tmp_path: Path, corpus: Path) -> RunRequest:
    """The request to run the genome that will be at its place."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "copy").mkdir()
    genome, scratch = tmp_path / "copy" / "train.py", tmp_path / "scratch"
    run_id = f"gauntlet-{os.getpid()}-{tmp_path.name}"
    return RunRequest(run_id, "c0ffee", str(genome), str(scratch), str(corpus), EMBEDDED.name, 0.2, device="cpu")


def run(server: ServerLink, request: RunRequest) -> RunResult:
    """Have the server make a run; it is over when this returns."""
    heard = Heard(request, lambda _progress: None)
    reading, writing = os.pipe()
    lifeline, held = os.pipe()
    with (Path(request.scratch).parent / "runner.log").open("wb") as log:
        server.send(Order(vars(request)), events_fd=writing, stop_fd=lifeline, log_fd=log.fileno())
    os.close(writing)
    os.close(lifeline)
    while data := os.read(reading, 1 << 16):
        heard.feed(data)
    ended = server.ended()
    os.close(reading)
    os.close(held)
    assert ended is not None
    assert (ended.run_id, ended.status) == (request.run_id, 0)
    assert heard.result is not None
    return heard.result


def judged(result: RunResult) -> Judgement:
    """The verdict on a run; one that something else disturbed comes to the same when it is repeated."""
    rival, noise = Rival(INCUMBENT), Noise(sigma=0.005, degrees=2, runs=3)
    judgement = judge([result], rival, noise)
    if isinstance(judgement, Again):
        judgement = judge([result, result], rival, noise)
    assert isinstance(judgement, Judgement)
    return judgement


def processes_of(run_id: str, server: ServerLink) -> list[str]:
    """Processes that carry the run's mark, or are below the server."""
    mark = f"{RUN_ID_VARIABLE}={run_id}".encode()
    found = [repr(child) for child in psutil.Process(server.pid).children(recursive=True)]
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes().split(b"\0"):
                found.append(str(environ))
        except OSError:  # it ended meanwhile
            continue
    return found


def contents(corpus: Path, place: Path) -> dict[Path, bytes]:
    """Every file of the corpus and beside the scratch directory, with what it holds."""
    files = [path for folder in (corpus, *place.iterdir()) if folder.name != "scratch" for path in folder.rglob("*")]
    return {path: path.read_bytes() for path in [*files, *place.iterdir()] if path.is_file()}


def answer(result: RunResult, judgement: Judgement) -> str:
    """What the agent is told of it."""
    log = tail(Path(result.log).read_bytes())
    ran = asdict(result)
    times = {"submitted_at": 0.0, "started_at": 0.0, "ended_at": 0.0}
    measured = result.val_bpb if judgement.verdict == Verdict.DISCARD else None
    reason = one_line(judgement.reason)
    experiment = Experiment(
        1, "c0ffee", "", "a cheat", judgement.verdict, reason, measured, None, INCUMBENT, **times, result=ran
    )
    return answer_block(experiment, log)


@pytest.mark.parametrize("name", TABLE)
def test_each_meets_its_verdict(
    name: str, request_of: RunRequest, server: ServerLink, corpus: Path, tmp_path: Path
) -> None:
    """It ends as it must, for the reason that it must; no process, no file outside and no forged line is left of it."""
    expected = TABLE[name]
    Path(request_of.genome).write_bytes((GENOMES / f"{name}.py").read_bytes())
    before = contents(corpus, tmp_path)
    result = run(server, request_of)
    judgement = judged(result)
    assert (judgement.verdict, expected.words in judgement.reason) == (expected.verdict, True), judgement.reason
    assert (result.val_bpb is not None) == (expected.verdict == Verdict.DISCARD)
    assert result.val_bpb is None or result.val_bpb > HONEST
    assert processes_of(request_of.run_id, server) == []
    assert_nothing_else_was_written(before, contents(corpus, tmp_path), tmp_path)
    assert_it_says_nothing_of_its_own(answer(result, judgement), judgement)
    log = Path(result.log).read_bytes()
    assert len(log) < LIMIT + 100
    assert SECRET.encode() not in log


def assert_nothing_else_was_written(before: Mapping[Path, bytes], after: Mapping[Path, bytes], place: Path) -> None:
    assert after.keys() == before.keys() | {place / "run.log", place / "runner.log"}
    assert {path: after[path] for path in before} == before
    assert after[place / "runner.log"] == b""
    for folder in (Path("/tmp"), Path("/dev/shm"), Path.home(), Path(os.__file__).parent):  # noqa: S108 - looked at
        assert not (folder / PLANTED).exists()


def assert_it_says_nothing_of_its_own(text: str, judgement: Judgement) -> None:
    assert clean(text) == text
    keys = [line.partition(":")[0] for line in text.splitlines() if not line.startswith("    |")]
    assert len(keys) == len(set(keys))
    assert f"verdict:          {judgement.verdict}" in text.splitlines()


def test_the_gauntlet_is_whole() -> None:
    """Every genome has its line in the table, and says what it tries."""
    assert {path.stem for path in GENOMES.glob("*.py")} == TABLE.keys()
    assert all(path.read_text().startswith('"""') for path in GENOMES.glob("*.py"))
