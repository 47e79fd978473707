"""Logs that grow, are torn, cut, replaced, huge or absent: each whole line counts, once, and nothing stops us."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions import session_log
from sessions.session_log import LogFile
from sessions.usage import Usage
from tests.session_logs.samples import CODEX, LINES, Clock, lay, log_of


def worth(text: bytes) -> int:
    """The tokens of a text's whole lines, counted in another way than the code's."""
    whole = text[: text.rfind(b"\n") + 1].decode("utf-8", "replace")
    return sum(10**n for n in range(6) for line in whole.split("\n") if line == LINES[n + 1])


@settings(deadline=None)
@given(st.lists(st.sampled_from([*LINES, "junk", "", "{}", "[1]"]), max_size=12), st.data())
def test_growing_in_any_pieces_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    """However a log arrives, piece by piece and through new supervisors, the sum is that of its whole lines."""
    text = "".join(line + "\n" for line in [LINES[0], *lines]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    home = tmp_path_factory.mktemp("home")
    clock, path = Clock(home, "codex"), home / CODEX
    path.parent.mkdir(parents=True)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        with path.open("ab") as stream:
            stream.write(text[start:end])
        assert clock.usage().tokens == worth(text[:end])
        if data.draw(st.booleans()):
            clock.log.keep()
            clock.begin()


@pytest.mark.parametrize("sample", ["codex.jsonl"])
@settings(deadline=None)
@given(share=st.floats(0, 1))
def test_a_log_cut_anywhere_is_worth_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, sample: str, share: float
) -> None:
    """Cut at any byte, a real log is worth exactly the entries that are whole."""
    home = tmp_path_factory.mktemp("home")
    path = lay(home, sample, CODEX)
    text = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(text)
    whole = text[: text.rfind(b"\n") + 1]
    assert Clock(home, "codex").usage().tokens == 1050 * whole.count(b'"type":"token_usage_record"')


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([one.encode() for one in LINES]), max_size=10))
def test_garbage_costs_no_line_of_the_others(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Between lines of any bytes, those that count are found, and none is an error."""
    home = tmp_path_factory.mktemp("home")
    path = home / CODEX
    path.parent.mkdir(parents=True)
    text = b"\n".join([LINES[0].encode(), *lines]) + b"\n"
    path.write_bytes(text)
    assert Clock(home, "codex").usage().tokens == worth(text)


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), max_size=12), st.lists(st.integers(1, 300), max_size=12))
def test_lines_too_long_are_passed_over(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], appended: list[int]
) -> None:
    """A line longer than is read at once is skipped in bounded pieces, and the next one is whole."""
    lines = [bytes([97 + n % 26]) * length for n, length in enumerate(lengths)]
    text = b"".join(line + b"\n" for line in lines)
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"")
    file, found, at = LogFile(path), [], 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session_log, "CHUNK", 64)
        for more in [*appended, len(text)]:
            with path.open("ab") as stream:
                stream.write(text[at : at + more])
            at += more
            before = None
            while file.place != before:
                before = file.place
                new = file.lines()
                assert file.read <= 64
                found += new
    assert found == [line for line in lines if len(line) < 64]


def test_a_log_that_is_not_there_yet_is_found_when_it_is(tmp_path: Path) -> None:
    """An absent log is no error; it counts from when it appears, and what it was worth stays when it goes."""
    clock = Clock(tmp_path, "codex")
    assert not clock.poll()
    log_of(tmp_path / CODEX, LINES)
    assert clock.usage().tokens == 111_111
    (tmp_path / CODEX).unlink()
    assert clock.usage().tokens == 111_111


def test_a_log_that_is_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Another file of the same name is another log: what the first was worth stays, and all of it is added."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / CODEX
    log_of(path, LINES)
    clock.usage()
    log_of(path.with_name("new"), [LINES[0].replace('"s"', '"t"'), *LINES[1:3]])
    path.with_name("new").replace(path)
    assert clock.usage().tokens == 111_111 + 11


def test_a_copy_in_the_place_of_a_log_is_not_read_again(tmp_path: Path) -> None:
    """A log that was written anew as it was, such as by a backup, goes on where it stood."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / CODEX
    log_of(path, LINES)
    clock.usage()
    log_of(path.with_name("new"), [*LINES, LINES[1]])
    path.with_name("new").replace(path)
    assert clock.usage().tokens == 111_111 + 1


def test_a_log_cut_short_goes_on_at_its_end(tmp_path: Path) -> None:
    """What was counted was used, even if the log forgets it."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / CODEX
    filler = [json.dumps({"filler": "x" * 1100})]
    log_of(path, [LINES[0], *filler, *LINES[1:]])
    clock.usage()
    log_of(path, [LINES[0], *filler, LINES[1]])
    assert clock.usage().tokens == 111_111
    with path.open("a") as stream:
        stream.write(LINES[3] + "\n")
    assert clock.usage().tokens == 111_111 + 100


def test_an_emptied_log_counts_again(tmp_path: Path) -> None:
    """A log that was emptied and filled anew is a new one."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / CODEX
    log_of(path, LINES)
    clock.usage()
    path.write_bytes(b"")
    assert clock.usage().tokens == 111_111
    log_of(path, [LINES[0].replace('"s"', '"t"'), LINES[1]])
    assert clock.usage().tokens == 111_112


def test_a_broken_line_with_bytes_that_are_no_text_still_counts(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 elsewhere in a line cost none of its numbers."""
    path = tmp_path / CODEX
    log_of(path, [LINES[0]])
    with path.open("ab") as stream:
        stream.write(LINES[2].encode()[:-1] + b', "said": "\xff\xfe"}\n')
    assert Clock(tmp_path, "codex").usage().tokens == 10


def test_one_poll_reads_no_more_than_its_share(tmp_path: Path) -> None:
    """A log that has grown by many megabytes is read over many polls, to the same sum."""
    path = tmp_path / CODEX
    log_of(path, [LINES[0], *([json.dumps({"said": "x" * 100_000})] * 20), *LINES[1:]])
    clock = Clock(tmp_path, "codex")
    for _ in range(3):
        clock.poll()
        assert clock.log.usage == Usage()
    for _ in range(4):
        clock.poll()
    assert clock.log.usage.tokens == 111_111


def test_two_large_logs_share_one_poll(tmp_path: Path) -> None:
    """Several logs that have grown are not all read in one poll, and all are read in the end."""
    for name in "abc":
        log_of(tmp_path / CODEX.parent / f"rollout-{name}.jsonl", [LINES[0], *LINES[1:2], *(["x" * 100_000] * 20)])
    clock = Clock(tmp_path, "codex")
    clock.poll()
    assert clock.log.usage.tokens == 1
    for _ in range(20):
        clock.poll()
    assert clock.log.usage.tokens == 3


def test_a_log_at_rest_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing changes, a log costs a stat."""
    path = lay(tmp_path, "codex.jsonl", CODEX)
    file = LogFile(path)
    assert file.lines()
    monkeypatch.setattr(os, "open", lambda *_args: pytest.fail("opened"))
    assert file.lines() == []
