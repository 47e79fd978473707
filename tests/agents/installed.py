"""Where `make test-agents` installs agents: a private prefix under build/, never this machine's own."""

from pathlib import Path
from typing import Final

import pytest

BIN: Final = Path(__file__).parents[2] / "build" / "agents" / "node_modules" / ".bin"


def cli(name: str) -> Path:
    """The installed program of that name; it need not be there."""
    return BIN / name


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test whose agent could not be installed."""
    return pytest.mark.skipif(not cli(name).exists(), reason=f"`make test-agents` installs {name} first")
