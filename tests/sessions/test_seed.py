"""Seeding labs from the template."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sessions import seed
from sessions.lab import LabError, open_lab
from sessions.seed import KNOB, genome_template, handicapped, seed_lab

GIT = shutil.which("git") or "git"


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(where: Path, *arguments: str) -> str:
    return subprocess.run([GIT, *arguments], cwd=where, check=True, capture_output=True, text=True).stdout.strip()


def test_a_seeded_lab_is_the_template(tmp_path: Path) -> None:
    """A new lab opens, holds the template byte by byte in one commit, and ignores the ledger's mirror."""
    path = tmp_path / "deep" / "lab"
    said = seed_lab(path)
    assert str(path) in said
    assert "handicapped" not in said
    assert open_lab(path).path == path
    assert git(path, "rev-list", "--count", "HEAD") == "1"
    for name in ("train.py", "program.md"):
        assert (path / name).read_bytes() == (genome_template() / name).read_bytes()
    (path / "results.tsv").touch()
    assert git(path, "status", "--porcelain") == ""
    assert [one.name for one in path.parent.iterdir()] == ["lab"]


def test_a_handicap_is_said_three_times(tmp_path: Path) -> None:
    """The demo's weakened baseline is in the returned line, in the commit's message and beside the knob."""
    said = seed_lab(tmp_path / "lab", handicap=True)
    text = (tmp_path / "lab" / "train.py").read_text()
    for place in (said, git(tmp_path / "lab", "log", "-1", "--format=%B"), text):
        assert f"{KNOB} is 10 times lower" in place
    compile(text, "train.py", "exec")
    assert len(text.splitlines()) == len((genome_template() / "train.py").read_text().splitlines()) + 1


def test_handicapped_weakens_one_knob() -> None:
    """Only the knob's value changes; a file without the knob is an error that names it."""
    text, note = handicapped(f"A = 1\n{KNOB} = 0.02  # a rate\n{KNOB}_2 = 0.3\n")
    values: dict[str, object] = {}
    exec(compile(text, "train.py", "exec"), values)  # noqa: S102  # our own line
    assert (values["A"], values[KNOB], values[f"{KNOB}_2"]) == (1, 0.002, 0.3)
    assert text.endswith(f"\n{KNOB} = 0.002  # a rate\n{KNOB}_2 = 0.3\n")
    assert "0.02" in note
    with pytest.raises(LabError, match=KNOB):
        handicapped("A = 1\n")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """A folder that holds anything, a repository included, is refused and stays as it was."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(LabError, match="not empty"):
        seed_lab(tmp_path / "full")
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    seed_lab(tmp_path / "lab")
    with pytest.raises(LabError, match="a git repository already"):
        seed_lab(tmp_path / "lab")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """An empty folder becomes the lab."""
    (tmp_path / "lab").mkdir()
    seed_lab(tmp_path / "lab")
    open_lab(tmp_path / "lab")


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git fails half way, or the place cannot be written, no half of a lab stays."""

    def fail(path: Path, message: str) -> str:
        raise LabError(f"{message}: no space")

    monkeypatch.setattr(seed, "create_repository", fail)
    with pytest.raises(LabError, match="no space"):
        seed_lab(tmp_path / "lab")
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot make the lab"):
        seed_lab(tmp_path / "file" / "lab")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
