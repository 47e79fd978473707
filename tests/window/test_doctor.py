"""autoresearch_tui.doctor: each check against a machine that has the trouble it looks for."""

import importlib.metadata
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from autoresearch_tui import doctor
from autoresearch_tui.doctor import Check, gpu, logind, sandbox, software, surroundings
from harness.machine_sample import GpuProcess, GpuSample, MachineSample
from harness.nvml import MISMATCH, NO_LIBRARY
from harness.sandbox import Enforced


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def ended(status: int) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    return lambda command, **_options: subprocess.CompletedProcess(command, status, b"", b"")


def test_everything_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole list comes back from this very machine: names once each, one line each, and it is JSON."""
    monkeypatch.setenv("AUTORESEARCH_TUI_HOME", str(tmp_path / "home"))
    found = doctor.checks()
    names = [one.name for one in found]
    expected = "Python git torch GPU sandbox locale terminal state disk corpus agents logout"
    assert names == expected.split()
    assert all(one.detail and "\n" not in one.detail + one.mend for one in found)
    assert [Check.from_dict(one) for one in json.loads(json.dumps([asdict(one) for one in found]))] == found
    assert not (tmp_path / "home").exists()


def test_the_text_says_what_to_mend() -> None:
    """What is wrong has its command below it and its name in the last line; without any, the machine is ready."""
    fine, absent = Check("one", True, "there"), Check("two", None, "not there")
    assert doctor.render([fine, absent]).endswith("this machine is ready")
    text = doctor.render([fine, Check("three", False, "broken", "mend it")])
    assert "→ mend it" in text
    assert text.endswith("to mend: three")


def test_a_sandbox_with_holes() -> None:
    """What is open is named with its reason and what helps; where files are open it is to be mended, else a note."""
    whole = sandbox.check_sandbox(Enforced({"files": "Landlock 7", "network": "namespace"}))
    assert (whole.ok, whole.detail) == (True, "everything is confined: Landlock 7, namespace")
    root = sandbox.check_sandbox(Enforced({"files": "Landlock 7"}, {"number of processes": "root is not counted"}))
    assert root.ok is None
    assert root.detail == ("not confined: number of processes (root is not counted); run as another user than root")
    old = sandbox.check_sandbox(Enforced({}, {"files": "no Landlock", "number of processes": "root is not counted"}))
    assert old.ok is False
    assert "files (no Landlock), number of processes (root is not counted); boot Linux 5.13" in old.detail
    broken = sandbox.check_sandbox("confining a process ended it (exit status 1)")
    assert (broken.ok, "no run will start" in broken.detail) == (False, True)


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git on PATH, the system's own installer is named."""
    script(tmp_path / "apt-get", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    check = software.check_git()
    assert check.ok is False
    assert check.mend.endswith("apt-get install -y git")


@pytest.mark.parametrize(
    ("said", "ok"),
    [("git version 2.25.0", True), ("git version 3.0.1 (Vendor)", True), ("git version 2.9.5", False), ("oops", False)],
)
def test_an_old_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, ok: bool) -> None:
    """A git is judged by its version as numbers, not as text."""
    script(tmp_path / "git", f"#!/bin/sh\necho '{said}'\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert software.check_git().ok is ok


def test_a_git_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that cannot run is a finding, not an exception."""
    script(tmp_path / "git", "#!/bin/sh\nexit 3\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    check = software.check_git()
    assert (check.ok, "does not run" in check.detail) == (False, True)


@pytest.mark.parametrize(
    ("installed", "has_gpu", "ok"),
    [
        ("2.13.0", True, True),
        ("2.13.0+cu130", True, True),
        ("2.13.0+cpu", False, True),
        ("2.13.0+cpu", True, False),
        ("2.12.1", False, False),
        (None, False, False),
    ],
)
def test_torch(monkeypatch: pytest.MonkeyPatch, installed: str | None, has_gpu: bool, ok: bool) -> None:
    """The torch that counts is the version that this package pins, in a build that can use a GPU that is there."""

    def version(name: str) -> str:
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: ["kernels>=0.17", "torch==2.13.0"])
    check = software.check_torch(has_gpu=has_gpu)
    assert check.ok is ok
    assert ("torch==2.13.0" in check.mend) is not ok


def test_torch_is_pinned_by_this_package() -> None:
    """The pin that the check reads is really in the package's metadata."""
    assert any(one.startswith("torch==") for one in importlib.metadata.requires("autoresearch-tui") or [])


def test_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent is a note, not a failure; those on PATH are listed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert software.check_agents().ok is None
    script(tmp_path / "codex", "#!/bin/sh\n")
    script(tmp_path / "aider", "#!/bin/sh\n")
    assert software.check_agents() == Check("agents", True, "codex, aider")


def test_no_driver_is_no_failure() -> None:
    """A machine without a driver runs on its CPU; a driver that is there and does not work is a failure."""
    check, usable = gpu.check_gpu(MachineSample(at=1.0, gpu_error=NO_LIBRARY))
    assert (check.ok, usable) == (None, False)
    check, usable = gpu.check_gpu(MachineSample(at=1.0, gpu_error=MISMATCH))
    assert (check.ok, usable, "reboot" in check.mend) == (False, False, True)


def test_gpus_in_words() -> None:
    """Each GPU says its memory, who is on it and what slows it; a lost one beside it is a failure, the other usable."""
    busy = GpuSample(
        index=0, name="H100", memory_total=80 << 30, processes=[GpuProcess(7, None, None)], throttle=["power cap"]
    )
    check, usable = gpu.check_gpu(MachineSample(at=1.0, gpus=[busy]))
    assert (check.ok, usable) == (True, True)
    assert check.detail == "0: H100, 80 GiB, in use by 1 process, slowed down: power cap"
    check, usable = gpu.check_gpu(MachineSample(at=1.0, gpus=[busy, GpuSample(index=1, name="H100", lost=True)]))
    assert (check.ok, usable) == (False, True)
    assert check.detail.endswith("; 1: H100 is lost")
    silent = GpuSample(index=0, name="vGPU", unknown=["processes", "power_w", "sm_clock_mhz"])
    check, usable = gpu.check_gpu(MachineSample(at=1.0, gpus=[silent]))
    assert (check.ok, usable) == (True, True)
    assert check.detail.endswith("does not tell who else computes on it, its clock: no run will be marked for that")
    _, usable = gpu.check_gpu(MachineSample(at=1.0, gpus=[GpuSample(index=0, name="H100", lost=True)]))
    assert not usable


def test_a_driver_that_crashes_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that takes the asking process with it, or never answers, is a finding."""

    def hang(command: list[str], timeout: float, **_options: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    for run, words in ((ended(-11), "exit status -11"), (hang, "did not answer within 20 s")):
        monkeypatch.setattr(subprocess, "run", run)
        check, usable = gpu.check_gpu(gpu.machine_sample())
        assert (check.ok, usable) == (False, False)
        assert words in check.detail


@pytest.mark.parametrize(("codeset", "ok"), [("UTF-8", True), ("utf8", True), ("ANSI_X3.4-1968", False)])
def test_locale(codeset: str, ok: bool) -> None:
    """Only UTF-8 will do."""
    assert surroundings.check_locale(codeset).ok is ok


@pytest.mark.parametrize(
    ("size", "environment", "ok", "words"),
    [
        ((120, 40), {"TERM": "xterm-256color"}, True, "120x40, 256 colours"),
        ((80, 24), {"TERM": "xterm", "COLORTERM": "truecolor"}, True, "16 million colours"),
        ((80, 23), {"TERM": "xterm"}, False, "80x24"),
        ((79, 24), {"TERM": "xterm"}, False, "80x24"),
        ((120, 40), {"TERM": "dumb"}, False, "TERM=dumb"),
        ((120, 40), {}, False, "TERM="),
    ],
)
def test_terminal(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], environment: dict[str, str], ok: bool, words: str
) -> None:
    """A real pseudo-terminal is judged by its size and by what TERM says."""
    for name in ("TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        columns, rows = size
        termios.tcsetwinsize(terminal, (rows, columns))
        check = surroundings.check_terminal()
    assert check.ok is ok
    assert words in check.detail


def test_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal the window is not checked, and that is no failure."""
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert surroundings.check_terminal().ok is None


def test_state(tmp_path: Path) -> None:
    """A state directory is fine before it exists and when it is ours alone, and not when others may look in."""
    home = tmp_path / "state"
    assert surroundings.check_state(home).ok
    assert not home.exists()
    home.mkdir(mode=0o700)
    assert surroundings.check_state(home).ok
    home.chmod(0o755)
    check = surroundings.check_state(home)
    assert (check.ok, check.mend) == (False, f"chmod 700 {home}")
    subprocess.run(check.mend.split(), check=True)
    assert surroundings.check_state(home).ok


def test_state_that_cannot_be(tmp_path: Path) -> None:
    """A file in the way, or below one, is a finding that names another place."""
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        check = surroundings.check_state(home)
        assert check.ok is False
        assert check.mend.startswith("export AUTORESEARCH_TUI_HOME=")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_state_without_permission(tmp_path: Path) -> None:
    """A place that may not be written is a finding."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert surroundings.check_state(tmp_path / "state").ok is False


def test_state_path_is_measured_as_a_socket_path() -> None:
    """The longest directory that passes is the longest in which a session of the longest tag can bind its socket."""
    rest = len("/sessions/" + "t" * 24 + "/sock")
    longest = "/" + "x" * (103 - rest - 1)
    assert "too long" not in surroundings.check_state(Path(longest)).detail
    check = surroundings.check_state(Path(longest + "x"))
    assert (check.ok, "1 bytes too long" in check.detail) == (False, True)


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fullest of the places decides, also where they do not exist yet."""
    full = tmp_path / "full"
    full.mkdir()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: usage._replace(free=1 << 30 if Path(place) == full else 1 << 40)
    )
    assert surroundings.check_disk(tmp_path / "a" / "b").ok
    check = surroundings.check_disk(tmp_path / "a", full / "b")
    assert (check.ok, check.detail.startswith(f"1.0 GiB free at {full}")) == (False, True)


