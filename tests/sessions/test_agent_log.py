"""What real agents have logged, whose log it is, and what a new supervisor goes on from."""

import os
import sqlite3
from pathlib import Path

import pytest

from sessions.log_database import LogDatabase
from sessions.session_log import LogFile, Place, find_logs
from sessions.signals import Identity
from sessions.usage import Usage
from tests.session_logs.samples import CLAUDE, CODEX, GEMINI, LINES, OPENCODE, PI, QWEN, SAMPLES, Clock, lay, log_of


def database(home: Path) -> Path:
    path = home / OPENCODE
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as opened:
        opened.executescript((SAMPLES / "opencode.sql").read_text())
    opened.close()
    return path


# What real agents have written.


def test_codex_is_understood(tmp_path: Path) -> None:
    """A Codex rollout gives tokens, those of a turn that was killed too, and the session id."""
    path = lay(tmp_path, "codex.jsonl", CODEX)
    clock = Clock(tmp_path, "codex")
    assert clock.usage() == Usage(input=3000, cached=2400, output=150, unpriced=3150)
    assert clock.log.identity == Identity("01a20d29-f51e-7712-8880-2211f0beaf9a", str(path))


def test_claude_is_understood(tmp_path: Path) -> None:
    """Claude's logs give tokens, a sub-agent's own log included, which does not name the session."""
    path = lay(tmp_path, "claude.jsonl", CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b.jsonl")
    lay(tmp_path, "claude-subagent.jsonl", CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b/subagents/agent-a1.jsonl")
    clock = Clock(tmp_path, "claude")
    assert clock.usage() == Usage(input=600, output=120, unpriced=720)
    assert clock.log.identity == Identity("1086b166-3aa5-43c1-b50b-46532646a33b", str(path))


def test_blocks_of_one_message_count_once(tmp_path: Path) -> None:
    """Claude writes a message block by block, each with the usage of the whole."""
    path = lay(tmp_path, "claude.jsonl", CLAUDE / "1086b166-3aa5-43c1-b50b-46532646a33b.jsonl")
    path.write_bytes(b"".join(line * 3 for line in path.read_bytes().splitlines(keepends=True)))
    assert Clock(tmp_path, "claude").usage() == Usage(input=400, output=80, unpriced=480)


def test_gemini_is_understood(tmp_path: Path) -> None:
    """Gemini's chat gives tokens, though it writes a message again after its tools; the folder is known by its hash."""
    path = lay(tmp_path, "gemini.jsonl", GEMINI)
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
    path = lay(tmp_path, "qwen.jsonl", QWEN)
    clock = Clock(tmp_path, "qwen")
    assert clock.usage() == Usage(input=2400, cached=400, output=68, unpriced=2468)
    assert clock.log.identity == Identity("80cc7276-6d1d-49cf-8f78-2fcd12a63121", str(path))


def test_pi_is_understood(tmp_path: Path) -> None:
    """The log of pi gives tokens, what came from a cache apart from the rest, and a cost where it knows one."""
    path = lay(tmp_path, "pi.jsonl", PI)
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
    path = tmp_path / OPENCODE
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
    lay(tmp_path, "codex.jsonl", CODEX)
    assert clock.usage().tokens == 3150
    other = lay(tmp_path, "codex.jsonl", CODEX.parent / "rollout-2.jsonl")
    other.write_text(other.read_text().replace("01a20d29-f51e-7712-8880-2211f0beaf9a", "another"))
    assert clock.usage().tokens == 6300
    assert clock.log.identity == Identity("another", str(other))


def test_the_log_of_another_folder_is_not_ours(tmp_path: Path) -> None:
    """Where the log says that its agent works elsewhere, nothing of it counts, however it grows."""
    clock = Clock(tmp_path, "codex", worktree=Path("/home/ada/elsewhere"))
    path = lay(tmp_path, "codex.jsonl", CODEX)
    assert clock.usage() == Usage()
    with path.open("ab") as stream:
        stream.write((SAMPLES / "codex.jsonl").read_bytes())
    assert clock.usage() == Usage()
    assert clock.log.identity == Identity()


def test_a_log_from_before_the_session_is_not_ours(tmp_path: Path) -> None:
    """A worktree of the same path may have been another session's once."""
    path = lay(tmp_path, "codex.jsonl", CODEX)
    os.utime(path, (1000, 1000))
    assert Clock(tmp_path, "codex", since=2000.0).usage() == Usage()
    assert Clock(tmp_path, "codex", since=900.0).usage().tokens == 3150


def test_a_clock_that_was_put_back_hides_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that began in the future still finds what is written now."""
    clock = Clock(tmp_path, "codex", since=10_000_000_000.0)
    lay(tmp_path, "codex.jsonl", CODEX)
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
    (tmp_path / CODEX).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / CODEX)
    assert Clock(tmp_path, "codex").usage() == Usage()


def test_a_device_is_no_log() -> None:
    """What is no file, and would give bytes without end, gives none."""
    file = LogFile(Path("/dev/zero"))
    assert file.lines() == []
    assert file.read == 0


def test_a_log_that_is_not_ours_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session's log is looked into once, however often logs are looked for."""
    clock = Clock(tmp_path, "codex", worktree=Path("/home/ada/elsewhere"))
    lay(tmp_path, "codex.jsonl", CODEX)
    clock.poll()
    monkeypatch.setattr(os, "open", lambda *_args: pytest.fail("opened"))
    assert not clock.poll()


def test_a_log_that_does_not_say_whose_it_is_is_not_ours(tmp_path: Path) -> None:
    """A log that has not named its folder within many entries stays out, whatever it says later."""
    log_of(tmp_path / CODEX, [LINES[1]] * 300)
    clock = Clock(tmp_path, "codex")
    assert clock.usage() == Usage()
    with (tmp_path / CODEX).open("a") as stream:
        stream.write(f"{LINES[0]}\n{LINES[1]}\n")
    assert clock.usage() == Usage()


def test_an_old_directory_is_not_looked_into(tmp_path: Path) -> None:
    """Years of logs lie in directories that nothing was begun in since; they cost a stat each."""
    path = lay(tmp_path, "codex.jsonl", CODEX)
    os.utime(path.parent, (1000, 1000))
    assert find_logs([f"{path.parent}/*.jsonl"], 2000.0) == []
    assert find_logs([f"{path.parent}/*.jsonl"], 1000.0) == [path]
    assert find_logs([str(path)], 2000.0) == [path]


def test_a_conversation_that_is_over_is_not_named_again(tmp_path: Path) -> None:
    """After a fresh start only another session is ours to come back to, while the old log still counts."""
    clock = Clock(tmp_path, "codex")
    path = lay(tmp_path, "codex.jsonl", CODEX)
    clock.usage()
    clock.log.forget()
    with path.open("ab") as stream:
        stream.write((SAMPLES / "codex.jsonl").read_bytes())
    assert clock.usage().tokens == 6300
    assert clock.log.identity == Identity()


# From one supervisor to the next.


def test_a_new_supervisor_goes_on(tmp_path: Path) -> None:
    """The sums, the session and the place in each log outlive the supervisor; nothing is counted twice."""
    clock = Clock(tmp_path, "codex")
    path = lay(tmp_path, "codex.jsonl", CODEX)
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
    lay(tmp_path, "codex.jsonl", CODEX)
    assert Clock(tmp_path, "codex").usage().tokens == 3150


def test_a_full_disk_costs_only_what_a_crash_would_need(tmp_path: Path) -> None:
    """Where usage.json cannot be written, the sums go on in memory."""
    (tmp_path / "usage.json").mkdir()
    lay(tmp_path, "codex.jsonl", CODEX)
    clock = Clock(tmp_path, "codex")
    assert clock.usage().tokens == 3150
    clock.log.keep()


def test_places_are_records() -> None:
    """A place comes back from JSON as it was."""
    place = Place(5, skipping=True, head_bytes=3, head="ab")
    assert Place.from_json(place.to_json()) == place
