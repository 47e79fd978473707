"""Ledgers: whole lines under cuts, full disks and foreign hands."""

import errno
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.ledger import (
    TSV_HEADER,
    append_line,
    complete_lines,
    is_ours,
    read_experiments,
    tsv_row,
    tsv_text,
)
from harness.result import Experiment

ONE = Experiment(
    number=3,
    commit="a" * 40,
    parent="b" * 40,
    message="softcap 15 to 20",
    verdict="keep",
    reason="lower",
    val_bpb=1.25,
    delta=-0.25,
    best=1.25,
    submitted_at=1.0,
    started_at=2.0,
    ended_at=3.0,
    result={"memory_gb": 0.44},
)

EXPERIMENTS = st.builds(
    lambda number, message, verdict, bpb: replace(ONE, number=number, message=message, verdict=verdict, val_bpb=bpb),
    st.integers(0, 999),
    st.text(max_size=30),
    st.sampled_from(["keep", "discard", "crash", "timeout", "aborted", "of a later version"]),
    st.none() | st.floats(0.1, 10.0),
)
on_one_file = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_one_file
@given(written=st.lists(EXPERIMENTS, min_size=1, max_size=4), data=st.data())
def test_a_cut_file_yields_exactly_its_whole_rows(
    tmp_path: Path, written: list[Experiment], data: st.DataObject
) -> None:
    """Cut at any byte, the records whose line is whole are read and no other; what is appended then is read, too."""
    path = tmp_path / "experiments.jsonl"
    path.unlink(missing_ok=True)
    for one in written:
        append_line(path, one.to_json())
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    assert read_experiments(path).records == written[:whole]
    torn = cut > 0 and content[cut - 1 : cut] != b"\n"
    append_line(path, ONE.to_json())
    reading = read_experiments(path)
    # A line that was cut at its very newline is whole again.
    mended = torn and content[cut : cut + 1] == b"\n"
    assert reading.records == [*written[: whole + mended], ONE]
    assert reading.broken == (torn and not mended)


def test_a_foreign_file_is_counted_and_survived(tmp_path: Path) -> None:
    """Lines that are no records, of whatever kind, are counted; the records between them are read."""
    path = tmp_path / "experiments.jsonl"
    wrong_type = ONE.to_json().replace('"number": 3', '"number": "three"')
    lines = [b"hello", ONE.to_json().encode(), b"{}", b"[1]", b"\xff\x00", b"[" * 5000, b"", wrong_type.encode()]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    reading = read_experiments(path)
    assert (reading.records, reading.broken) == ([ONE], 7)


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    """A ledger that does not exist holds nothing, and is no error."""
    assert read_experiments(tmp_path / "none").records == []
    assert list(complete_lines(tmp_path / "none")) == []


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    """From an offset only what comes after it is read, and a line in the making is left for later."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\nthr")
    assert list(complete_lines(path, 4)) == [b"two"]


@pytest.mark.parametrize("before", [b"", b"whole\n", b"whole\ntorn"])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full half-way through a line, the error is raised and not a byte of the line stays."""
    path = tmp_path / "ledger"
    path.write_bytes(before)
    real = os.write
    wrote: list[int] = []

    def write_until_full(fd: int, data: bytes) -> int:
        if wrote:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        wrote.append(real(fd, data[:5]))
        return wrote[0]

    monkeypatch.setattr(os, "write", write_until_full)
    with pytest.raises(OSError, match="No space left"):
        append_line(path, "a record of some length")
    assert wrote
    assert path.read_bytes() == before


def test_the_kernel_refusing_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """The same with a real refusal: a file that may not grow past a limit, in a process of its own."""
    path = tmp_path / "ledger"
    path.write_bytes(b"x" * 90 + b"\n")
    code = (
        "import pathlib, signal, sys\n"
        "from harness.ledger import append_line\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n"
        "    append_line(pathlib.Path(sys.argv[1]), 'y' * 50)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, str(path)],  # -B: it would cut our bytecode short, too
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.stdout.strip() == str(errno.EFBIG)
    assert path.read_bytes() == b"x" * 90 + b"\n"


@on_one_file
@given(experiments=st.lists(EXPERIMENTS, max_size=5))
def test_a_table_has_five_columns(tmp_path: Path, experiments: list[Experiment]) -> None:
    """Every row has the ecosystem's five columns whatever the message holds, and the table is known as ours."""
    text = tsv_text(experiments)
    header, *rows = text.removesuffix("\n").split("\n")
    assert header == TSV_HEADER
    assert len(rows) == sum(one.verdict in {"keep", "discard", "crash", "timeout"} for one in experiments)
    assert all(row.count("\t") == 4 for row in rows)
    path = tmp_path / "results.tsv"
    path.write_text(text, encoding="utf-8")
    assert is_ours(path, experiments)
    assert is_ours(path, [*experiments, ONE])
    path.write_text(text + "a note by hand\n", encoding="utf-8")
    assert not is_ours(path, experiments)


def test_rows_are_as_the_ecosystem_writes_them() -> None:
    """Short commit, six decimals, memory in GB with one; zeros where a run crashed; an aborted run has no row."""
    assert tsv_row(ONE) == "aaaaaaa\t1.250000\t0.4\tkeep\tsoftcap 15 to 20"
    assert tsv_row(replace(ONE, verdict="timeout", val_bpb=None)) == "aaaaaaa\t0.000000\t0.0\tcrash\tsoftcap 15 to 20"
    assert (
        tsv_row(replace(ONE, result={"memory_gb": "much"}, commit="a\tb"))
        == "a b\t1.250000\t0.0\tkeep\tsoftcap 15 to 20"
    )
    assert tsv_row(replace(ONE, verdict="aborted")) is None


def test_a_lone_surrogate_loses_no_record(tmp_path: Path) -> None:
    """A message with half a character in it, which no encoding has, is written all the same."""
    append_line(tmp_path / "ledger", replace(ONE, message="tried \udcff").to_json())
    assert read_experiments(tmp_path / "ledger").records == [replace(ONE, message="tried ?")]
