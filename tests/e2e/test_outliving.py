"""What a supervisor survives, and what survives a supervisor, with a real agent in a real terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sessions import store
from sessions.client import ask
from sessions.overview import overview
from sessions.store import find_session
from tests.e2e.following import kinds, until

pytestmark = pytest.mark.timeout(120)

# An agent that says what it is told, and never starts an experiment.
ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin:\n    print('heard', line, flush=True)\n"
# Submits an experiment, is cut off from its answer, stops, and notes the prompt that comes then.
CUT_OFF = """
import pathlib, subprocess, sys
print('ready', flush=True)
sys.stdin.readline()
genome = pathlib.Path('train.py')
genome.write_text(genome.read_text() + '# changed\\n')
command = subprocess.Popen(['autoresearch-tui', 'try', '-m', 'a change'], stdout=subprocess.PIPE, text=True)
print(command.stdout.readline(), flush=True)
command.kill()
command.wait()
print('My shell was cut off. Should I go on?', flush=True)
print('heard', sys.stdin.readline(), flush=True)
sys.stdin.readline()
"""


def new(home: Path, *words: str) -> list[str]:
    """The command that starts a session with the echoing agent."""
    agent = [sys.executable, "-c", ECHO]
    command = [sys.executable, "-m", "autoresearch_tui", "new", "--detach", "--tag", "t", "--idle-nudges", "1"]
    return [*command, "--lab", str(home / "lab"), *words, "--", *agent]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def test_it_outlives_its_terminal(home: Path) -> None:
    """A session started in a terminal that is then torn away (SIGHUP to everyone in it) goes on, agent and all."""
    child, terminal = pty.fork()
    if child == 0:  # the login shell's place: it starts a session, says so, and waits for its terminal's end
        subprocess.run(new(home), check=False)
        os.write(1, b"started\n")
        signal.pause()
    reader = threading.Thread(target=_drain_until, args=(terminal, b"started"))
    reader.start()
    reader.join(60)
    session = find_session("t")
    before = ask(session, "status")
    os.close(terminal)  # the kernel hangs the terminal up
    os.waitpid(child, 0)
    after = ask(session, "status")
    assert after["pid"] == before["pid"]
    assert after["agent_pid"] == before["agent_pid"] != 0


def _drain_until(terminal: int, mark: bytes) -> None:
    seen = b""
    while mark not in seen:
        seen += os.read(terminal, 4096)


def test_a_killed_supervisor_comes_back_with_its_records(home: Path) -> None:
    """After kill -9 the agent ends too and the session is dead; `resume` brings it back with its experiments."""
    assert run(*new(home)).returncode == 0
    session = find_session("t")
    before = until(session, lambda status: status["phase"] == "parked")
    supervisor = psutil.Process(before["pid"])
    agent = psutil.Process(before["agent_pid"])
    supervisor.kill()
    psutil.wait_procs([supervisor, agent], timeout=20)
    assert not agent.is_running()
    assert overview(session).phase == "dead"
    numbers = [json.loads(line)["number"] for line in session.experiments.read_text().splitlines()]
    done = run(sys.executable, "-m", "autoresearch_tui", "resume", "t")
    assert done.returncode == 0, done.stderr
    after = until(session, lambda status: status["phase"] == "parked")
    assert after["pid"] != before["pid"]
    assert [json.loads(line)["number"] for line in session.experiments.read_text().splitlines()] == numbers == [0]
    assert kinds(session).count("started") == 2
    assert after["nudges"] > before["nudges"]


def test_nudges_stop_at_the_cap(home: Path) -> None:
    """An agent that answers but tries nothing is nudged as often as was asked, then the session parks and says why."""
    assert run(*new(home)).returncode == 0
    session = find_session("t")
    status = until(session, lambda one: one["phase"] == "parked")
    assert status["nudges"] == 1
    assert "without a new experiment" in status["phase_reason"]


def test_a_persons_nudge_reaches_the_agent(home: Path) -> None:
    """`nudge TEXT` is typed into the agent's terminal, also with control characters, which are left out."""
    assert run(*new(home, "--idle-nudges", "3")).returncode == 0
    done = run(sys.executable, "-m", "autoresearch_tui", "nudge", "t", "try \x1b[31ma wider model")
    assert done.returncode == 0, done.stderr
    session = find_session("t")
    until(session, lambda status: "try a wider model" in status["last_nudge"])