def test_corpus(tmp_path: Path) -> None:
    """No corpus is a note; a broken one is a failure with the command that makes it again."""
    check = surroundings.check_corpus(tmp_path / "corpus")
    assert (check.ok, check.mend) == (None, "autoresearch-tui prepare")
    (tmp_path / "manifest.json").write_text("{}")
    check = surroundings.check_corpus(tmp_path)
    assert (check.ok, check.mend) == (False, "autoresearch-tui prepare --fresh")


def system(root: Path, files: dict[str, str]) -> Path:
    (root / "run/systemd/system").mkdir(parents=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


ON = "[Login]\nKillUserProcesses=yes\n"
OFF = "[Login]\nKillUserProcesses=no\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"}, False),
        ({"etc/systemd/logind.conf": ON}, True),
        ({"usr/lib/systemd/logind.conf": ON}, True),
        ({"usr/lib/systemd/logind.conf": ON, "etc/systemd/logind.conf": "[Login]\n"}, False),
        ({"etc/systemd/logind.conf": ON, "usr/lib/systemd/logind.conf.d/50-a.conf": OFF}, False),
        ({"etc/systemd/logind.conf.d/10.conf": ON, "run/systemd/logind.conf.d/20.conf": OFF}, False),
        ({"etc/systemd/logind.conf.d/10.conf": ON, "run/systemd/logind.conf.d/10.conf": OFF}, True),
        ({"etc/systemd/logind.conf": "KillUserProcesses=yes\n"}, False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=1\nKillExcludeUsers=root ann\n"}, False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=1\nKillOnlyUsers=bob\n"}, False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=1\nKillOnlyUsers=ann bob\n"}, True),
    ],
)
def test_whose_processes_logind_kills(tmp_path: Path, files: dict[str, str], expected: bool) -> None:
    """Files are weighed as logind.conf(5) says: main file, drop-ins by name, /etc over /run over /usr."""
    assert logind.kills(logind.settings(system(tmp_path, files)), "ann") is expected


