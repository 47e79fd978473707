"""The programs and packages that a session needs. Looked up, not loaded."""

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from typing import Final

from autoresearch_tui.doctor.check import Check, install
from harness.text import one_line

AGENTS: Final = ("codex", "claude", "opencode", "gemini", "aider", "qwen")
_DISTRIBUTION: Final = "autoresearch-tui"
# `git worktree` with everything that sessions do with it.
_GIT: Final = (2, 25)


def check_python() -> Check:
    """The interpreter that runs this, and every session and experiment; pip has refused one that is too old."""
    return Check("Python", True, f"{platform.python_version()} at {sys.executable}")


def check_git() -> Check:
    """A git that starts and is new enough."""
    path = shutil.which("git")
    if path is None:
        return Check("git", False, "not on PATH", install("git"))
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("git", False, f"{path} does not run: {one_line(str(error))}", install("git"))
    version = re.search(r"(\d+)\.(\d+)[.\d]*", said)
    if version is None or (int(version[1]), int(version[2])) < _GIT:
        return Check("git", False, f"{one_line(said)}; {_GIT[0]}.{_GIT[1]} or newer is needed", install("git"))
    return Check("git", True, f"{version[0]} at {path}")


def check_torch(*, has_gpu: bool) -> Check:
    """The version that this package names, in a build that can use the GPU where there is one."""
    named = (one.partition(";")[0].strip() for one in importlib.metadata.requires(_DISTRIBUTION) or [])
    wanted = next((one for one in named if re.match(r"torch\b", one)), "torch")
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Check("torch", False, "not installed", _pip(wanted))
    public, _, build = version.partition("+")
    if wanted.partition("==")[2] not in {"", public}:
        return Check("torch", False, f"{version}; val_bpb is comparable only within {wanted}", _pip(wanted))
    if has_gpu and build == "cpu":
        return Check("torch", False, f"{version} cannot use the GPU that is here", _pip(f"--force-reinstall {wanted}"))
    return Check("torch", True, version)


def check_agents() -> Check:
    """Coding agents on PATH. The demo needs none, nor does `new -- COMMAND`."""
    found = [name for name in AGENTS if shutil.which(name)]
    if found:
        return Check("agents", True, ", ".join(found))
    return Check("agents", None, f"none of {', '.join(AGENTS)} is on PATH; the demo brings its own")


def _pip(arguments: str) -> str:
    """The command that installs into the environment that runs this, also where uv made it without pip."""
    if importlib.util.find_spec("pip"):
        return f"{sys.executable} -m pip install {arguments}"
    return f"uv pip install --python {sys.executable} {arguments}"
