"""The agent's pseudo-terminal, with real programs, bad ones among them."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sessions import processes
from sessions.pty import BACKLOG, AgentPty, PtyError
from sessions.screen import Screen

ENV = {"PATH": os.environ["PATH"], "LINES": "7", "COLUMNS": "7", "TERM": "dumb", "MINE": "yes"}
QUICK_S = 0.15

Launch = Callable[..., AgentPty]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    agents: list[AgentPty] = []

    def start(*argv: str, cwd: Path = tmp_path, env: dict[str, str] = ENV, cols: int = 100, rows: int = 30) -> AgentPty:
        agents.append(AgentPty.launch(argv, cwd, env, cols, rows))
        return agents[-1]

    yield start
    for agent in agents:
        if agent.exit_status() is None:
            os.kill(agent.pid, signal.SIGKILL)
            os.waitid(os.P_PID, agent.pid, os.WEXITED)
        agent.close()


@pytest.fixture
def python(launch: Launch) -> Launch:
    """An agent that is a few lines of Python."""
    common = "import os, signal, subprocess, sys, time, tty\ndef say(text): print(text, flush=True)\n"
    return lambda code, **where: launch(sys.executable, "-I", "-c", common + code, **where)


def until(agent: AgentPty, mark: bytes | None) -> bytes:
    """What the agent writes up to and with `mark`; None: up to its end."""
    data = b""
    while mark is None or mark not in data:
        select.select([agent.fd], [], [])
        try:
            data += agent.read() or b""
        except EOFError:
            assert mark is None, data
            return data
    return data


def ended(agent: AgentPty) -> int | None:
    os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOWAIT)
    return agent.exit_status()


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_agent_gets_a_terminal_a_place_and_its_environment(python: Launch, tmp_path: Path) -> None:
    """It runs in its directory, with the environment it was given, in a terminal that is described rightly."""
    agent = python(
        "e = os.environ\nsay([os.getcwd(), tuple(os.get_terminal_size()), os.isatty(0), os.getsid(0) == os.getpid(),"
        "e['TERM'], e['COLORTERM'], e['MINE'], 'LINES' in e, 'COLUMNS' in e, len(os.listdir('/proc/self/fd'))])"
    )
    said = until(agent, None).decode().strip()
    assert said == str([str(tmp_path), (100, 30), True, True, "xterm-256color", "truecolor", "yes", False, False, 4])


def test_program_in_a_directory_with_odd_characters(launch: Launch, tmp_path: Path) -> None:
    """A path with blanks, quotes and backslashes is one program, also when it has no arguments."""
    odd = tmp_path / "it's \"a\\ b"
    odd.mkdir()
    (odd / "my agent").write_text('#!/bin/sh\necho "ran $# <$1>"\n')
    (odd / "my agent").chmod(0o755)
    assert until(launch(str(odd / "my agent")), None) == b"ran 0 <>\r\n"
    assert until(launch("./my agent", "a b $HOME", cwd=odd), None) == b"ran 1 <a b $HOME>\r\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["no-such-agent"], "no-such-agent is not on PATH"),
        (["./missing"], "no such program"),
        (["./plain"], "is not executable; `chmod"),
        (["./noise"], "cannot start ./noise: neither a program"),
        (["./lost"], "cannot start ./lost: No such file or directory"),
        (["."], "no such program|is not on PATH"),
        ([], "no command was given"),
        ([""], "no command was given"),
        (["sh", "a\0b"], "argument 1 of the command"),
        (["sh", "a\ud800b"], "argument 1 of the command"),
    ],
)
def test_bad_command_is_one_clear_line(launch: Launch, tmp_path: Path, argv: list[str], words: str) -> None:
    """What cannot be started says why, in one line, and leaves no process."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    for name, content in (("noise", b"\x00\x01\x02"), ("lost", b"#!/no/such/interpreter\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(PtyError, match=words) as caught:
        launch(*argv)
    assert "\n" not in str(caught.value)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_missing_directory_is_one_clear_line(launch: Launch, tmp_path: Path) -> None:
    """A working directory that is not there is named."""
    with pytest.raises(PtyError, match=f"no such directory: {tmp_path}/gone"):
        launch("sh", cwd=tmp_path / "gone")


