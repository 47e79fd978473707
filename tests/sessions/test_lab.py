"""Labs and worktrees, with a real git."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sessions.lab import LabError, create_repository, diff, enclosing_repository, lab_at, open_lab, show
from sessions.worktree import Worktree

GIT = shutil.which("git") or "git"
BRANCH = "autoresearch/nov23"


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(where: Path, *arguments: str) -> str:
    """Git as the agent or the person runs it."""
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run([GIT, *identity, *arguments], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def lab_path(tmp_path: Path) -> Path:
    path = tmp_path / "lab"
    path.mkdir()
    (path / "train.py").write_text("RATE = 1\n")
    (path / "program.md").write_text("go on\n")
    create_repository(path, "Start")
    return path


@pytest.fixture
def worktree(lab_path: Path, tmp_path: Path) -> Worktree:
    lab = open_lab(lab_path)
    lab.create_worktree(tmp_path / "worktree", BRANCH)
    return Worktree(lab, tmp_path / "worktree", BRANCH)


def base_of(worktree: Worktree) -> str:
    return git(worktree.lab.path, "rev-parse", "HEAD")


def program(path: Path, marker: Path) -> str:
    """A program that leaves a mark when it is run."""
    path.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    path.chmod(0o755)
    return str(path)


def test_open_lab_refuses_what_is_no_lab(tmp_path: Path, lab_path: Path) -> None:
    """A missing folder, no repository, a bare one, one without a commit, a folder inside one: each has its line."""
    for folder in ("plain", "bare", "empty"):
        (tmp_path / folder).mkdir()
    (lab_path / "inner").mkdir()
    git(tmp_path / "bare", "init", "--bare")
    git(tmp_path / "empty", "init")
    cases = {
        tmp_path / "missing": "there is no folder",
        tmp_path / "plain": "is not a git repository",
        tmp_path / "bare": "is a bare repository",
        tmp_path / "empty": "has no commit yet",
        lab_path / "inner": f"--lab {lab_path}",
    }
    for path, text in cases.items():
        with pytest.raises(LabError, match=text):
            open_lab(path)


def test_open_lab_names_uncommitted_changes(lab_path: Path) -> None:
    """A lab with changed tracked files is refused by name; new files do not matter."""
    (lab_path / "notes.txt").write_text("mine\n")
    open_lab(lab_path)
    (lab_path / "train.py").write_text("RATE = 2\n")
    with pytest.raises(LabError, match=r"uncommitted changes: train\.py; commit or stash"):
        open_lab(lab_path)


def test_missing_git_is_one_line(lab_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a git program every operation says so in one line."""
    base, path = base_of(worktree), worktree.path
    monkeypatch.setenv("PATH", "/nowhere")
    for operation in (
        lambda: open_lab(lab_path),
        lambda: worktree.changed_paths(base),
        lambda: diff(path, base),
        lambda: show(path, base),
        lambda: worktree.lab.export(base, path / "copy"),
    ):
        with pytest.raises(LabError, match="git"):
            operation()


