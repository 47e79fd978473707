"""Labs: what a person's repository must be for a session, its worktrees, and what is shown of its changes.

It starts and ends worktrees and keeps refs; what happens inside one is `sessions.worktree`'s business, and how git
is run `sessions.git_checkout`'s.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.text import clean
from sessions.git_checkout import OUTPUT_LIMIT, Checkout, LabError, enclosing_repository

__all__ = [
    "Lab",
    "LabError",
    "create_repository",
    "diff",
    "enclosing_repository",
    "lab_at",
    "open_lab",
    "show",
]

# Files that are in a worktree and in no commit: the ledger's mirror, and what running a genome leaves.
_EXCLUDED: Final = ("/results.tsv", "/run.log", "__pycache__/")
_UNTRACKED_SHOWN: Final = 20
_REVISION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]*")
_DIFF: Final = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all")


@dataclass(frozen=True)
class Lab:
    """A repository. `path` is its main working tree, `git_dir` what all its worktrees share."""

    path: Path
    git_dir: Path

    def check_new_branch(self, branch: str) -> str:
        """Whether a session may take `branch`, and the full id of the commit that it would start from.

        Raises:
            LabError: the branch exists, or experiments are kept under its name, or git forbids the name.
        """
        git = self._checkout()
        if git("branch", "--list", branch) or git("for-each-ref", "--count=1", f"{kept_under(branch)}/"):
            raise LabError(f"the lab {self.path} has a branch or experiments of {branch} already; choose another --tag")
        git("check-ref-format", "--branch", branch)
        return git("rev-parse", "--verify", "HEAD^{commit}")

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Those of `paths` that the lab's commit does not hold."""
        held = self._checkout().listed("ls-tree", "-z", "--name-only", "HEAD", "--", *paths)
        return [path for path in paths if path not in held]

    def create_worktree(self, path: Path, branch: str) -> str:
        """Check the lab's commit out into a new directory on a new branch, and return the commit's full id.

        Raises:
            LabError: the branch or the directory exists, or git failed.
        """
        base = self.check_new_branch(branch)
        self._checkout()("worktree", "add", "--quiet", "-b", branch, str(path), base)
        self._exclude()
        return base

    def _exclude(self) -> None:
        """Keep our files out of everybody's `git status`: in `info/exclude`, which is never committed."""
        file = self.git_dir / "info" / "exclude"
        try:
            present = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
            missing = [line for line in _EXCLUDED if line not in present.splitlines()]
            if missing:
                file.parent.mkdir(exist_ok=True)
                opening = "\n" if present and not present.endswith("\n") else ""
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(opening + "\n".join(missing) + "\n")
        except OSError as error:
            raise LabError(f"cannot write {file}: {error.strerror}") from None

    def remove_worktree(self, path: Path, branch: str) -> None:
        """Undo `create_worktree`, as far as it came. A branch that is not this worktree's stays."""
        try:
            worktree = self.worktree(path)
        except LabError:
            return  # it was never made
        owns = worktree("symbolic-ref", "--quiet", "HEAD", allowed=(0, 1)) == f"refs/heads/{branch}"
        git = self._checkout()
        git("worktree", "remove", "--force", str(path))
        if owns:
            git("update-ref", "-d", f"refs/heads/{branch}")

    def keep_ref(self, tag: str, number: int, commit: str) -> str:
        """Keep an experiment's commit reachable, whatever becomes of the branch, and return the ref."""
        ref = f"refs/autoresearch/{tag}/{number}"
        self._checkout()("update-ref", ref, commit)
        return ref

    def trees(self, commits: Sequence[str]) -> dict[str, str]:
        """The ids of the commits' trees, which are the same for the same content; lost commits are left out."""
        if not commits:
            return {}
        lines = self._checkout()("rev-list", "--no-walk", "--ignore-missing", "--format=%H %T", *commits).splitlines()
        return dict(line.split() for line in lines if not line.startswith("commit "))  # a heading to each

    def changed_lines(self, commit: str) -> str:
        """What a commit changes against its parent, without the lines around it; see `sessions.repeats.identity`."""
        return self._checkout().capped("diff-tree", "--patch", "--unified=0", "--no-commit-id", *_DIFF, commit)

    def export(self, commit: str, into: Path) -> None:
        """Write a commit's regular files into a new directory; see `Checkout.export`."""
        self._checkout().export(commit, into)

    def worktree(self, path: Path) -> Checkout:
        """The worktree at `path`, by the lab's records: its own `.git` file can be edited or gone.

        Raises:
            LabError: the lab knows of none there.
        """
        for record in sorted((self.git_dir / "worktrees").glob("*/gitdir")):
            with contextlib.suppress(OSError):
                recorded = record.parent / record.read_text(encoding="utf-8").strip()
                if recorded.parent.resolve() == path.resolve():
                    return Checkout(path, record.parent).hardened()
        raise LabError(f"{path} is no worktree of {self.path}; was it removed?")

    def _checkout(self) -> Checkout:
        return Checkout(self.path, self.git_dir).hardened()


