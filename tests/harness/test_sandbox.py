"""The sandbox: what a process keeps, what it is told, and what a real run cannot reach."""

import contextlib
import fcntl
import inspect
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness import control_group
from harness.corpus import prepare
from harness.result import Outcome, RunRequest
from harness.runner import run
from harness.sandbox import FILES, SIGNALS, SIZE, Enforced, in_common, probe
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts

NOBODY = pwd.getpwnam("nobody").pw_uid
USERS = [os.getuid(), NOBODY] if os.getuid() == 0 else [os.getuid()]

TRAINING = """
import os, sys
from pathlib import Path
from harness.sandbox import Confinement, confine
uid, scratch = int(sys.argv[1]), Path(sys.argv[2])
if uid != os.getuid():  # who cannot read this Python must have imported everything before
    import torch, safetensors.torch, torch._dynamo, torch._inductor.config
    "".encode("ascii")
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    import ctypes; ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
confine(Confinement(writable=(scratch,), memory_bytes=1 << 30))
import tempfile
import torch, safetensors.torch, torch._dynamo, torch._inductor.config
model = torch.nn.Sequential(torch.nn.Embedding(50, 16), torch.nn.Linear(16, 50))
optimizer = torch.optim.AdamW(model.parameters())
for _ in range(3):
    tokens = torch.randint(50, (4, 9))
    torch.nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
    optimizer.step()
torch.save(model.state_dict(), "model.pt")
torch.load("model.pt", weights_only=True)
safetensors.torch.save_model(model, str(scratch / "weights.safetensors"))
with tempfile.NamedTemporaryFile() as stream:
    print(stream.name)
"""


@pytest.mark.parametrize("uid", USERS)
def test_torch_trains_inside(uid: int) -> None:
    """Torch is imported, trains, saves, and makes its temporary files in the scratch directory."""
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        os.chown(folder, uid, uid)
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", TRAINING, str(uid), folder],
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(folder)
        assert Path(folder, "model.pt").stat().st_mode & 0o077 == 0


def said_inside(code: str, *arguments: object, **environment: str) -> str:
    """What a fresh Python prints that runs `code`, with the names of the sandbox at hand."""
    prelude = "import fcntl, os, socket, sys, threading\nfrom pathlib import Path\nfrom harness.sandbox import *\n"
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", prelude + code, *map(str, arguments)],
        env=environment,
        input="the harness's own",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def test_threads_would_stay_free() -> None:
    """A process that has threads is not half confined but told so."""
    code = "threading.Thread(target=threading.Event().wait, daemon=True).start()\nconfine(Confinement())"
    assert "SandboxError: a process with 2 threads" in said_inside(code)


def test_no_link_is_followed_on_the_way_in(tmp_path: Path) -> None:
    """What a run left behind under an agreed name, and is a link to something else, is not made readable."""
    (tmp_path / "secret").write_text("a secret")
    (tmp_path / "weights").symlink_to(tmp_path / "secret")
    code = "confine(Confinement(readable=(Path(sys.argv[1]),)))\nprint(Path(sys.argv[1]).read_text())"
    assert "weights is a symbolic link" in said_inside(code, tmp_path / "weights")
    assert said_inside(code, tmp_path / "secret") == "a secret"


def test_a_place_to_write_to_must_be_there(tmp_path: Path) -> None:
    """A scratch directory that does not exist is an error, and what may be read and does not exist is none."""
    code = "confine(Confinement({}=(Path(sys.argv[1]),)))\nprint('confined')"
    assert "SandboxError: there is no directory" in said_inside(code.format("writable"), tmp_path / "none")
    assert said_inside(code.format("readable"), tmp_path / "none") == "confined"


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("lock", ["fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)", "fcntl.lockf(f, 6, 1)"])
def test_locks_tell_nothing_to_who_is_apart(tmp_path: Path, apart: bool, lock: str) -> None:
    """Whether another process has locked a file that both may read is not seen by one that must be told nothing."""
    shared = tmp_path / "shared"
    shared.write_text("x")
    code = f"""
confine(Confinement(readable=(Path(sys.argv[1]),), apart={apart}))
f = os.open(sys.argv[1], os.O_RDONLY)
try:
    {lock}
    print("granted")
except OSError:
    print("taken")
"""
    code = code.replace("lockf(f, 6, 1)", "lockf(f, fcntl.LOCK_SH | fcntl.LOCK_NB)")
    with shared.open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        fcntl.lockf(stream, fcntl.LOCK_EX)
        assert said_inside(code, shared) == ("granted" if apart else "taken")


def test_cuda_may_listen_and_nobody_may_call(tmp_path: Path) -> None:
    """Where a GPU is wanted, the driver's unix socket can be made; datagrams and calls to others stay refused."""
    code = """
confine(Confinement(writable=(Path(sys.argv[1]),), gpu=True))
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("\\0escape")
listener.listen()
refused = 0
for family, kind in ((socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_STREAM)):
    try:
        socket.socket(family, kind)
    except PermissionError:
        refused += 1
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("\\0escape")
except PermissionError:
    refused += 1
print(refused)
"""
    assert said_inside(code, tmp_path) == "3"


def test_the_input_is_empty_and_the_home_is_the_scratch(tmp_path: Path) -> None:
    """Nothing can be read from the harness's own input; home, temporary files and working directory are the scratch."""
    code = """
confine(Confinement(writable=(Path(sys.argv[1]),)))
print(repr(sys.stdin.read()), os.environ["HOME"] == os.environ["TMPDIR"] == os.getcwd() == sys.argv[1])
"""
    assert said_inside(code, tmp_path, HOME="/nowhere") == "'' True"


