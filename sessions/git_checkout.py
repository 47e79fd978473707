"""Git, run in one place and disarmed. The only module that imports GitPython; it knows nothing of experiments.

An agent can edit the configuration of the repository that it works in, and git runs programs that are named
there. None of them is run from here: no hook, file system monitor, filter, external diff, signing program or
network transport. What the agent's own git does is the agent's affair.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from harness.errors import ClearError
from harness.text import one_line

OUTPUT_LIMIT: Final = 1 << 20
_OLDEST_GIT: Final = (2, 31)  # takes configuration from the environment, whatever its keys are called
_IDENTITY: Final = ("autoresearch-tui", "autoresearch-tui@localhost")
_DISK_FULL: Final = ("No space left on device", "Disk quota exceeded")

_CONFIGURATION: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.bare": "false",
    "core.autocrlf": "false",
    "core.sparseCheckout": "false",
    "core.quotePath": "false",
    "core.bigFileThreshold": "1m",  # a larger file is binary in a diff, and is not held in memory
    "gc.auto": "0",
    "color.ui": "false",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
}
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # a list of those allowed: none
}
# A program that was started from a git hook finds these set, and they would point every command elsewhere.
_MISLEADING: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)


class LabError(ClearError):
    """A repository that is not what it should be, or git failed; one line. `disk_full`: it may work later."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text, 400))
        self.disk_full = any(sign in text for sign in _DISK_FULL)


def _gitpython() -> Any:
    """The module `git`, if there is a git to go with it."""
    for name in _MISLEADING:
        os.environ.pop(name, None)
    try:
        import git
    except ImportError:  # GitPython looks for the program when it is imported
        raise LabError("git is not installed, or not on PATH; install it (for example: apt install git)") from None
    return git


@contextlib.contextmanager
def _present(git: Any) -> Iterator[None]:
    """What runs in this needs the git program, which may have gone since GitPython saw it, and the disk."""
    try:
        yield
    except git.GitCommandNotFound:
        raise LabError("git is gone from PATH; install it (for example: apt install git)") from None
    except OSError as error:
        raise LabError(f"git cannot do its work: {error}") from None


