"""Runs through a real fork server: whichever process is killed outright, there is a result and nothing is left."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.orders import Order, receive_order, send_order
from harness.result import Outcome, RecordError, RunProgress, RunRequest, RunResult
from harness.run_environment import RUN_ID_VARIABLE
from harness.single_run import run_alone
from tests.harness.running import MODEL, request_for, small_corpus

# Trains until it is ended.
ENDLESS = MODEL + "old = train\ndef train(model, run):\n    old(model, run)\n    signal.pause()\n"
# Trains for a moment longer than the budget, so that there is time to do something to it.
SLOW = MODEL.replace("        model(inputs)\n", "        model(inputs)\n        time.sleep(0.01)\n")

Act = Callable[[list[psutil.Process]], None]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("server"))


@pytest.fixture
def never() -> Iterator[int]:
    """A stop descriptor that is never readable."""
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


def run_and(act: Act, request: RunRequest, stop_fd: int) -> RunResult:
    """Run it, do something to its processes as soon as it trains, and see that none of them is left at the end."""
    below: list[psutil.Process] = []

    def on_progress(record: RunProgress) -> None:
        if record.phase == "training" and not below:
            below.extend(psutil.Process().children(recursive=True))
            act(below)

    result = run_alone(request, on_progress, stop_fd)
    assert len(below) == 7
    assert psutil.wait_procs(below, timeout=20)[1] == []
    return result


def kill(name: str) -> Act:
    def act(below: list[psutil.Process]) -> None:
        victims = below[:1] if name == "server" else [one for one in below if one.name() == name]
        victims[0].kill()

    return act


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("server", Outcome.ABORTED, "the fork server died (signal 9)"),
        ("runner", Outcome.ABORTED, "the runner died (signal 9)"),
        (
            "trainer",
            Outcome.CRASH,
            "train.py ended its process before it was done (killed by SIGKILL",
        ),
    ],
)
def test_a_run_that_lost_a_process_says_which(
    corpus: Path, tmp_path: Path, never: int, name: str, outcome: Outcome, reason: str
) -> None:
    """What was lost while it trained is named, and whether that was the genome's doing."""
    result = run_and(kill(name), request_for(tmp_path, corpus, ENDLESS), never)
    assert result.outcome == outcome
    assert result.reason.startswith(reason)


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("scorer", Outcome.ABORTED, "the scorer failed (killed by SIGKILL (out of memory?))"),
        ("model", Outcome.CRASH, "the model's process ended before it was asked for logits"),
        ("witness", Outcome.OK, ""),
    ],
)
def test_a_run_that_lost_a_process_that_it_needs_later(
    corpus: Path, tmp_path: Path, never: int, name: str, outcome: Outcome, reason: str
) -> None:
    """It is told when it is needed; of the witness's death nothing but the report of the machine speaks."""
    result = run_and(kill(name), request_for(tmp_path, corpus, SLOW, budget_s=0.5), never)
    assert result.outcome == outcome
    assert result.reason.startswith(reason)


def test_an_order_to_stop_ends_a_run(corpus: Path, tmp_path: Path) -> None:
    """When the stop descriptor becomes readable, the run is aborted."""
    read, write = os.pipe()
    request = request_for(tmp_path, corpus, ENDLESS)
    result = run_and(lambda _below: os.close(write), request, read)
    os.close(read)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "stopped from outside")


def test_every_process_of_a_run_carries_its_mark(
    corpus: Path, tmp_path: Path, never: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is forked for a run can be told by its environment, in which there is no secret; the server cannot."""
    monkeypatch.setenv("OPENAI_API_KEY", "a secret")
    request = request_for(tmp_path, corpus, SLOW)
    seen: list[dict[str, str]] = []
    run_and(lambda below: seen.extend(one.environ() for one in below), request, never)
    server, *others = seen
    assert server[RUN_ID_VARIABLE] != request.run_id
    assert {one[RUN_ID_VARIABLE] for one in others} == {request.run_id}
    assert not any("OPENAI_API_KEY" in one for one in seen)


def test_no_process_of_a_run_has_a_descriptor_of_anothers(corpus: Path, tmp_path: Path, never: int) -> None:
    """The trainer and the model's processes have an input, the log, their pair of pipes and what they opened."""
    open_ones: dict[str, list[str]] = {}

    def look(below: list[psutil.Process]) -> None:
        for one in below:
            links = [os.readlink(f"/proc/{one.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{one.pid}/fd")]  # noqa: PTH115, PTH208
            open_ones[one.name()] = links

    run_and(look, request_for(tmp_path, corpus, SLOW, budget_s=0.5), never)
    for name in ("trainer", "model"):
        assert not [one for one in open_ones[name] if one.startswith(("socket:", "anon_inode:"))]
        assert len({one for one in open_ones[name] if one.startswith("pipe:")}) == 3  # the log is one of them


def test_what_is_no_order_is_refused_and_its_descriptors_closed() -> None:
    """An object of another form, or without its three descriptors, raises; a hang-up is no order."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    read, write = os.pipe()
    with near, far:
        for content, fds in ((b"hello", [write, write, write]), (Order().to_json().encode(), [write])):
            socket.send_fds(near, [content], fds)
            with pytest.raises(RecordError):
                receive_order(far)
        send_order(near, Order({"run_id": "r"}), events_fd=write, stop_fd=write, log_fd=write)
        came = receive_order(far)
        assert came is not None
        assert came[0].run_id == "r"
        os.close(write)
        for fd in came[1]:
            os.close(fd)
        assert os.read(read, 1) == b""  # no copy is left open
        near.close()
        assert receive_order(far) is None
    os.close(read)


def test_a_signal_that_python_ignores_is_ignored_in_a_run(corpus: Path, tmp_path: Path, never: int) -> None:
    """A run's processes treat signals as a Python that was just started does."""
    text = MODEL + "def train(model, run):\n    sys.exit(str([int(signal.getsignal(n)) for n in (13, 15, 25)]))\n"
    request = request_for(tmp_path, corpus, text)
    result = run_alone(request, lambda _: None, never)
    expected = [int(signal.SIG_IGN), int(signal.SIG_DFL), int(signal.SIG_IGN)]
    assert result.reason.startswith(f"SystemExit: {expected}")