def kept_under(branch: str) -> str:
    """Where the commits of a session's experiments are kept: `refs/autoresearch/<tag>`."""
    return f"refs/autoresearch/{branch.removeprefix('autoresearch/')}"


def open_lab(path: Path) -> Lab:
    """The lab at `path`, ready for a session to start from its commit.

    Raises:
        LabError: no directory, no repository or not its top, no commit yet, or changes that are not committed.
    """
    top = enclosing_repository(path)
    if top is None:
        raise LabError(f"{path} is not a git repository; name an empty or new folder to have a lab made there")
    if top.resolve() != path.resolve():
        raise LabError(f"{path} lies inside the repository {top}; a lab is a whole repository: --lab {top}")
    git = Checkout(top)
    git("rev-parse", "--git-dir")  # says so where git distrusts the folder's owner
    if git.resolve("HEAD") is None:
        raise LabError(f"the lab {path} has no commit yet; commit train.py and program.md first")
    # With the person's own filters: her files (large file storage, for one) are no changes.
    changes = git.listed("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules")
    if changes:
        names = ", ".join(one[3:] for one in changes[:5]) + (", …" if len(changes) > 5 else "")
        raise LabError(f"the lab {path} has uncommitted changes: {names}; commit or stash them first")
    return lab_at(top)


def lab_at(path: Path) -> Lab:
    """The lab at `path`, as it is: for a session that exists, whatever the person has changed in her checkout.

    Raises:
        LabError: there is no repository.
    """
    common = Path(Checkout(path)("rev-parse", "--path-format=absolute", "--git-common-dir"))
    return Lab(common.parent if common.name == ".git" else path, common)


def create_repository(path: Path, message: str) -> str:
    """Make an existing directory a repository whose first commit holds all its files, and return the full id."""
    git = Checkout(path)
    # No template: a person's template may install hooks.
    git("-c", "init.defaultBranch=main", "init", "--quiet", "--template=")
    git = Checkout(path, path / ".git").hardened()
    git("add", "--all")
    commit = git.commit_tree(None, message)
    git("update-ref", "HEAD", commit)
    return commit


def diff(worktree: Path, against: str) -> str:
    """What a worktree changes against a commit, new files included, cleaned for a terminal; "" where nothing.

    Read-only: neither the index nor the object store is written. About `OUTPUT_LIMIT` bytes, then a sign.

    Raises:
        LabError: no such commit or worktree, or git failed.
    """
    git = Checkout(worktree).hardened()
    with tempfile.TemporaryDirectory(prefix="autoresearch-diff-") as folder:
        index = Path(folder) / "index"
        # A copy with its time stamps, because git's diff may write what it learnt back into the index.
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(git("rev-parse", "--path-format=absolute", "--git-path", "index"), index)
        text = git.capped("diff", *_DIFF, _revision(against), "--", index=index)
        new = git.listed("ls-files", "-z", "--others", "--exclude-standard", index=index)
        for path in new[:_UNTRACKED_SHOWN]:
            if len(text) > OUTPUT_LIMIT:
                break
            text += git.capped("diff", "--no-index", *_DIFF, "--", "/dev/null", path, index=index)
    return clean(text)


def show(worktree: Path, commit: str) -> str:
    """What a commit changed against its parent, as `diff` shows it."""
    git = Checkout(worktree).hardened()
    return clean(git.capped("diff-tree", "--patch", "--root", "--no-commit-id", *_DIFF, _revision(commit)))


def _revision(text: str) -> str:
    """A commit's name that cannot be taken for an option."""
    if not _REVISION.fullmatch(text):
        raise LabError(f"{text[:60]!r} is no commit")
    return text
