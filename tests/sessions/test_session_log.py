"""Session logs of real agents, cut, torn, replaced, huge and absent: what is counted, once, and what never stops us."""

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import session_log
from sessions.agent_log import AgentLog
from sessions.log_database import LogDatabase
from sessions.profiles import load_profile
from sessions.session_log import LogFile, Place, find_logs
from sessions.signals import Identity
from sessions.usage import Usage

SAMPLES = Path(__file__).parents[1] / "session_logs"
WORKTREE = Path("/home/ada/lab")  # where the samples' agents worked
_CODEX = Path(".codex/sessions/2026/11/24/rollout-2026-11-24T10-46-23-01a20d29-f51e-7712-8880-2211f0beaf9a.jsonl")
_CLAUDE = Path(".claude/projects/-home-ada-lab")
_GEMINI = Path(".gemini/tmp/lab/chats/session-2026-11-24T10-32-a01b6fd9.jsonl")
_QWEN = Path(".qwen/projects/-home-ada-lab/chats/80cc7276-6d1d-49cf-8f78-2fcd12a63121.jsonl")
_PI = Path(".pi/agent/sessions/--home-ada-lab--/2026-11-24T11-14-27-928Z_01a20d43-a9d7-736b-bdff-be265c2d653e.jsonl")
_OPENCODE = Path(".local/share/opencode/opencode.db")


class Clock:
    """Polls an agent's log, each time later than all that waits for a while."""

    def __init__(self, home: Path, agent: str, **changes: Any) -> None:
        self.home = home
        self.now = 0.0
        self.given = {
            "worktree": WORKTREE,
            "files": home / "agent",
            "environment": {"HOME": str(home)},
            "since": 0.0,
            **changes,
        }
        self.format = load_profile(agent, home / "config").log
        self.log = self.begin()

    def begin(self) -> AgentLog:
        """A new supervisor's."""
        self.log = AgentLog(self.format, self.home / "usage.json", **self.given)
        return self.log

    def poll(self) -> bool:
        self.now += 60
        return self.log.poll(self.now)

    def usage(self) -> Usage:
        while self.poll():
            pass
        return self.log.usage


def lay(home: Path, sample: str, place: Path) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SAMPLES / sample, path)
    return path


def database(home: Path) -> Path:
    path = home / _OPENCODE
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as opened:
        opened.executescript((SAMPLES / "opencode.sql").read_text())
    opened.close()
    return path


# What real agents have written.


def test_codex_is_understood(tmp_path: Path) -> None:
    """A Codex rollout gives tokens, those of a turn that was killed too, and the session id."""
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    clock = Clock(tmp_path, "codex")
    assert clock.usage() == Usage(input=3000, cached=2400, output=150, unpriced=3150)
    assert clock.log.identity == Identity("01a20d29-f51e-7712-8880-2211f0beaf9a", str(path))


