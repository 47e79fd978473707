"""The manifest of a corpus: what it was made of, and the seal of every file. Judges its form, not the files."""

import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.documents import offsets_file, tokens_file
from harness.errors import ClearError
from harness.result import Record, RecordError
from harness.seal import Seal
from harness.settings import EMBEDDED, PRESETS
from harness.tokenizer import RANKS_FILE, SETTINGS_FILE

MANIFEST_FILE: Final = "manifest.json"
TRAIN: Final = "train"
VAL: Final = "val"
SPLITS: Final = (TRAIN, VAL)

# What a measurement depends on. The shards only carry the same text in a form that other tools read, and their bytes
# change with the version of the library that writes them.
_DECISIVE: Final = (
    RANKS_FILE,
    SETTINGS_FILE,
    *(name(split) for split in SPLITS for name in (tokens_file, offsets_file)),
)
_SHARD: Final = re.compile(r"shard_\d{5}\.parquet")
_FORMAT: Final = 1


def rebuild(directory: Path, fresh: bool = True) -> str:
    """What mends a broken corpus, or makes one that is not there; the sessions' lie under their presets' names."""
    preset = f" --preset {directory.name}" if directory.name in PRESETS and directory.name != EMBEDDED.name else ""
    return f"run `autoresearch-tui prepare{preset}{' --fresh' if fresh else ''}`"


class CorpusError(ClearError):
    """A corpus is missing, changed, or cannot be made; one line that says what to do."""


def is_corpus_file(name: str) -> bool:
    """Whether a file of that name belongs into a corpus's directory."""
    return name == MANIFEST_FILE or name in _DECISIVE or is_shard(name)


def is_shard(name: str) -> bool:
    """Whether a file of that name is a parquet shard of a corpus."""
    return _SHARD.fullmatch(name) is not None


@dataclass(frozen=True)
class Manifest(Record):
    """What `manifest.json` says.

    Attributes:
        format: of the directory; this module reads one.
        preset: a name in `harness.settings.PRESETS`.
        vocab_size: tokens, the special ones included.
        python: the version of the interpreter whose library was read.
        identity: 16 hexadecimal digits that stand for the tokenizer and all tokens.
        splits: for each split its "documents", "tokens" (BOS included) and "bytes" of text.
        files: for every other file of the directory its "size" in bytes and "sha256".
        source: where the text came from, in words; another source has others.
        origin: the same of every file of a person's that the text came from.
    """

    format: int
    preset: str
    vocab_size: int
    python: str
    identity: str
    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    source: str = ""
    origin: dict[str, dict[str, Any]] = field(default_factory=dict)

    def seal(self, name: str) -> Seal:
        """The recorded seal of a file."""
        return Seal(int(self.files[name]["size"]), str(self.files[name]["sha256"]))

    def origin_seal(self, name: str) -> Seal:
        """The recorded seal of a person's file."""
        return Seal(int(self.origin[name]["size"]), str(self.origin[name]["sha256"]))

    @property
    def shards(self) -> list[str]:
        """The names of the parquet shards, in order; the last is the validation shard."""
        return sorted(name for name in self.files if is_shard(name))


def new_manifest(
    *,
    preset: str,
    vocab_size: int,
    python: str,
    splits: dict[str, dict[str, int]],
    seals: dict[str, Seal],
    source: str,
    origin: dict[str, Seal],
) -> Manifest:
    """The manifest of files that have just been made."""
    files = {name: asdict(seal) for name, seal in sorted(seals.items())}
    of_person = {name: asdict(seal) for name, seal in sorted(origin.items())}
    return Manifest(_FORMAT, preset, vocab_size, python, _identity(files), splits, files, source, of_person)


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a corpus.

    Raises:
        CorpusError: there is none, or it is broken, or of a format that this version does not read.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = Manifest.from_json(path.read_bytes())
        if manifest.format != _FORMAT:
            raise CorpusError(f"{path} has a format that this version cannot read; {rebuild(directory)}")
        if manifest.identity != _identity(manifest.files) or not manifest.shards:
            raise CorpusError(f"{path} changed since it was prepared: its sums do not add up; {rebuild(directory)}")
        for name in manifest.files:
            manifest.seal(name)
        for name in manifest.origin:
            manifest.origin_seal(name)
    except (FileNotFoundError, NotADirectoryError):
        raise CorpusError(f"no corpus at {directory}; {rebuild(directory, fresh=False)}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    except (RecordError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorpusError(f"{path} is broken ({type(error).__name__}); {rebuild(directory)}") from None
    return manifest


def _identity(files: dict[str, dict[str, Any]]) -> str:
    sums = "".join(f"{files[name]['sha256']}  {name}\n" for name in sorted(_DECISIVE))
    return hashlib.sha256(sums.encode()).hexdigest()[:16]
