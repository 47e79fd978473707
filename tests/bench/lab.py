"""A lab whose runs end at once, for benchmarks that are about the session and not about training."""

import subprocess
from pathlib import Path

_GENOME = "def build_model(spec):\n    raise SystemExit(1)\n\n\ndef train(model, run):\n    pass\n"


def make_lab(path: Path) -> None:
    """A git repository with a genome that cannot train."""
    path.mkdir()
    (path / "train.py").write_text(_GENOME)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "base"]):
        subprocess.run(["git", *words], cwd=path, check=True)
