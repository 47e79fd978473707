"""What watches the machine while a run is timed, and where compilers keep what they made."""

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compile_cache import open_cache
from harness.run_log import RunLog
from harness.watch import Watch
from harness.witness import Witness


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    read, write = os.pipe()
    log = RunLog(tmp_path / "run.log")
    watch = Watch(log, read, float("inf"), None)
    yield watch
    watch.close()
    log.close()
    for fd in (read, write):
        os.close(fd)


@pytest.fixture
def witness(watch: Watch) -> Iterator[Witness]:
    witness = Witness(4.0, {"PATH": "/bin"})
    watch.hear(witness.fd, witness.hear)
    yield witness
    witness.close()


def test_what_it_saw_in_training_is_reported(watch: Watch, witness: Witness) -> None:
    """Samples arrive while something else is waited for, and those since training began are summed up."""
    watch.until(lambda: len(witness.samples) == 2, 60)
    began = time.monotonic()
    watch.until(lambda: len(witness.samples) == 4, 60)
    report = witness.report(started=began, began=began, gpu="")
    assert report.samples == 2
    assert report.cpu_count > 0
    assert not report.lost


def test_one_that_died_costs_nothing_but_its_word(watch: Watch, witness: Witness) -> None:
    """After its death waiting goes on as before, and the report says that nobody looked."""
    watch.until(lambda: bool(witness.samples), 60)
    os.kill(witness.child.pid, signal.SIGKILL)
    select.select([witness.child.pidfd], [], [])
    began = time.monotonic()

    def missed() -> bool:
        return "not watched" in witness.report(started=began, began=began, gpu="").lost

    assert not missed()
    watch.until(missed, 60)
    assert missed()
    count = len(witness.samples)
    watch.until(lambda: len(witness.samples) > count, 0.3)
    assert len(witness.samples) == count


def test_nonsense_is_no_sample(witness: Witness) -> None:
    """A line of another form is dropped."""
    count = len(witness.samples)
    witness.hear(b'{"gpus": 3}\nhello\n{"at": 1.5}\n')
    assert [one.at for one in witness.samples[count:]] == [1.5]


def test_compilers_keep_what_they_made(tmp_path: Path) -> None:
    """The directory is made for this user alone, and what lies there is left there until it is too much."""
    place = tmp_path / "a" / "compiled"
    variables = open_cache(place, 1 << 20)
    assert {Path(path).parent for path in variables.values()} == {place}
    assert place.stat().st_mode & 0o77 == 0
    (place / "kernel").write_bytes(bytes(1 << 19))
    open_cache(place, 1 << 20)
    assert (place / "kernel").exists()
    (place / "another").write_bytes(bytes(1 << 20))
    open_cache(place, 1 << 20)
    assert list(place.iterdir()) == []