def test_a_library_path_that_is_a_home_is_not_readable() -> None:
    """A variable that names a whole home, or everything, opens neither."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    code = "from harness.readable_paths import python_paths\nprint(*python_paths())"
    paths = said_inside(code, LD_LIBRARY_PATH=f"/:{home}:/usr/share").split()
    assert "/usr/share" in paths
    assert not {"/", home, os.path.realpath(home)} & set(paths)


def test_what_several_processes_have_in_common() -> None:
    """What one of them lacks is lacking, with its reason; the line says what is confined by what."""
    full = Enforced({FILES: "Landlock 7", SIGNALS: "Landlock 7", SIZE: "1.0 GiB"})
    less = Enforced({SIGNALS: "a filter"}, {FILES: "no Landlock"})
    assert in_common([full, full]) == full
    assert in_common([full, less]) == Enforced({SIGNALS: "Landlock 7", SIZE: "1.0 GiB"}, {FILES: "no Landlock"})
    assert full.describe() == "files, signals: Landlock 7; size of files: 1.0 GiB"
    assert less.describe() == "signals: a filter; NOT CONFINED files: no Landlock"
    assert in_common([]).describe() == "nothing is confined"


def test_the_probe_says_what_a_run_would_get() -> None:
    """What the machine offers is found in a process of its own; this one stays free."""
    found = probe()
    assert isinstance(found, Enforced)
    assert found.held
    socket.socket().close()


# What it finds is said by its crash, which the result carries: `build_model` runs beside the trainer's clock and again
# in the model's process, `train` in the first alone.
CURIOUS = """
import os, socket
import torch
FORBIDDEN = {paths!r}
def look():
    got = []
    for path in FORBIDDEN + [f"/proc/{{os.getppid()}}/fd", f"/proc/{{os.getppid()}}/environ"]:
        try:
            got.append(os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
        except OSError:
            pass
    for path in FORBIDDEN:
        try:
            got.append(open(os.path.join(os.path.dirname(path), "planted"), "w"))
        except OSError:
            pass
    try:
        got.append(socket.socket())
    except OSError:
        pass
    assert not got, got
def build_model(spec):
    look()
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))
def train(model, run):
    for inputs, _targets in run.batches(1):
        model(inputs)
    look()
"""


def test_a_run_cannot_look_around(tmp_path: Path) -> None:
    """Neither process that runs the genome reaches the validation split, another session, the runner or the scorer."""
    paragraphs = [part for module in (contextlib, subprocess) for part in inspect.getsource(module).split("\n\n")]
    source = Texts(train=paragraphs, val=paragraphs)
    corpus = prepare(tmp_path / "corpus", EMBEDDED, lambda _line: None, source=lambda: source)
    for folder in ("scratch", "other session"):
        (tmp_path / folder).mkdir()
    (tmp_path / "other session" / "journal").write_text("private")
    forbidden = [*sorted(corpus.path.iterdir()), tmp_path / "other session" / "journal", tmp_path, Path.home()]
    (tmp_path / "train.py").write_text(CURIOUS.format(paths=[str(path) for path in forbidden]))
    request = RunRequest(
        run_id="curious",
        commit="c0ffee",
        genome=str(tmp_path / "train.py"),
        scratch=str(tmp_path / "scratch"),
        corpus=str(corpus.path),
        preset=EMBEDDED.name,
        budget_s=0.2,
        device="cpu",
    )
    result = run(request, lambda _record: None)
    assert (result.outcome, result.reason) == (Outcome.OK, "")


def unified(root: Path, *files: str) -> dict[str, Path]:
    """A tree like that of control groups, version 2, with a process in its group `mine`."""
    (root / "mine").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("memory pids")
    (root / "membership").write_text("0::/mine\n")
    for name in files:
        (root / "mine" / name).write_text("")
    return {"root": root, "membership": root / "membership"}


def test_a_control_group_that_cannot_bound_is_left(tmp_path: Path) -> None:
    """Where a new group has no file for a bound, nothing is said to hold and no group stays behind."""
    tree = unified(tmp_path / "cgroup")
    assert control_group.join({"memory": 1, "processes": 1}, **tree) == frozenset()
    assert list((tmp_path / "cgroup" / "mine").iterdir()) == []


def test_a_control_group_is_entered_with_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are written before this process enters, and empty groups that others left are gone."""
    tree = unified(tmp_path / "cgroup")
    mine = tmp_path / "cgroup" / "mine"
    (mine / "autoresearch-run-4194305").mkdir()  # no process has such a number (proc(5), pid_max)
    entering = mine / f"autoresearch-run-{os.getppid()}"
    entering.mkdir()
    made = Path.mkdir

    def mkdir(path: Path, *arguments: object, **options: object) -> None:
        made(path, *arguments, **options)  # type: ignore[arg-type]  # as it was called
        for name in ("memory.max", "pids.max"):
            (path / name).write_text("max")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert control_group.join({"memory": 123, "processes": 45}, **tree) == {"memory", "processes"}
    group = mine / f"autoresearch-run-{os.getpid()}"
    assert {path.name for path in mine.iterdir()} == {group.name, entering.name}
    assert {path.name: path.read_text() for path in group.iterdir()} == {
        "memory.max": "123",
        "pids.max": "45",
        "cgroup.procs": str(os.getpid()),
    }