def test_bad_variable_is_refused_without_its_value(launch: Launch) -> None:
    """An environment that cannot be passed on is refused by name; a value may be a secret."""
    with pytest.raises(PtyError, match="KEY") as caught:
        launch("sh", env=ENV | {"KEY": "se\0cret"})
    assert "cret" not in str(caught.value)


def test_directory_that_vanishes_leaves_no_copy_of_us(launch: Launch, tmp_path: Path, monkeypatch) -> None:
    """A failure between fork and exec is an error here, and the forked process does not go on as us."""
    monkeypatch.setattr(Path, "is_dir", lambda _self: True)
    with pytest.raises(PtyError, match=r"cannot start sh: .*No such file or directory"):
        launch("sh", cwd=tmp_path / "gone")
    assert not psutil.Process().children()


def test_agent_inherits_no_ignored_or_blocked_signal(launch: Launch) -> None:
    """What a detached supervisor ignores or blocks is the default again in the agent."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        said = until(launch("grep", "-E", "SigIgn|SigBlk", "/proc/self/status"), None)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        signal.signal(signal.SIGHUP, before)
    # Signals that the C library keeps to itself (32 and 33 with glibc) are not ours to change.
    ours = sum(1 << (number - 1) for number in signal.valid_signals())
    assert [int(mask, 16) & ours for mask in said.split()[1::2]] == [0, 0]


def test_silence_is_no_data_and_no_end(python: Launch) -> None:
    """An agent that writes nothing is read without waiting."""
    agent = python("say('ready'); signal.pause()")
    until(agent, b"ready\r\n")
    assert agent.read() is None


def test_flood_arrives_whole_and_in_order(python: Launch) -> None:
    """A megabyte, written faster than it is read, arrives complete before the end is told."""
    agent = python("tty.setraw(1)\nfor n in range(100_000): sys.stdout.write(f'{n:09d} ')")
    assert until(agent, None).split() == [b"%09d" % n for n in range(100_000)]
    with pytest.raises(EOFError):
        agent.read()


def test_one_read_takes_many_kernel_pieces_up_to_its_limit(python: Launch) -> None:
    """A read goes on past the 4095 bytes that the kernel gives at once, and stops at its limit."""
    agent = python("tty.setraw(1)\nwhile True: os.write(1, b'x' * 4096)")
    longest = 0
    while longest <= 4095:
        select.select([agent.fd], [], [])
        longest = max(longest, len(agent.read(9_000) or b""))
    assert longest <= 9_000


def test_bytes_that_are_no_text_pass(python: Launch) -> None:
    """Invalid UTF-8 and NUL come through as they are."""
    assert until(python(r"tty.setraw(1); os.write(1, b'\xff\x00\xc3(\x80')"), None) == b"\xff\x00\xc3(\x80"


def test_typing_reaches_the_agent(launch: Launch) -> None:
    """What is written is read by the agent, and its answer comes back."""
    agent = launch("cat")
    agent.write(b"hello\r")
    assert until(agent, b"hello\r\nhello\r\n") == b"hello\r\nhello\r\n"
    assert not agent.unsent


def test_long_text_is_delivered_as_the_agent_reads(python: Launch) -> None:
    """Much more than the terminal takes at once waits, and arrives complete by flushing."""
    agent = python(
        "tty.setraw(0); say('ready'); data = b''\nwhile len(data) < 300_000: data += os.read(0, 65536)\n"
        "say(f\"{data == b''.join(b'%09d ' % n for n in range(30_000))}.\")"
    )
    until(agent, b"ready")
    agent.write(b"".join(b"%09d " % n for n in range(30_000)))
    assert agent.unsent
    while agent.unsent:
        select.select([], [agent.fd], [])
        agent.flush()
    assert b"True." in until(agent, b"e.")


def test_query_is_answered_by_the_screen(python: Launch) -> None:
    """An agent that asks its terminal where the cursor is gets the screen's answer back through the terminal."""
    agent = python("tty.setraw(0); os.write(1, b'abc\\x1b[6n'); say(f'<{os.read(0, 100)!r}>')")
    screen = Screen(100, 30, agent.write)
    while ">" not in screen.text()[0]:
        select.select([agent.fd], [], [])
        screen.feed(agent.read() or b"")
    assert screen.text()[0] == r"abc<b'\x1b[1;4R'>"


