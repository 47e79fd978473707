"""Files: to read, to write, to change what is said of them."""

import ctypes
import os
from pathlib import Path

from harness.sandbox import ATTRIBUTES, FILES
from tests.harness.escapes.attempt import CALLS, CONTENT, Surroundings, against, must


@against(FILES)
def read_a_file(at: Surroundings) -> None:
    must(at.own.read_text() == CONTENT)


@against(FILES)
def list_a_directory(at: Surroundings) -> None:
    must(list((at.place / "outside").iterdir()))


@against(FILES)
def list_processes(_at: Surroundings) -> None:
    must(list(Path("/proc").iterdir()))


@against(FILES)
def read_through_a_symbolic_link(at: Surroundings) -> None:
    (at.scratch / "link").symlink_to(at.own)
    must((at.scratch / "link").read_text() == CONTENT)


@against(FILES)
def read_through_a_hard_link(at: Surroundings) -> None:
    (at.scratch / "hard").hardlink_to(at.own)
    must((at.scratch / "hard").read_text() == CONTENT)


@against(FILES)
def read_through_the_root_of_a_process(at: Surroundings) -> None:
    must(Path(f"/proc/self/root{at.own}").read_text() == CONTENT)


@against(FILES)
def read_after_a_change_of_directory(at: Surroundings) -> None:
    os.chdir(at.place / "outside")
    must(Path(at.own.name).read_text() == CONTENT)


@against(FILES)
def write_a_file(at: Surroundings) -> None:
    at.own.write_text("forged")


@against(FILES)
def make_a_file(at: Surroundings) -> None:
    at.own.with_suffix(".new").write_text("planted")


@against(FILES)
def truncate_a_file(at: Surroundings) -> None:
    os.truncate(at.own, 1)


@against(FILES)
def remove_a_file(at: Surroundings) -> None:
    at.own.unlink()


@against(FILES)
def move_a_file_in(at: Surroundings) -> None:
    at.own.rename(at.scratch / "moved")


@against(FILES)
def move_a_file_out(at: Surroundings) -> None:
    (at.scratch / "mine").write_text("planted")
    (at.scratch / "mine").rename(at.own)


@against(FILES)
def write_through_a_symbolic_link(at: Surroundings) -> None:
    (at.scratch / "way out").symlink_to(at.own)
    (at.scratch / "way out").write_text("forged")


@against(FILES)
def write_to_shared_memory(_at: Surroundings) -> None:
    path = Path("/dev/shm", f"escape-{os.getpid()}")  # noqa: S108 - it must be refused
    path.write_text("a message")
    path.unlink()


@against(FILES)
def write_to_temporary_files(_at: Surroundings) -> None:
    path = Path("/tmp", f"escape-{os.getpid()}")  # noqa: S108 - it must be refused
    path.write_text("a message")
    path.unlink()


@against(ATTRIBUTES)
def change_a_mode(at: Surroundings) -> None:
    at.own.chmod(0o777)


@against(ATTRIBUTES)
def change_the_mode_of_a_directory(at: Surroundings) -> None:
    (at.place / "outside" / "folder").chmod(0o777)


@against(ATTRIBUTES)
def change_a_mode_by_a_descriptor(at: Surroundings) -> None:
    # A file that may be read can be opened, and its owner can change it through that.
    os.fchmod(os.open(at.place / "tools" / "own", os.O_RDONLY), 0o755)


@against(ATTRIBUTES)
def change_an_owner(at: Surroundings) -> None:
    os.chown(at.own, os.getuid(), os.getgid())


@against(ATTRIBUTES)
def change_times(at: Surroundings) -> None:
    os.utime(at.own, (0, 0))


@against(ATTRIBUTES)
def set_an_attribute(at: Surroundings) -> None:
    os.setxattr(at.own, "user.message", b"1")


@against(FILES)
def make_a_pipe_with_a_name(at: Surroundings) -> None:
    os.mkfifo(at.scratch / "pipe")


@against(CALLS)
def watch_who_reads(_at: Surroundings) -> None:
    must(ctypes.CDLL(None, use_errno=True).inotify_init() >= 0)