def test_an_agent_that_ends_at_once_is_said_and_leaves_nothing(home: Path) -> None:
    """`new` with an agent that fails exits 1 with its last words; session, worktree and branch are gone again."""
    command = [
        sys.executable,
        "-m",
        "autoresearch_tui",
        "new",
        "--detach",
        "--tag",
        "t",
        "--lab",
        str(home / "lab"),
        "--",
    ]
    done = run(*command, sys.executable, "-c", "import sys; sys.exit('no API key')")
    assert done.returncode == 1
    assert "ended at once: exit status 1, 'no API key'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert store.session_dirs() == []
    branches = run("git", "-C", str(home / "lab"), "branch", "--list", "autoresearch/*")
    assert branches.stdout == ""
    assert run(*new(home)).returncode == 0  # the same tag serves


def test_stop_ends_everything(home: Path) -> None:
    """After `stop` the agent is gone, the lock is free, and the session says that it was stopped."""
    assert run(*new(home)).returncode == 0
    session = find_session("t")
    agent = psutil.Process(ask(session, "status")["agent_pid"])
    done = run(sys.executable, "-m", "autoresearch_tui", "stop", "t")
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert not agent.is_running()
    assert overview(session).phase == "stopped"
    assert kinds(session)[-1] == "stopped"


def test_a_verdict_that_the_agent_missed_is_its_next_nudge(home: Path) -> None:
    """When `try` is killed the run goes on; its verdict is typed to the agent, and `try --wait` gives it again."""
    command = new(home)
    command[command.index("--") + 1 :] = [sys.executable, "-c", CUT_OFF]
    assert run(*command).returncode == 0
    session = find_session("t")
    status = until(session, lambda one: "Your experiment has ended" in one["last_nudge"])
    assert status["nudges"] == 1
    assert status["total"] == 1
    entries = [json.loads(line) for line in session.journal.read_text().splitlines()]
    [nudge] = [one for one in entries if one["kind"] == "nudge" and one["what"] == "result"]
    [verdict] = [one for one in entries if one["kind"] == "verdict" and one["number"] == 1]
    assert nudge["at"] >= verdict["at"]
    again = run(sys.executable, "-m", "autoresearch_tui", "try", "--wait", "--session", "t")
    assert again.returncode == 0, again.stderr
    assert "experiment:       1\n" in again.stdout
    assert "verdict:          crash\n" in again.stdout


def test_an_interrupted_start_leaves_nothing(home: Path) -> None:
    """Ctrl-C while `new` waits for its supervisor ends that too: no session, no branch, no process."""
    command = new(home)
    # What a shell starts with & ignores Ctrl-C, and so would all that these tests start; a person's command does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    starting = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, before)
    socket = home / "sessions" / "t" / "sock"
    while not socket.exists():  # bounded by the test's own time
        assert starting.poll() is None
    os.killpg(starting.pid, signal.SIGINT)
    assert starting.wait(timeout=60) == 130
    assert store.session_dirs() == []
    assert run("git", "-C", str(home / "lab"), "branch", "--list", "autoresearch/*").stdout == ""
    for process in psutil.process_iter(["cmdline"]):
        assert str(home / "sessions" / "t") not in " ".join(process.info["cmdline"] or [])


def test_a_nudge_that_was_kept_survives_a_stop(home: Path) -> None:
    """A nudge asked for while paused is typed after stop and resume."""
    assert run(*new(home, "--idle-nudges", "3")).returncode == 0
    for words in (["pause", "t"], ["nudge", "t", "use a smaller batch"], ["stop", "t"], ["resume", "t"]):
        done = run(sys.executable, "-m", "autoresearch_tui", *words)
        assert done.returncode == 0, done.stderr
    until(find_session("t"), lambda status: "use a smaller batch" in status["last_nudge"])


def test_a_lab_without_a_genome_is_refused(home: Path) -> None:
    """A repository that holds no train.py is refused by name before anything of a session is made."""
    bare = home / "bare"
    bare.mkdir()
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "base"]):
        subprocess.run(["git", *identity, *words], cwd=bare, check=True)
    command = [sys.executable, "-m", "autoresearch_tui", "new", "--detach", "--lab", str(bare), "--", "cat"]
    done = run(*command)
    assert done.returncode == 1
    assert "has no train.py" in done.stderr
    assert store.session_dirs() == []
