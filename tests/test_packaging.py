"""The wheel, built and looked into."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_three_packages_and_the_template(tmp_path: Path) -> None:
    """Its top-level names are ours alone, and the genome is in it as data."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    [data] = {name.split("/")[0] for name in names if ".data/" in name}
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"autoresearch_tui", "harness", "sessions", data}
    assert {f"{data}/data/share/autoresearch-tui/genome/{name}" for name in ("train.py", "program.md")} <= set(names)
    assert {"sessions/profiles/codex.toml", "autoresearch_tui/app.tcss"} <= set(names)


def test_an_editable_install_shows_no_more_than_a_wheel() -> None:
    """Neither `genome` nor `tests` can be imported from elsewhere: the checkout is not on the path."""
    for name in ("genome", "tests"):
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
        subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd="/")