def test_missing_git_is_one_line_at_first_use(tmp_path: Path) -> None:
    """The same in a process that never saw a git, where GitPython fails to import."""
    script = "import pathlib; from sessions.lab import *\ntry: open_lab(pathlib.Path())\nexcept LabError as e: print(e)"
    alone = {"PATH": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", script], env=alone, capture_output=True, text=True, check=True)
    assert done.stdout == "git is not installed, or not on PATH; install it (for example: apt install git)\n"


def test_enclosing_repository(lab_path: Path, tmp_path: Path) -> None:
    """The repository around a folder is found, and its absence is no error."""
    (lab_path / "inner").mkdir()
    assert enclosing_repository(lab_path / "inner") == lab_path
    assert enclosing_repository(tmp_path) is None


def test_a_taken_tag_is_refused(worktree: Worktree, tmp_path: Path) -> None:
    """A tag whose branch exists, or whose experiments are kept though its branch is gone, is not used again."""
    with pytest.raises(LabError, match="choose another --tag"):
        worktree.lab.create_worktree(tmp_path / "second", BRANCH)
    worktree.lab.keep_ref("nov23", 1, base_of(worktree))
    worktree.lab.remove_worktree(worktree.path, BRANCH)
    assert not worktree.path.exists()
    assert git(worktree.lab.path, "branch", "--list", BRANCH) == ""
    with pytest.raises(LabError, match="choose another --tag"):
        worktree.lab.create_worktree(worktree.path, BRANCH)


def test_remove_worktree_leaves_foreign_branches(lab_path: Path, tmp_path: Path) -> None:
    """Undoing a worktree that was never made takes nobody's branch away."""
    git(lab_path, "branch", BRANCH)
    open_lab(lab_path).remove_worktree(tmp_path / "worktree", BRANCH)
    assert BRANCH in git(lab_path, "branch", "--list", BRANCH)


def test_changed_paths_sees_everything_but_ignored(worktree: Worktree) -> None:
    """Changed, new, staged, deleted, committed and hidden changes count; ignored files and our mirror do not."""
    base, path = base_of(worktree), worktree.path
    assert worktree.changed_paths(base) == []
    for name in ("results.tsv", "run.log", "new.txt", "staged.txt", "committed.txt"):
        (path / name).write_text("x\n")
    (path / "data").mkdir()
    (path / "data" / "a").write_text("x\n")
    git(path, "add", "committed.txt")
    git(path, "commit", "-m", "the agent's own")
    git(path, "add", "staged.txt")
    git(path, "update-index", "--assume-unchanged", "train.py")
    (path / "train.py").write_text("RATE = 2\n")
    (path / "program.md").unlink()
    expected = ["committed.txt", "data/", "new.txt", "program.md", "staged.txt", "train.py"]
    assert worktree.changed_paths(base) == expected


def test_commit_holds_the_genome_alone(worktree: Worktree) -> None:
    """A commit has the incumbent as its parent and the genome as its only change, whatever else lies about."""
    base, path = base_of(worktree), worktree.path
    (path / "train.py").write_text("RATE = 2\n")
    (path / "notes.txt").write_text("x\n")
    git(path, "add", "notes.txt")
    commit = worktree.commit(["train.py"], "faster\n", base)
    assert git(path, "rev-parse", f"{commit}^") == base
    assert git(path, "diff", "--name-only", base, commit) == "train.py"
    assert git(path, "rev-parse", BRANCH) == git(path, "rev-parse", "HEAD") == commit
    assert git(path, "status", "--porcelain") == "?? notes.txt"
    assert git(path, "log", "-1", "--format=%an <%ae>", commit) == "autoresearch-tui <autoresearch-tui@localhost>"


def test_commit_uses_the_persons_name(worktree: Worktree) -> None:
    """Where git knows who the person is, the commits are hers."""
    git(worktree.path, "config", "user.name", "Eve")
    git(worktree.path, "config", "user.email", "eve@example.org")
    (worktree.path / "train.py").write_text("RATE = 2\n")
    commit = worktree.commit(["train.py"], "faster", base_of(worktree))
    assert git(worktree.path, "log", "-1", "--format=%an <%ae>", commit) == "Eve <eve@example.org>"


def test_commit_refuses_links(worktree: Worktree) -> None:
    """A genome that is a link or a pipe is refused: what would run is not what was committed."""
    for make in (lambda p: p.symlink_to("/etc/passwd"), os.mkfifo):
        (worktree.path / "train.py").unlink()
        make(worktree.path / "train.py")
        with pytest.raises(LabError, match="not a regular file"):
            worktree.commit(["train.py"], "link", base_of(worktree))


def test_nothing_the_agent_configured_is_run(worktree: Worktree, tmp_path: Path) -> None:
    """Hooks, filters, monitors, external diffs and signing programs of the repository never run from here."""
    base, path = base_of(worktree), worktree.path
    marker = tmp_path / "ran"
    run = program(tmp_path / "evil", marker)
    hooks = worktree.lab.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout"):
        program(hooks / hook, marker)
    keys = "core.fsmonitor core.pager core.editor core.sshCommand diff.external diff.e.textconv gpg.program"
    for key in (*keys.split(), "filter.e.clean", "filter.e.smudge", "filter.a=b.process"):
        git(path, "config", key, run)
    for key in ("filter.e.required", "filter.a=b.required", "commit.gpgSign", "log.showSignature"):
        git(path, "config", key, "true")
    (worktree.lab.git_dir / "info" / "attributes").write_text("train.py filter=e diff=e\nprogram.md filter=a=b\n")
    (path / "train.py").write_text("RATE = 2\n")
    (path / "new.txt").write_text("new\n")
    assert worktree.changed_paths(base) == ["new.txt", "train.py"]
    assert "+RATE = 2" in diff(path, base)
    commit = worktree.commit(["train.py"], "faster", base)
    assert "+RATE = 2" in show(path, commit)
    (path / "train.py").write_text("RATE = 3\n")
    assert worktree.reset(base, commit) is not None
    worktree.lab.export(commit, tmp_path / "copy")
    worktree.lab.create_worktree(tmp_path / "second", "autoresearch/second")
    assert not marker.exists()
    subprocess.run([GIT, "add", "train.py"], cwd=path, check=False)
    assert marker.exists(), "the trap was not armed"


def test_commit_keeps_the_agents_own_commits(worktree: Worktree) -> None:
    """An agent that committed by itself loses nothing: its commit stays reachable under a saved ref."""
    base, path = base_of(worktree), worktree.path
    (path / "train.py").write_text("RATE = 2\n")
    git(path, "commit", "-am", "the agent's own")
    own = git(path, "rev-parse", "HEAD")
    assert worktree.changed_paths(base) == ["train.py"]
    worktree.commit(["train.py"], "faster", base)
    assert git(path, "rev-parse", "refs/autoresearch/nov23/saved-1") == own


def test_reset_goes_back_without_a_trace(worktree: Worktree) -> None:
    """With nothing edited since, a reset restores the incumbent and saves nothing."""
    base, path = base_of(worktree), worktree.path
    (path / "train.py").write_text("RATE = 2\n")
    commit = worktree.commit(["train.py"], "faster", base)
    worktree.lab.keep_ref("nov23", 1, commit)
    assert worktree.reset(base, commit) is None
    assert (path / "train.py").read_text() == "RATE = 1\n"
    assert git(path, "rev-parse", "HEAD") == git(path, "rev-parse", BRANCH) == base
    assert git(path, "status", "--porcelain") == ""
    assert worktree.reset(base, commit) is None  # once more, as after a crash


def test_reset_saves_edits(worktree: Worktree) -> None:
    """Edits made while the experiment ran, deletions too, are in the commit that a reset returns."""
    base, path = base_of(worktree), worktree.path
    (path / "train.py").write_text("RATE = 2\n")
    commit = worktree.commit(["train.py"], "faster", base)
    (path / "train.py").write_text("RATE = 3\n")
    (path / "program.md").unlink()
    (path / "notes.txt").write_text("mine\n")
    (worktree.lab.worktree(path).git_dir / "index.lock").touch()  # type: ignore[operator]  # a killed git's
    saved = worktree.reset(base, commit)
    assert saved == "refs/autoresearch/nov23/saved-1"
    assert git(path, "show", f"{saved}:train.py") == "RATE = 3"
    assert git(path, "ls-tree", "--name-only", saved) == "train.py"
    assert git(path, "rev-parse", f"{saved}^") == commit
    assert (path / "train.py").read_text() == "RATE = 1\n"
    assert (path / "program.md").exists()
    assert (path / "notes.txt").read_text() == "mine\n"


def test_reset_keeps_commits_made_elsewhere(worktree: Worktree) -> None:
    """Commits on a detached HEAD or another branch survive, and the other branch is not moved."""
    base, path = base_of(worktree), worktree.path
    (path / "train.py").write_text("RATE = 2\n")
    commit = worktree.commit(["train.py"], "faster", base)
    git(path, "checkout", "-q", "-b", "other")
    (path / "train.py").write_text("RATE = 3\n")
    git(path, "commit", "-qam", "elsewhere")
    other = git(path, "rev-parse", "HEAD")
    git(path, "checkout", "-q", "--detach")
    (path / "train.py").write_text("RATE = 4\n")
    git(path, "commit", "-qam", "nowhere")
    detached = git(path, "rev-parse", "HEAD")
    saved = worktree.reset(base, commit)
    assert saved is not None
    git(path, "merge-base", "--is-ancestor", detached, saved)
    assert git(path, "rev-parse", "other") == other
    assert git(path, "symbolic-ref", "HEAD") == f"refs/heads/{BRANCH}"


def test_worktree_without_its_git_file_is_still_known(worktree: Worktree, tmp_path: Path) -> None:
    """An agent that points the worktree's .git elsewhere does not point us elsewhere."""
    base = base_of(worktree)
    (tmp_path / "trap").mkdir()
    git(tmp_path / "trap", "init")
    (worktree.path / ".git").write_text(f"gitdir: {tmp_path}/trap/.git\n")
    (worktree.path / "train.py").write_text("RATE = 2\n")
    assert worktree.changed_paths(base) == ["train.py"]
    commit = worktree.commit(["train.py"], "faster", base)
    assert git(worktree.lab.path, "rev-parse", BRANCH) == commit


def test_export_is_the_bytes_without_git_and_links(worktree: Worktree, tmp_path: Path) -> None:
    """An export holds regular files byte by byte: attributes change nothing, links are left out."""
    path = worktree.lab.path
    (path / "deep").mkdir()
    (path / "deep" / "blob").write_bytes(bytes(range(256)) + b"\r\n$Format:%H$")
    (path / ".gitattributes").write_text("deep/blob export-subst ident eol=crlf\nprogram.md export-ignore\n")
    (path / "link").symlink_to("/etc/passwd")
    git(path, "-c", "core.safecrlf=false", "add", "-A")
    git(path, "commit", "-m", "more")
    committed = subprocess.run(
        [GIT, "cat-file", "blob", "HEAD:deep/blob"], cwd=path, capture_output=True, check=True
    ).stdout
    worktree.lab.export(git(path, "rev-parse", "HEAD"), tmp_path / "copy")
    files = sorted(
        str(one.relative_to(tmp_path / "copy")) for one in (tmp_path / "copy").rglob("*") if not one.is_dir()
    )
    assert files == [".gitattributes", "deep/blob", "program.md", "train.py"]
    assert (tmp_path / "copy" / "deep" / "blob").read_bytes() == committed
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    with pytest.raises(LabError, match="cannot be read"):
        worktree.lab.export("0" * 40, tmp_path / "none")


def test_diff_only_reads(worktree: Worktree) -> None:
    """A diff shows changed and new files, cleaned, and neither the index nor the object store is touched."""
    base, path = base_of(worktree), worktree.path
    assert diff(path, base) == ""
    (path / "train.py").write_text("RATE = 2 \x1b[31m\n")
    (path / "new.txt").write_text("new\n")
    os.utime(path / "program.md", (1, 1))  # what git's diff would like to write into the index

    def traces() -> list[tuple[str, int, int]]:
        files = [one for one in worktree.lab.git_dir.rglob("*") if one.is_file()]
        return sorted((str(one), one.stat().st_mtime_ns, one.stat().st_size) for one in files)

    before = traces()
    text = diff(path, base)
    assert traces() == before
    assert "-RATE = 1\n+RATE = 2 \n" in text
    assert "+++ b/new.txt" in text
    assert "program.md" not in text


def test_diff_is_capped_and_takes_no_options(worktree: Worktree) -> None:
    """A huge change is cut off with a sign; a name that looks like an option is no commit."""
    base = base_of(worktree)
    (worktree.path / "train.py").write_text("x = 1234567\n" * 80_000)
    assert len(diff(worktree.path, base)) < (1 << 20) + 100
    (worktree.path / "program.md").write_text("y = 1234567\n" * 80_000)
    assert diff(worktree.path, base).endswith("cut off after 1 MiB\n")
    for bad in ("--output=/tmp/x", "", "a b"):
        with pytest.raises(LabError, match="is no commit"):
            diff(worktree.path, bad)
    with pytest.raises(LabError, match="failed"):
        diff(worktree.path, "nosuchbranch")


def test_a_git_hooks_environment_does_not_mislead(
    worktree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from a git hook, with GIT_DIR set, the lab that was named is the one that is used."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere" / "index"))
    assert open_lab(worktree.lab.path).path == worktree.lab.path
    assert lab_at(worktree.path) == worktree.lab