def test_agent_that_never_reads_stops_nobody(python: Launch) -> None:
    """Typing never waits; past a megabyte it is refused whole, with a line that says why."""
    agent = python("tty.setraw(0); say('ready'); signal.pause()")
    until(agent, b"ready")
    agent.write(b"x" * (BACKLOG - 1))
    assert agent.unsent
    waiting = len(agent._backlog)
    with pytest.raises(PtyError, match=f"does not read its input; {waiting} bytes wait"):
        agent.write(b"y" * (BACKLOG - waiting + 1))
    assert len(agent._backlog) == waiting


def test_typing_to_the_dead_leaves_nothing_waiting(launch: Launch) -> None:
    """What is typed to an agent that has ended is dropped."""
    agent = launch("true")
    until(agent, None)
    agent.write(b"hello")
    assert not agent.unsent


def test_closed_terminal_touches_no_other_file(launch: Launch, tmp_path: Path) -> None:
    """After `close` nothing is done to a file that got the terminal's number, not even by closing again."""
    agent = launch("true")
    agent.close()
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    with other.open("r+b") as stream:
        os.dup2(stream.fileno(), agent.fd)
    try:
        agent.close()
        agent.write(b"hello")
        agent.resize(100, 30)
        with pytest.raises(EOFError):
            agent.read()
        assert (os.pread(agent.fd, 100, 0), os.lseek(agent.fd, 0, os.SEEK_CUR), agent.unsent) == (b"theirs", 0, False)
    finally:
        os.close(agent.fd)


@pytest.mark.parametrize(("code", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("pass", 0)])
def test_exit_status(python: Launch, code: str, status: int) -> None:
    """The status is the program's own, or its signal's negative; it is kept, and no zombie stays."""
    agent = python(code)
    assert ended(agent) == status
    assert agent.exit_status() == status
    assert not psutil.pid_exists(agent.pid)


def test_living_agent_has_no_exit_status(launch: Launch) -> None:
    """While it lives there is none."""
    assert launch("cat").exit_status() is None


@pytest.mark.parametrize(("asked", "given"), [((120, 40), (120, 40)), ((10, 3), (80, 24)), ((9999, 9999), (250, 80))])
def test_resize_is_told_and_clamped(python: Launch, asked: tuple[int, int], given: tuple[int, int]) -> None:
    """The agent is told its new size, which is never one that makes agents spin."""
    agent = python(
        "signal.signal(signal.SIGWINCH, lambda *_: os.write(1, f'{tuple(os.get_terminal_size())};'.encode()))\n"
        "say('ready')\nwhile True: signal.pause()"
    )
    until(agent, b"ready\r\n")
    assert agent.resize(*asked) == given
    assert str(given).encode() in until(agent, b";")


async def hung_up(agent: AgentPty, grace_s: float = QUICK_S) -> int | None:
    """End it while reading on, as a supervisor does."""
    loop = asyncio.get_running_loop()

    def drain() -> None:
        try:
            agent.read()
        except EOFError:
            loop.remove_reader(agent.fd)

    loop.add_reader(agent.fd, drain)
    try:
        return await agent.hang_up(grace_s)
    finally:
        loop.remove_reader(agent.fd)


async def test_polite_agent_says_goodbye(python: Launch) -> None:
    """SIGHUP comes first, and an agent that handles it ends in its own way."""
    agent = python(
        "signal.signal(signal.SIGHUP, lambda *_: (os.write(1, b'bye'), os._exit(7)))\n"
        "say('ready')\nwhile True: signal.pause()"
    )
    until(agent, b"ready\r\n")
    assert await agent.hang_up(20) == 7
    assert until(agent, b"bye") == b"bye"


@pytest.mark.parametrize(("ignored", "status"), [([], -1), (["SIGHUP"], -15), (["SIGHUP", "SIGTERM"], -9)])
async def test_ladder_goes_as_far_as_it_must(python: Launch, ignored: list[str], status: int) -> None:
    """SIGHUP, then SIGTERM, then SIGKILL: no further than the agent makes necessary."""
    ignore = "".join(f"signal.signal(signal.{name}, signal.SIG_IGN)\n" for name in ignored)
    agent = python(ignore + "say('ready')\nwhile True: signal.pause()")
    until(agent, b"ready")
    assert await hung_up(agent) == status