def test_claude_is_understood(tmp_path: Path) -> None:
    """Claude's logs give tokens, a sub-agent's own log included, which does not name the session."""
    path = lay(tmp_path, "claude.jsonl", _CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b.jsonl")
    lay(tmp_path, "claude-subagent.jsonl", _CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b/subagents/agent-a1.jsonl")
    clock = Clock(tmp_path, "claude")
    assert clock.usage() == Usage(input=600, output=120, unpriced=720)
    assert clock.log.identity == Identity("1086b166-3aa5-43c1-b50b-46532646a33b", str(path))


def test_blocks_of_one_message_count_once(tmp_path: Path) -> None:
    """Claude writes a message block by block, each with the usage of the whole."""
    path = lay(tmp_path, "claude.jsonl", _CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b.jsonl")
    path.write_bytes(b"".join(line * 3 for line in path.read_bytes().splitlines(keepends=True)))
    assert Clock(tmp_path, "claude").usage() == Usage(input=400, output=80, unpriced=480)


def test_gemini_is_understood(tmp_path: Path) -> None:
    """Gemini's chat gives tokens, though it writes a message again after its tools; the folder is known by its hash."""
    path = lay(tmp_path, "gemini.jsonl", _GEMINI)
    clock = Clock(tmp_path, "gemini")
    assert clock.usage() == Usage(input=600, output=120, unpriced=720)
    assert clock.log.identity == Identity("a01b6fd9-274e-4bad-bf93-f8ac718197e2", str(path))


def test_opencode_is_understood(tmp_path: Path) -> None:
    """Opencode's database gives the tokens of our folder's sessions, and grows; a sub-agent's session names nothing."""
    path = database(tmp_path)
    clock = Clock(tmp_path, "opencode")
    assert clock.usage() == Usage(input=3600, cached=600, output=102, unpriced=3702)
    assert clock.log.identity.session == "ses_df2d94a2cffeggP7x6W5xwsWPD"
    with sqlite3.connect(path) as opened:
        opened.execute("UPDATE session SET tokens_input = 5000, cost = 0.5 WHERE directory = '/home/ada/lab'")
        opened.execute(
            "INSERT INTO session SELECT 'ses_sub', project_id, workspace_id, id, slug, directory, path, title, version,"
            " share_url, 0, 0, 0, '', '', 0.25, 10, 1, 1, 0, 0, '', '', '', model, time_created + 1, 0, 0, 0"
            " FROM session WHERE directory = '/home/ada/lab'"
        )
    opened.close()
    assert clock.usage() == Usage(input=5610, cached=600, output=104, cost=0.75)
    assert clock.log.identity.session == "ses_df2d94a2cffeggP7x6W5xwsWPD"


def test_reading_a_database_leaves_nothing_behind(tmp_path: Path) -> None:
    """A database in WAL mode that nobody has open gets no files beside it, and one in use is read to its newest row."""
    path = database(tmp_path)
    opened = sqlite3.connect(path)
    opened.execute("PRAGMA journal_mode=wal")
    opened.close()
    clock = Clock(tmp_path, "opencode")
    assert clock.usage().output == 102
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name]
    opened = sqlite3.connect(path)
    opened.execute("UPDATE session SET tokens_output = 200")
    opened.commit()
    assert clock.usage().output == 200
    opened.close()


def test_qwen_is_understood(tmp_path: Path) -> None:
    """Qwen's chat says each answer's tokens twice, and they count once; failed requests cost nothing."""
    path = lay(tmp_path, "qwen.jsonl", _QWEN)
    clock = Clock(tmp_path, "qwen")
    assert clock.usage() == Usage(input=2400, cached=400, output=68, unpriced=2468)
    assert clock.log.identity == Identity("80cc7276-6d1d-49cf-8f78-2fcd12a63121", str(path))


def test_pi_is_understood(tmp_path: Path) -> None:
    """The log of pi gives tokens, what came from a cache apart from the rest, and a cost where it knows one."""
    path = lay(tmp_path, "pi.jsonl", _PI)
    clock = Clock(tmp_path, "pi")
    assert clock.usage() == Usage(input=8400, cached=1400, output=238, unpriced=8638)
    assert clock.log.identity == Identity("01a20d43-a9d7-736b-bdff-be265c2d653e", str(path))
    path.write_text(path.read_text().replace('"total":0}', '"total":0.25}'))
    (tmp_path / "usage.json").unlink()
    clock.begin()
    assert clock.usage() == Usage(input=8400, cached=1400, output=238, cost=2.25)


def test_a_database_of_many_sessions_is_counted_once(tmp_path: Path) -> None:
    """Each row of a database is read again and again, also by a new supervisor, and counts once."""
    path = database(tmp_path)
    with sqlite3.connect(path) as opened:
        for number in range(300):
            opened.execute(
                "INSERT INTO session (id, project_id, slug, directory, title, version, tokens_output, time_created,"
                " time_updated) VALUES (?, '', '', '/home/ada/lab', '', '', 1, ?, 0)",
                (f"ses_{number}", number),
            )
    opened.close()
    clock = Clock(tmp_path, "opencode", since=-10.0)
    assert clock.usage().output == 402
    clock.log.keep()
    clock.begin()
    assert clock.usage().output == 402


@pytest.mark.parametrize("what", [b"", b"SQLite format 3\x00" + b"\xff" * 5000, b"junk" * 500])
def test_a_broken_database_is_no_error(tmp_path: Path, what: bytes) -> None:
    """What is no database, or has no such table, gives no rows."""
    path = tmp_path / _OPENCODE
    path.parent.mkdir(parents=True)
    path.write_bytes(what)
    assert Clock(tmp_path, "opencode").usage() == Usage()


def test_a_query_without_end_is_broken_off(tmp_path: Path) -> None:
    """A database that takes too long to answer says nothing this time, and does not hold us up."""
    path = database(tmp_path)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    assert LogDatabase(path, endless).rows({}) == []
    assert LogDatabase(path, "SELECT max(tokens_output) AS most FROM session").rows({}) == [{"most": 102}]


def test_a_profile_without_a_log_says_nothing(tmp_path: Path) -> None:
    """The generic profile knows no log, and that costs nothing."""
    clock = Clock(tmp_path, "generic")
    assert not clock.poll()
    assert clock.log.usage == Usage()
    assert clock.log.identity == Identity()


# Whose log it is.


def test_the_logs_of_a_session_add_up(tmp_path: Path) -> None:
    """Launches and fresh contexts write logs of their own; all of them are the session's, and the newest names it."""
    clock = Clock(tmp_path, "codex")
    lay(tmp_path, "codex.jsonl", _CODEX)
    assert clock.usage().tokens == 3150
    other = lay(tmp_path, "codex.jsonl", _CODEX.parent / "rollout-2.jsonl")
    other.write_text(other.read_text().replace("01a20d29-f51e-7712-8880-2211f0beaf9a", "another"))
    assert clock.usage().tokens == 6300
    assert clock.log.identity == Identity("another", str(other))


def test_the_log_of_another_folder_is_not_ours(tmp_path: Path) -> None:
    """Where the log says that its agent works elsewhere, nothing of it counts, however it grows."""
    clock = Clock(tmp_path, "codex", worktree=Path("/home/ada/elsewhere"))
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    assert clock.usage() == Usage()
    with path.open("ab") as stream:
        stream.write((SAMPLES / "codex.jsonl").read_bytes())
    assert clock.usage() == Usage()
    assert clock.log.identity == Identity()


def test_a_log_from_before_the_session_is_not_ours(tmp_path: Path) -> None:
    """A worktree of the same path may have been another session's once."""
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    os.utime(path, (1000, 1000))
    assert Clock(tmp_path, "codex", since=2000.0).usage() == Usage()
    assert Clock(tmp_path, "codex", since=900.0).usage().tokens == 3150


def test_a_clock_that_was_put_back_hides_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that began in the future still finds what is written now."""
    clock = Clock(tmp_path, "codex", since=10_000_000_000.0)
    lay(tmp_path, "codex.jsonl", _CODEX)
    assert clock.usage().tokens == 3150


def test_a_hook_names_the_log_wherever_it_lies(tmp_path: Path) -> None:
    """A log that a hook names is ours without looking, and its word for the session stands against other logs'."""
    elsewhere = lay(tmp_path, "codex.jsonl", Path("elsewhere/log.jsonl"))
    clock = Clock(tmp_path, "codex", worktree=Path("/another/name/of/it"))
    clock.log.named(Identity("told", str(elsewhere)))
    assert clock.usage().tokens == 3150
    assert clock.log.identity == Identity("told", str(elsewhere))


@pytest.mark.parametrize("transcript", ["", "relative.jsonl", "/nowhere/x", "/dev/zero", "/", "/x\0y"])
def test_a_hook_that_names_no_log_is_borne(tmp_path: Path, transcript: str) -> None:
    """A path from a hook is data: absent, a device, a directory or no path at all, it is read as nothing."""
    clock = Clock(tmp_path, "codex")
    clock.log.named(Identity("told", transcript))
    assert clock.usage() == Usage()
    assert clock.log.identity.session == "told"


def test_a_fifo_does_not_hold_us_up(tmp_path: Path) -> None:
    """A FIFO in a log's place, which would block whoever opens it, is read as nothing."""
    (tmp_path / _CODEX).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / _CODEX)
    assert Clock(tmp_path, "codex").usage() == Usage()


def test_a_device_is_no_log() -> None:
    """What is no file, and would give bytes without end, gives none."""
    file = LogFile(Path("/dev/zero"))
    assert file.lines() == []
    assert file.read == 0


def test_a_log_that_is_not_ours_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session's log is looked into once, however often logs are looked for."""
    clock = Clock(tmp_path, "codex", worktree=Path("/home/ada/elsewhere"))
    lay(tmp_path, "codex.jsonl", _CODEX)
    clock.poll()
    monkeypatch.setattr(os, "open", lambda *_args: pytest.fail("opened"))
    assert not clock.poll()


def test_a_log_that_does_not_say_whose_it_is_is_not_ours(tmp_path: Path) -> None:
    """A log that has not named its folder within many entries stays out, whatever it says later."""
    log_of(tmp_path / _CODEX, [_LINES[1]] * 300)
    clock = Clock(tmp_path, "codex")
    assert clock.usage() == Usage()
    with (tmp_path / _CODEX).open("a") as stream:
        stream.write(f"{_LINES[0]}\n{_LINES[1]}\n")
    assert clock.usage() == Usage()


def test_an_old_directory_is_not_looked_into(tmp_path: Path) -> None:
    """Years of logs lie in directories that nothing was begun in since; they cost a stat each."""
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    os.utime(path.parent, (1000, 1000))
    assert find_logs([f"{path.parent}/*.jsonl"], 2000.0) == []
    assert find_logs([f"{path.parent}/*.jsonl"], 1000.0) == [path]
    assert find_logs([str(path)], 2000.0) == [path]


def test_a_conversation_that_is_over_is_not_named_again(tmp_path: Path) -> None:
    """After a fresh start only another session is ours to come back to, while the old log still counts."""
    clock = Clock(tmp_path, "codex")
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    clock.usage()
    clock.log.forget()
    with path.open("ab") as stream:
        stream.write((SAMPLES / "codex.jsonl").read_bytes())
    assert clock.usage().tokens == 6300
    assert clock.log.identity == Identity()


# Growing, torn, cut, replaced.

_LINES = [
    json.dumps({"type": "session_meta", "payload": {"id": "s", "cwd": str(WORKTREE), "thread_source": "user"}}),
    *(
        json.dumps({"type": "token_usage_record", "payload": {"usage": {"input_tokens": 10**n, "output_tokens": 0}}})
        for n in range(6)
    ),
]


def worth(text: bytes) -> int:
    """The tokens of a text's whole lines, counted in another way than the code's."""
    whole = text[: text.rfind(b"\n") + 1].decode("utf-8", "replace")
    return sum(10**n for n in range(6) for line in whole.split("\n") if line == _LINES[n + 1])


@given(st.lists(st.sampled_from([*_LINES, "junk", "", "{}", "[1]"]), max_size=12), st.data())
def test_growing_in_any_pieces_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    """However a log arrives, piece by piece and through new supervisors, the sum is that of its whole lines."""
    text = "".join(line + "\n" for line in [_LINES[0], *lines]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    home = tmp_path_factory.mktemp("home")
    clock, path = Clock(home, "codex"), home / _CODEX
    path.parent.mkdir(parents=True)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        with path.open("ab") as stream:
            stream.write(text[start:end])
        assert clock.usage().tokens == worth(text[:end])
        if data.draw(st.booleans()):
            clock.log.keep()
            clock.begin()


@pytest.mark.parametrize("sample", ["codex.jsonl"])
@given(share=st.floats(0, 1))
def test_a_log_cut_anywhere_is_worth_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, sample: str, share: float
) -> None:
    """Cut at any byte, a real log is worth exactly the entries that are whole."""
    home = tmp_path_factory.mktemp("home")
    path = lay(home, sample, _CODEX)
    text = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(text)
    whole = text[: text.rfind(b"\n") + 1]
    assert Clock(home, "codex").usage().tokens == 1050 * whole.count(b'"type":"token_usage_record"')


@given(st.lists(st.binary(max_size=40) | st.sampled_from([one.encode() for one in _LINES]), max_size=10))
def test_garbage_costs_no_line_of_the_others(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Between lines of any bytes, those that count are found, and none is an error."""
    home = tmp_path_factory.mktemp("home")
    path = home / _CODEX
    path.parent.mkdir(parents=True)
    text = b"\n".join([_LINES[0].encode(), *lines]) + b"\n"
    path.write_bytes(text)
    assert Clock(home, "codex").usage().tokens == worth(text)


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


def log_of(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))


def test_a_log_that_is_not_there_yet_is_found_when_it_is(tmp_path: Path) -> None:
    """An absent log is no error; it counts from when it appears, and what it was worth stays when it goes."""
    clock = Clock(tmp_path, "codex")
    assert not clock.poll()
    log_of(tmp_path / _CODEX, _LINES)
    assert clock.usage().tokens == 111_111
    (tmp_path / _CODEX).unlink()
    assert clock.usage().tokens == 111_111


def test_a_log_that_is_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Another file of the same name is another log: what the first was worth stays, and all of it is added."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / _CODEX
    log_of(path, _LINES)
    clock.usage()
    log_of(path.with_name("new"), [_LINES[0].replace('"s"', '"t"'), *_LINES[1:3]])
    path.with_name("new").replace(path)
    assert clock.usage().tokens == 111_111 + 11


def test_a_copy_in_the_place_of_a_log_is_not_read_again(tmp_path: Path) -> None:
    """A log that was written anew as it was, such as by a backup, goes on where it stood."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / _CODEX
    log_of(path, _LINES)
    clock.usage()
    log_of(path.with_name("new"), [*_LINES, _LINES[1]])
    path.with_name("new").replace(path)
    assert clock.usage().tokens == 111_111 + 1


def test_a_log_cut_short_goes_on_at_its_end(tmp_path: Path) -> None:
    """What was counted was used, even if the log forgets it."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / _CODEX
    filler = [json.dumps({"filler": "x" * 1100})]
    log_of(path, [_LINES[0], *filler, *_LINES[1:]])
    clock.usage()
    log_of(path, [_LINES[0], *filler, _LINES[1]])
    assert clock.usage().tokens == 111_111
    with path.open("a") as stream:
        stream.write(_LINES[3] + "\n")
    assert clock.usage().tokens == 111_111 + 100


def test_an_emptied_log_counts_again(tmp_path: Path) -> None:
    """A log that was emptied and filled anew is a new one."""
    clock, path = Clock(tmp_path, "codex"), tmp_path / _CODEX
    log_of(path, _LINES)
    clock.usage()
    path.write_bytes(b"")
    assert clock.usage().tokens == 111_111
    log_of(path, [_LINES[0].replace('"s"', '"t"'), _LINES[1]])
    assert clock.usage().tokens == 111_112


def test_a_broken_line_with_bytes_that_are_no_text_still_counts(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 elsewhere in a line cost none of its numbers."""
    path = tmp_path / _CODEX
    log_of(path, [_LINES[0]])
    with path.open("ab") as stream:
        stream.write(_LINES[2].encode()[:-1] + b', "said": "\xff\xfe"}\n')
    assert Clock(tmp_path, "codex").usage().tokens == 10


def test_one_poll_reads_no_more_than_its_share(tmp_path: Path) -> None:
    """A log that has grown by many megabytes is read over many polls, to the same sum."""
    path = tmp_path / _CODEX
    log_of(path, [_LINES[0], *([json.dumps({"said": "x" * 100_000})] * 20), *_LINES[1:]])
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
        log_of(tmp_path / _CODEX.parent / f"rollout-{name}.jsonl", [_LINES[0], *_LINES[1:2], *(["x" * 100_000] * 20)])
    clock = Clock(tmp_path, "codex")
    clock.poll()
    assert clock.log.usage.tokens == 1
    for _ in range(20):
        clock.poll()
    assert clock.log.usage.tokens == 3


def test_a_log_at_rest_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing changes, a log costs a stat."""
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    file = LogFile(path)
    assert file.lines()
    monkeypatch.setattr(os, "open", lambda *_args: pytest.fail("opened"))
    assert file.lines() == []


# From one supervisor to the next.


def test_a_new_supervisor_goes_on(tmp_path: Path) -> None:
    """The sums, the session and the place in each log outlive the supervisor; nothing is counted twice."""
    clock = Clock(tmp_path, "codex")
    path = lay(tmp_path, "codex.jsonl", _CODEX)
    before, identity = clock.usage(), clock.log.identity
    clock.log.keep()
    assert clock.begin().usage == before
    assert clock.log.identity == identity
    with path.open("ab") as stream:
        stream.write((SAMPLES / "codex.jsonl").read_bytes())
    assert clock.usage() == before + before
    assert (tmp_path / "usage.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"models": 3}',
        '{"models": {"m": {"input": "x"}}, "logs": {}}',
        '{"models": {}, "logs": {"/x": 1}}',
    ],
)
def test_what_was_kept_and_broke_is_read_again(tmp_path: Path, text: str) -> None:
    """A usage.json that is no such thing costs nothing: the logs are read from the beginning."""
    (tmp_path / "usage.json").write_text(text)
    lay(tmp_path, "codex.jsonl", _CODEX)
    assert Clock(tmp_path, "codex").usage().tokens == 3150


def test_a_full_disk_costs_only_what_a_crash_would_need(tmp_path: Path) -> None:
    """Where usage.json cannot be written, the sums go on in memory."""
    (tmp_path / "usage.json").mkdir()
    lay(tmp_path, "codex.jsonl", _CODEX)
    clock = Clock(tmp_path, "codex")
    assert clock.usage().tokens == 3150
    clock.log.keep()


def test_places_are_records() -> None:
    """A place comes back from JSON as it was."""
    place = Place(5, skipping=True, head_bytes=3, head="ab")
    assert Place.from_json(place.to_json()) == place
