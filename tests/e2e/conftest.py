"""What the end-to-end tests share: a home of their own with a prepared corpus and a lab whose runs end at once."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions import store
from sessions.client import ask
from sessions.store import is_supervised, locked

GENOME = "def build_model(spec):\n    raise SystemExit(3)\n\n\ndef train(model, run):\n    pass\n"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus that the tests of this file share."""
    from harness.corpus import prepare
    from harness.settings import EMBEDDED

    path = tmp_path_factory.mktemp("corpus") / "embedded"
    prepare(path, EMBEDDED, lambda _line: None)
    return path


@pytest.fixture
def home(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory with a corpus and a lab whose baseline crashes at once; what runs in it is stopped."""
    path = Path(tempfile.mkdtemp(prefix="art-"))
    monkeypatch.setenv(store.HOME_VARIABLE, str(path))
    (path / "cache" / "corpus").mkdir(parents=True)
    (path / "cache" / "corpus" / "embedded").symlink_to(prepared)
    lab = path / "lab"
    lab.mkdir()
    (lab / "train.py").write_text(GENOME)
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run(
            ["git", *identity, *words],
            cwd=lab,
            check=True,
            capture_output=True,
        )
    yield path
    for session in store.session_dirs():
        if is_supervised(session):
            ask(session, "stop")
            with locked(session, patience_s=30):
                pass
    shutil.rmtree(path)
