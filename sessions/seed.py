"""Seed a new lab from the template: a repository with `train.py`, `program.md` and one commit.

It starts no session and prepares no corpus. A lab for the demo gets a weakened baseline, and says so.
"""

import contextlib
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Final

from sessions.lab import LabError, create_repository, enclosing_repository

# What an agent may change.
GENOME_FILES: Final = ("train.py",)
_TEMPLATE_FILES: Final = (*GENOME_FILES, "program.md")
_IGNORED: Final = (
    "# Written by autoresearch-tui beside the genome; never committed.\nresults.tsv\nrun.log\n__pycache__/\n"
)

KNOB: Final = "MATRIX_LR"  # the demo agent raises it
_WEAKENED: Final = 10.0
_KNOB_LINE: Final = re.compile(rf"^(?P<name>{KNOB}\s*=\s*)(?P<value>[0-9][0-9_.eE+-]*)(?P<rest>[^\n]*)$", re.MULTILINE)


def genome_template() -> Path:
    """The directory of the template: at the top of a checkout, or where the installation put its data.

    Raises:
        LabError: it is missing.
    """
    checkout = Path(__file__).resolve().parents[1] / "genome"
    if (checkout / GENOME_FILES[0]).is_file():
        return checkout
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files("autoresearch-tui") or ():
            if file.match(f"share/autoresearch-tui/genome/{GENOME_FILES[0]}"):
                return Path(str(file.locate())).resolve().parent
    raise LabError("the template genome/train.py is missing from this installation; install autoresearch-tui again")


def handicapped(text: str) -> tuple[str, str]:
    """A `train.py` with a learning rate that is too low, and the line that says what was done.

    Raises:
        LabError: it has no such knob.
    """
    knob = _KNOB_LINE.search(text)
    if knob is None:
        raise LabError(f"train.py has no line `{KNOB} = <number>` to weaken")
    before = float(knob["value"])
    after = before / _WEAKENED
    note = f"{KNOB} is {_WEAKENED:g} times lower than the template's {before:g}, so that there is something to find"
    line = f"# Handicapped for the demo: {note}.\n{knob['name']}{after:g}{knob['rest']}"
    return text[: knob.start()] + line + text[knob.end() :], note


def seed_lab(path: Path, *, handicap: bool = False) -> str:
    """Make a lab in a folder that is empty or not there yet, and return the line that says what was done.

    Raises:
        LabError: the folder holds something, cannot be written, or git failed; then nothing of ours is left in it.
    """
    if path.is_dir() and any(path.iterdir()):
        what = "a git repository already" if enclosing_repository(path) == path else "not empty"
        raise LabError(f"{path} is {what}; a lab is seeded only in a new or empty folder")
    template = genome_template()
    made = path.with_name(f".{path.name}.seeding")
    try:
        made.mkdir(parents=True)
    except FileExistsError:
        raise LabError(f"{made} is in the way; remove it and try again") from None
    except OSError as error:
        raise LabError(f"cannot make the lab {path}: {error.strerror}") from None
    try:
        for name in _TEMPLATE_FILES:
            shutil.copyfile(template / name, made / name)
        (made / ".gitignore").write_text(_IGNORED, encoding="utf-8")
        note = ""
        if handicap:
            genome = made / GENOME_FILES[0]
            text, note = handicapped(genome.read_text(encoding="utf-8"))
            genome.write_text(text, encoding="utf-8")
        create_repository(made, f"Handicap the template's baseline\n\n{note}." if note else "Start from the template")
        made.replace(path)
    except OSError as error:
        raise LabError(f"cannot make the lab {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)  # gone already where all went well
    return f"a new lab is in {path}" + (f"; its baseline is handicapped: {note}" if note else "")