async def test_agent_that_floods_and_ignores_is_ended(python: Launch) -> None:
    """An agent that writes without end and ignores what can be ignored is ended all the same."""
    agent = python(
        "for s in (1, 15): signal.signal(s, signal.SIG_IGN)\nsay('ready')\nwhile True: os.write(1, b'flood ' * 500)"
    )
    until(agent, b"flood")
    assert await hung_up(agent) == -9


async def test_stopped_agent_is_ended(python: Launch) -> None:
    """A suspended agent wakes up to its signal."""
    agent = python("say('ready'); os.kill(os.getpid(), signal.SIGSTOP); signal.pause()")
    until(agent, b"ready")
    os.waitid(os.P_PID, agent.pid, os.WSTOPPED)
    assert await hung_up(agent, grace_s=20) == -1


CHILDREN = """
def child(**how):
    return subprocess.Popen(['sleep', '1000'], **how).pid
stubborn = "import signal; [signal.signal(s, signal.SIG_IGN) for s in (1, 15)]; print('up', flush=True); signal.pause()"
deaf = subprocess.Popen([sys.executable, '-I', '-c', stubborn], process_group=0, stdout=subprocess.PIPE)
deaf.stdout.readline()
orphan = int(subprocess.check_output(['sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!']))
say(('pids', child(), child(process_group=0), child(start_new_session=True), deaf.pid, orphan, 'end'))
"""


def pids(said: bytes) -> list[int]:
    return [int(one) for one in said.decode().split("('pids', ")[1].split(", 'end'")[0].split(", ")]


@pytest.mark.parametrize("leaves_first", [False, True])
async def test_nobody_is_left_behind(python: Launch, leaves_first: bool) -> None:
    """Children in its group, in another one, an orphan and a deaf one end with it, also when it ended before them."""
    agent = python(CHILDREN + ("os._exit(5)" if leaves_first else "signal.pause()"))
    family = pids(until(agent, b"'end'"))
    left_before = [family.pop(2)] if leaves_first else []  # in a session of its own, below nobody: out of reach
    if leaves_first:
        ended(agent)
    status = await hung_up(agent)
    assert (status, [pid for pid in family if alive(pid)]) == (5 if leaves_first else -1, [])
    for pid in left_before:
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)


async def test_hanging_up_twice_is_harmless(launch: Launch) -> None:
    """An agent that is gone is not ended again, and its status stays."""
    agent = launch("cat")
    first = await hung_up(agent, grace_s=20)
    assert (first, await agent.hang_up(20)) == (-1, -1)


@pytest.mark.parametrize("kernel_lists_children", [True, False])
def test_commands_started_since_the_prompt_are_busy(python: Launch, monkeypatch, kernel_lists_children: bool) -> None:
    """A process below the agent counts while it runs, if it began after the prompt; a zombie does not."""
    monkeypatch.setattr(processes, "_LISTS_CHILDREN", processes._LISTS_CHILDREN and kernel_lists_children)
    agent = python(
        "server = subprocess.Popen(['sleep', '1000'])\nsay('ready')\nsys.stdin.readline()\n"
        "command = subprocess.Popen(['sh', '-c', 'sleep 1000; true'], process_group=0)\n"
        "say('started')\nsys.stdin.readline()\n"
        "os.killpg(command.pid, 9); os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)\n"
        "say('ended')\nsignal.pause()"
    )
    launched = time.time() - 5
    until(agent, b"ready\r\n")
    assert agent.busy_children(launched)  # its server, by the clock of that time
    prompted = psutil.Process(agent.pid).children()[0].create_time() + 1.5
    while time.time() < prompted:  # ticks of 10 ms: let the prompt be clearly later than the server
        select.select([], [], [], prompted - time.time())
    assert not agent.busy_children(prompted)
    agent.write(b"\r")
    until(agent, b"started\r\n")
    assert agent.busy_children(prompted)
    agent.write(b"\r")
    until(agent, b"ended\r\n")
    assert not agent.busy_children(prompted)


def test_ended_agent_has_no_busy_children(launch: Launch) -> None:
    """Once the agent has ended, nobody works for it."""
    agent = launch("true")
    ended(agent)
    assert not agent.busy_children(0.0)