def test_root_is_spared_unless_said_otherwise() -> None:
    """The processes of root are excluded by default, which is what a rented box with only root relies on."""
    assert not logind.kills({"killuserprocesses": "yes"}, "root")
    assert logind.kills({"killuserprocesses": "yes", "killexcludeusers": ""}, "root")


@pytest.mark.parametrize(
    ("cgroup", "ok"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", False),
        ("1:name=systemd:/user.slice/user-1000.slice/session-c2.scope\n0::/\n", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope\n", True),
    ],
)
def test_what_a_logout_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, ok: bool) -> None:
    """With KillUserProcesses on, what runs in the login's scope is in danger, and what was moved out of it is not."""
    monkeypatch.setattr(surroundings, "_user", lambda: "ann")
    root = system(tmp_path, {"etc/systemd/logind.conf": ON, "proc/self/cgroup": cgroup})
    check = surroundings.check_login(root)
    assert check.ok is ok
    assert ("systemd-run --user --scope" in check.mend) is not ok


def test_no_systemd_ends_nothing(tmp_path: Path) -> None:
    """Without a running systemd its files do not matter."""
    (tmp_path / "etc/systemd").mkdir(parents=True)
    (tmp_path / "etc/systemd/logind.conf").write_text(ON)
    assert surroundings.check_login(tmp_path).ok
