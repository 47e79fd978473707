"""Ending what a process started, and sparing what it should."""

import subprocess
import sys

import psutil

from harness.child_process import describe_end
from harness.process_tree import adopting_orphans, children, end_descendants

# Says its pid and that of a grandchild, in sessions of their own; the one between them ends, or waits if asked to.
FAMILY = """
import os, signal, sys
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write, str(os.getpid()).encode())
        signal.pause()
    os._exit(0)
os.waitpid(child, 0)
print(os.read(read, 20).decode(), flush=True)
signal.pause()
"""


def start() -> tuple[subprocess.Popen[str], int]:
    """A child, and the pid of the orphan that it has made."""
    child = subprocess.Popen([sys.executable, "-I", "-c", FAMILY], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as said:
        return child, int(said.readline())


def test_descendants_end_and_spared_children_do_not() -> None:
    """Children, grandchildren and adopted orphans end; a spared child goes on."""
    with subprocess.Popen(["sleep", "60"]) as spared:
        with adopting_orphans():
            child, orphan = start()
            assert {child.pid, orphan, spared.pid} <= children()
            assert end_descendants({spared.pid}) == []
            assert child.wait(timeout=10) is not None
            assert not psutil.pid_exists(orphan)
            assert spared.poll() is None
            assert end_descendants({spared.pid}) == []  # nothing left to do
        spared.kill()


def test_an_end_is_told_in_words() -> None:
    """An exit status, a signal by its name, one without a name by its number."""
    assert describe_end(3) == "exit status 3"
    assert describe_end(-11) == "killed by SIGSEGV"
    assert describe_end(-9) == "killed by SIGKILL (out of memory?)"
    assert describe_end(-40) == "killed by signal 40"