@dataclass(frozen=True)
class Checkout:
    """A working tree and the git directory that belongs to it: calling it runs git there.

    Attributes:
        work_tree: where commands run.
        git_dir: the git directory; None: as git finds it, which trusts the working tree's `.git`.
        settings: configuration that goes beyond ours, for this repository.
    """

    work_tree: Path
    git_dir: Path | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def hardened(self) -> "Checkout":
        """The same without the filters that the repository configures: they are programs, run on add and checkout."""
        names = self("config", "--name-only", "-z", "--get-regexp", r"^filter\.", allowed=(0, 1)).split("\0")
        values = {"clean": "", "smudge": "", "process": "", "required": "false"}
        off = {(name, values[last]) for name in names if (last := name.rpartition(".")[2]) in values}
        return Checkout(self.work_tree, self.git_dir, tuple(sorted(off)))

    def _environment(self, index: Path | None) -> dict[str, str]:
        count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)  # the person's own come before ours
        pairs = [*_CONFIGURATION.items(), *self.settings]
        variables = {**_ENVIRONMENT, "GIT_CONFIG_COUNT": str(count + len(pairs))}
        for number, (key, value) in enumerate(pairs, count):
            variables[f"GIT_CONFIG_KEY_{number}"] = key
            variables[f"GIT_CONFIG_VALUE_{number}"] = value
        return variables if index is None else {**variables, "GIT_INDEX_FILE": str(index)}

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        where = [] if self.git_dir is None else [f"--git-dir={self.git_dir}", f"--work-tree={self.work_tree}"]
        return ["git", *where, *arguments]

    def __call__(
        self,
        *arguments: str,
        index: Path | None = None,
        allowed: tuple[int, ...] = (0,),
        variables: dict[str, str] | None = None,
    ) -> str:
        """Run git and return what it printed, its last newline cut off.

        Args:
            arguments: the command line after `git`.
            index: the index file to use; None: the checkout's.
            allowed: exit statuses that are no failure.
            variables: added to the environment.

        Raises:
            LabError: it failed, or there is no git, or no such working tree.
        """
        git = _gitpython()
        if not self.work_tree.is_dir():  # GitPython would run it in our own working directory
            raise LabError(f"the folder {self.work_tree} is gone")
        with _present(git):
            status, out, err = git.Git(str(self.work_tree)).execute(
                self._command(arguments),
                env={**self._environment(index), **(variables or {})},
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
            )
        if status not in allowed:
            raise LabError(f"git {arguments[0]} failed: {_complaint(str(err)) or f'exit status {status}'}")
        return os.fsdecode(out)

    def listed(self, *arguments: str, index: Path | None = None) -> list[str]:
        """Run git and split what it printed at NUL bytes."""
        return [one for one in self(*arguments, index=index).split("\0") if one]

    def capped(self, *arguments: str, index: Path | None = None) -> str:
        """Run git (a diff: exit status 1 is no failure) and return what it printed, cut off at `OUTPUT_LIMIT` bytes."""
        git = _gitpython()
        # A diff complains in a few lines, if at all: they fit into the pipe that is read last.
        with _present(git):
            wrapper = git.Git(str(self.work_tree)).execute(
                self._command(arguments), as_process=True, env=self._environment(index)
            )
        process = wrapper.proc
        data = process.stdout.read(OUTPUT_LIMIT + 1)
        cut = len(data) > OUTPUT_LIMIT
        if cut:
            process.kill()
        _, err = process.communicate()
        if not cut and process.returncode not in {0, 1}:
            raise LabError(f"git {arguments[0]} failed: {_complaint(os.fsdecode(err))}")
        text = str(data[:OUTPUT_LIMIT].decode("utf-8", "replace"))
        return f"{text}\n… cut off after {OUTPUT_LIMIT >> 20} MiB\n" if cut else text

    @contextlib.contextmanager
    def index_of(self, commit: str) -> Iterator[Path]:
        """An index of our own that holds a commit: the checkout's may say that files are unchanged which are not."""
        with tempfile.TemporaryDirectory(prefix="autoresearch-", dir=self.git_dir) as folder:
            index = Path(folder) / "index"
            self("read-tree", commit, index=index)
            self("update-index", "-q", "--really-refresh", index=index, allowed=(0, 1))
            yield index

    def resolve(self, name: str) -> str | None:
        """The full id of the commit that a ref or an id names; None where there is none."""
        return self("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", allowed=(0, 1, 128)) or None

    def commit_tree(self, index: Path | None, message: str, *parents: str) -> str:
        """Make a commit of an index, by the person's name where git knows one, and return its full id."""
        tree = self("write-tree", index=index)
        known = all(self("config", "--get", key, allowed=(0, 1)) for key in ("user.name", "user.email"))
        roles = () if known else ("AUTHOR", "COMMITTER")
        parts = tuple(zip(("NAME", "EMAIL"), _IDENTITY, strict=True))
        variables = {f"GIT_{role}_{part}": text for role in roles for part, text in parts}
        on = [word for parent in parents for word in ("-p", parent)]
        return self("commit-tree", "--no-gpg-sign", tree, *on, "-m", message, variables=variables)

    def export(self, commit: str, into: Path) -> None:
        """Write a commit's regular files into a new directory, byte by byte; links and submodules are left out.

        Raises:
            LabError: there is no such commit, it holds a path that leads outside, or the files cannot be written.
        """
        git = _gitpython()
        with _present(git), git.Repo(self.git_dir or self.work_tree) as repository:
            into.mkdir(mode=0o700)
            repository.git.update_environment(**self._environment(None))
            try:
                for item in repository.commit(commit).tree.traverse():
                    if item.type == "blob" and item.mode & 0o170000 == 0o100000:  # a link's type says otherwise
                        with _inside(into, str(item.path)).open("xb") as stream:
                            item.stream_data(stream)
            except (ValueError, git.BadObject, git.exc.ODBError) as error:
                raise LabError(f"the commit {commit[:7]} cannot be read: {error}") from None


def _inside(folder: Path, name: str) -> Path:
    """The place of a repository's path below a folder, the directories above it made."""
    path = PurePosixPath(name)
    if path.is_absolute() or not {"..", ".git"}.isdisjoint(path.parts):
        raise LabError(f"a commit holds a path that leads outside: {name}")
    target = folder / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return target


def _complaint(stderr: str) -> str:
    """What git complained about: its errors without its hints."""
    lines = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:"))]
    return "; ".join(line.split(":", 1)[1].strip() for line in lines[:3]) or one_line(stderr)


def enclosing_repository(path: Path) -> Path | None:
    """The top of the repository around a directory; None where there is none.

    Raises:
        LabError: no such directory, a bare repository, or a git that is missing or too old.
    """
    git = _gitpython()
    if not path.is_dir():
        raise LabError(f"there is no folder {path}")
    with _present(git):
        version = git.Git().version_info
    if version < _OLDEST_GIT:
        found, needed = (".".join(map(str, one)) for one in (version, _OLDEST_GIT))
        raise LabError(f"git {found} is too old; {needed} or newer is needed")
    try:
        with git.Repo(path, search_parent_directories=True) as repository:
            if repository.bare:
                raise LabError(f"{path} is a bare repository; clone it, and name the clone")
            return Path(repository.working_dir)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        return None
