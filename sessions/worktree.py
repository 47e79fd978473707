"""One session's worktree: what changed in it, committing the genome, going back to the incumbent without a loss.

It judges nothing. Commits are made from an index of our own, so that an agent's index, its checked-out branch, its
stale locks and commits that it made itself can neither add to an experiment nor stop one.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.git_checkout import Checkout, LabError
from sessions.lab import Lab, kept_under

_ARGUMENTS: Final = 500  # paths on one command line


def _accept(_tree: str) -> None:
    """Any tree."""


@dataclass(frozen=True)
class Worktree:
    """The directory `path`, which is a worktree of `lab` on `branch`."""

    lab: Lab
    path: Path
    branch: str

    def changed_paths(self, base: str) -> list[str]:
        """Every path that differs from a commit, new ones that are not ignored included; sorted.

        A directory of nothing but new files is one path that ends in a slash.

        Raises:
            LabError: git failed.
        """
        git = self._git()
        with git.index_of(base) as index:
            listing = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
            return sorted({*_differences(git, index), *git.listed(*listing, index=index)})

    def commit(self, paths: list[str], message: str, parent: str, check: Callable[[str], None] = _accept) -> str:
        """Commit `paths` as they are on top of `parent`, as the tip of the branch, and return the full id.

        A tip that is elsewhere (an agent made commits of its own) is kept under `refs/autoresearch/<tag>/saved-<n>`.

        Args:
            paths: regular files.
            message: the commit's.
            parent: the commit that the rest is taken from.
            check: gets the id of the new tree, the same for the same content, while the branch is as it was; if it
                raises, it stays so.

        Raises:
            LabError: a path is no regular file, or git failed.
        """
        git = self._git()
        with git.index_of(parent) as index:
            for path in paths:
                file = self.path / path
                if file.is_symlink() or not file.is_file():
                    raise LabError(f"{path} is not a regular file")
                # As the bytes are: what was submitted is what runs.
                blob = git("hash-object", "-w", "--no-filters", "--", path)
                mode = "100755" if os.access(file, os.X_OK) else "100644"
                git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", index=index)
            check(git("write-tree", index=index))
            commit = git.commit_tree(index, message, parent)
            for stray in self._strays(git, parent, commit):
                self._save(git, stray)
            self._take(git, commit, index)
        return commit

    def reset(self, commit: str, expected: str) -> str | None:
        """Put the worktree and its branch back to `commit`; new files that no commit has are left alone.

        What would be lost (edits since `expected`, commits that an agent made) is saved first, as a commit under
        `refs/autoresearch/<tag>/saved-<n>`, which is returned; None where there was nothing to save.

        Raises:
            LabError: git failed; nothing is lost.
        """
        git = self._git()
        with git.index_of(expected) as index:
            strays = self._strays(git, expected, commit)
            edits = self._edits(git, index, commit)
            saved = None
            if edits:
                _stage(git, index, edits)
                kept = git.commit_tree(index, "Edits saved before the worktree was reset", expected, *strays)
                saved = self._save(git, kept)
            else:
                for stray in strays:
                    saved = self._save(git, stray)
            git("read-tree", "--reset", "-u", commit, index=index)
            self._take(git, commit, index)
        return saved

    def _git(self) -> Checkout:
        return self.lab.worktree(self.path)

    @staticmethod
    def _edits(git: Checkout, index: Path, target: str) -> list[str]:
        """The tracked paths that differ from the index's commit, unless all is as in `target` already."""
        edits = _differences(git, index)
        if edits:
            with git.index_of(target) as other:
                if not _differences(git, other):
                    return []
        return edits

    def _strays(self, git: Checkout, *known: str) -> list[str]:
        """The commits that the branch or HEAD point at and that would be lost: nothing of ours contains them."""
        found: list[str] = []
        for name in (f"refs/heads/{self.branch}", "HEAD"):
            tip = git.resolve(name)
            if tip is None or tip in found or tip in known:
                continue
            ours = git("for-each-ref", "--count=1", f"--contains={tip}", f"{kept_under(self.branch)}/")
            if not ours and git("rev-list", "--max-count=1", tip, *(f"^{one}" for one in known)):
                found.append(tip)
        return found

    def _save(self, git: Checkout, commit: str) -> str:
        prefix = kept_under(self.branch)
        taken = set(git("for-each-ref", "--format=%(refname)", f"{prefix}/").splitlines())
        ref = next(ref for n in range(1, len(taken) + 2) if (ref := f"{prefix}/saved-{n}") not in taken)
        git("update-ref", ref, commit)
        return ref

    def _take(self, git: Checkout, commit: str, index: Path) -> None:
        """Let the branch point at `commit`, HEAD at the branch, and make our index the worktree's."""
        git("update-ref", f"refs/heads/{self.branch}", commit)
        git("symbolic-ref", "HEAD", f"refs/heads/{self.branch}")
        git("update-index", "-q", "--refresh", index=index, allowed=(0, 1))
        if git.git_dir is not None:
            index.replace(git.git_dir / "index")


def _differences(git: Checkout, index: Path) -> list[str]:
    """The tracked paths whose files differ from an index that was just refreshed."""
    return git.listed("diff-files", "-z", "--name-only", "--ignore-submodules=all", index=index)


def _stage(git: Checkout, index: Path, paths: list[str]) -> None:
    """Bring paths into an index as they are: changed, or gone."""
    there = [path for path in paths if (git.work_tree / path).is_symlink() or (git.work_tree / path).is_file()]
    gone = [path for path in paths if path not in there]
    for option, names in (("--add", there), ("--force-remove", gone)):
        for start in range(0, len(names), _ARGUMENTS):
            git("update-index", option, "--", *names[start : start + _ARGUMENTS], index=index)
