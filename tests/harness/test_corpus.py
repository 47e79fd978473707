"""A corpus is whole or it is not there, and nothing of it changes unnoticed."""

import errno
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.corpus import CorpusError, open_corpus, prepare
from harness.settings import EMBEDDED, Preset
from harness.shards import read_texts
from harness.stdlib_text import Texts
from harness.tokenizer import TokenizerError

SMALL = Preset(**{**vars(EMBEDDED), "name": "small", "vocab_size": 300})
LINES = Path(__file__).read_text(encoding="utf-8").splitlines()
TEXTS = Texts(train=["\n".join(LINES[at : at + 9]) for at in range(0, 180, 9)], val=["for validation", "naïve 🙂"])
FILES = (
    "manifest.json",
    "shard_00000.parquet",
    "shard_00001.parquet",
    "tokenizer.json",
    "tokenizer.tiktoken",
    "train.offsets",
    "train.tokens",
    "val.offsets",
    "val.tokens",
)
VALIDATION_FILES = ("shard_00001.parquet", "val.offsets", "val.tokens")


def quiet(_line: str) -> None:
    """Say nothing."""


def texts() -> Texts:
    return TEXTS


def never() -> Texts:
    pytest.fail("the text was read, although nothing had to be made")


@pytest.fixture
def place(tmp_path: Path, small: Path) -> Path:
    """A whole corpus that the test may ruin."""
    return Path(shutil.copytree(small, tmp_path / "corpus"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("small") / "corpus", SMALL, quiet, source=texts).path


def test_tokens_are_the_shards_texts(small: Path) -> None:
    """Decoded, each tokenised document is its text in the shards behind one BOS; the last shard is validation."""
    corpus = open_corpus(small)
    *train, val = sorted(small.glob("shard_*.parquet"))
    for split, shards, said in (("train", train, TEXTS.train), ("val", [val], TEXTS.val)):
        documents = corpus.documents(split)
        written = list(read_texts(shards))
        assert written == said
        assert [documents[i][0] for i in range(len(documents))] == [corpus.bos] * len(written)
        assert [corpus.encoding().decode(documents[i][1:].tolist()) for i in range(len(documents))] == written
        assert int(corpus.token_bytes[documents.tokens].sum()) == len("".join(written).encode())


def test_nothing_else_lies_in_it(small: Path) -> None:
    """The directory holds the named files and no others, and no unfinished copy is left beside it."""
    assert tuple(sorted(path.name for path in small.iterdir())) == FILES
    assert sorted(path.name for path in small.parent.iterdir()) == [".corpus.lock", "corpus"]


def test_the_manifest_counts(small: Path) -> None:
    """The manifest says the preset, the Python, and documents, tokens and bytes as they are."""
    manifest = json.loads((small / "manifest.json").read_bytes())
    documents = open_corpus(small).documents("val")
    assert (manifest["preset"], manifest["vocab_size"]) == ("small", 300)
    assert manifest["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert manifest["splits"]["val"] == {
        "documents": 2,
        "tokens": len(documents.tokens),
        "bytes": sum(len(text.encode()) for text in TEXTS.val),
    }


def test_the_same_text_gives_the_same_corpus(tmp_path: Path, small: Path) -> None:
    """Made twice from one text, a corpus has one id; from another validation text it has another."""
    again = prepare(tmp_path / "again", SMALL, quiet, source=texts)
    other = prepare(tmp_path / "other", SMALL, quiet, source=lambda: Texts(TEXTS.train, ["something else"]))
    assert again.id == open_corpus(small).id
    assert other.id != again.id


def test_a_whole_corpus_is_not_made_again(small: Path) -> None:
    """Preparing what is there reads no text and gives the same corpus."""
    assert prepare(small, SMALL, quiet, source=never).id == open_corpus(small).id


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_any_damage_is_named(place: Path, name: str, damage: str) -> None:
    """A bit flipped in any file, a byte missing or the file gone is an error that names it and says what to do."""
    path = place / name
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-2])
    else:
        # In the manifest, a digit of a decisive sum: a shard's would be seen in the shard.
        content[content.rindex(b'"sha256": "') + 12 if name == "manifest.json" else len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        open_corpus(place)
    line = str(caught.value)
    assert "run `autoresearch-tui prepare" in line
    assert "\n" not in line
    assert (name in line) or (name == "manifest.json" and damage == "remove")


def test_a_broken_corpus_is_mended_only_when_asked(place: Path, small: Path) -> None:
    """`prepare` names the damage and leaves it; with `fresh` it makes the corpus again."""
    (place / "val.tokens").write_bytes(b"forged")
    with pytest.raises(CorpusError, match=r"val\.tokens changed since it was prepared"):
        prepare(place, SMALL, quiet, source=never)
    assert (place / "val.tokens").read_bytes() == b"forged"
    assert prepare(place, SMALL, quiet, fresh=True, source=texts).id == open_corpus(small).id
    assert sorted(path.name for path in place.parent.iterdir()) == [".corpus.lock", "corpus"]


def test_a_run_does_without_the_validation_split(place: Path) -> None:
    """With its validation files gone, a corpus still opens for training, under the same id, and only for that."""
    known = open_corpus(place).id
    for name in VALIDATION_FILES:
        (place / name).unlink()
    corpus = open_corpus(place, splits=("train",))
    assert corpus.id == known
    with pytest.raises(CorpusError, match="opened without its split 'val'"):
        corpus.documents("val")
    with pytest.raises(CorpusError, match=r"val\.tokens is missing"):
        open_corpus(place, splits=("val",))


def test_what_is_open_cannot_be_written(small: Path) -> None:
    """The mapped tokens, the offsets and the byte table are read-only."""
    corpus = open_corpus(small)
    for array in (corpus.documents("train").tokens, corpus.documents("val").offsets, corpus.token_bytes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_documents_have_no_wrong_index(small: Path) -> None:
    """A document beyond the last, or before the first, is an IndexError and not another document."""
    documents = open_corpus(small).documents("val")
    assert sum(len(documents[i]) for i in range(len(documents))) == len(documents.tokens)
    for index in (-1, len(documents)):
        with pytest.raises(IndexError):
            documents[index]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(min_value=0), st.binary(max_size=8))
def test_no_broken_manifest_is_more_than_an_error(place: Path, small: Path, at: int, inserted: bytes) -> None:
    """A manifest cut anywhere, with anything but its own end behind it, is a corpus error of one line."""
    whole = (small / "manifest.json").read_bytes().rstrip()
    broken = whole[: at % len(whole)] + inserted
    assume(broken.rstrip() != whole)
    (place / "manifest.json").write_bytes(broken)
    with pytest.raises(CorpusError, match=r"\A[^\n]*\Z"):
        open_corpus(place)


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": {"train.tokens": 3}},
        {"format": 2},
        {"format": None},
        {"identity": "0" * 16},
        {"files": 1},
    ],
)
def test_a_manifest_of_another_form_is_refused(place: Path, change: dict[str, object]) -> None:
    """A manifest whose values have other types, sums that do not add up or a newer format is a corpus error."""
    path = place / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(CorpusError, match=r"manifest\.json .*prepare --fresh"):
        open_corpus(place)


def test_no_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    """A directory that is not there is one line with the command that makes it."""
    with pytest.raises(CorpusError, match=r"no corpus at .*run `autoresearch-tui prepare`$"):
        open_corpus(tmp_path / "nowhere")


def test_another_presets_corpus_is_refused(small: Path) -> None:
    """A corpus of another vocabulary is not taken for the one that is asked for."""
    with pytest.raises(CorpusError, match="prepared for preset 'small' with 300 tokens, not for 'embedded' with 1,024"):
        prepare(small, EMBEDDED, quiet, source=never)


def test_a_persons_files_are_never_deleted(tmp_path: Path) -> None:
    """A directory that holds anything but a corpus's files is refused, also with `fresh`, and left as it was."""
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "manifest.json").write_text("{}")
    for fresh in (False, True):
        with pytest.raises(CorpusError):
            prepare(tmp_path, SMALL, quiet, fresh=fresh, source=texts)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_file_in_its_place_is_refused(tmp_path: Path, fresh: bool) -> None:
    """Where a file is in the way, or stands for the parent directory, it is one line, and the file stays."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for out in (taken, taken / "corpus"):
        with pytest.raises(CorpusError) as caught:
            prepare(out, SMALL, quiet, fresh=fresh, source=texts)
        assert str(taken) in str(caught.value)
    assert taken.read_text() == "mine"


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fills up while tokens are written, the error says so, and no unfinished directory stays."""

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("harness.building.write_documents", full)
    with pytest.raises(CorpusError, match="No space left on device; make room"):
        prepare(tmp_path / "corpus", SMALL, quiet, source=texts)
    assert [path.name for path in tmp_path.iterdir()] == [".corpus.lock"]


def test_too_little_text_leaves_nothing(tmp_path: Path) -> None:
    """Text that is too little for the vocabulary, or none, is said, and nothing is left."""
    with pytest.raises(TokenizerError, match="more text"):
        prepare(tmp_path / "corpus", SMALL, quiet, source=lambda: Texts(["a"], ["b"]))
    with pytest.raises(CorpusError, match="no text"):
        prepare(tmp_path / "corpus", SMALL, quiet, source=lambda: Texts(["a"], []))
    assert [path.name for path in tmp_path.iterdir()] == [".corpus.lock"]


def test_who_is_killed_half_way_leaves_no_corpus(tmp_path: Path) -> None:
    """After SIGKILL in the middle there is no corpus, and the next one makes it and clears up."""
    out = tmp_path / "corpus"
    script = (
        "import os, signal, sys; from pathlib import Path; from harness.corpus import prepare;"
        "from harness.settings import EMBEDDED; from harness.stdlib_text import Texts;"
        "prepare(Path(sys.argv[1]), EMBEDDED,"
        " lambda line: os.kill(os.getpid(), signal.SIGKILL) if 'tokenizer' in line else None,"
        " source=lambda: Texts(['a'], ['b']))"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(out)], check=False)
    assert ended.returncode == -9
    assert not out.exists()
    assert any(path.name.endswith(".tmp") for path in tmp_path.iterdir())
    prepare(out, SMALL, quiet, source=texts)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".corpus.lock", "corpus"]


def test_of_two_at_once_one_works(tmp_path: Path) -> None:
    """The second says that it waits, makes nothing, and opens what the first has made."""
    waits, started = threading.Event(), threading.Event()

    def slow() -> Texts:
        started.set()
        assert waits.wait(30)
        return TEXTS

    made: list[str] = []
    first = threading.Thread(target=lambda: made.append(prepare(tmp_path / "c", SMALL, quiet, source=slow).id))
    first.start()
    assert started.wait(30)
    second = prepare(tmp_path / "c", SMALL, lambda line: waits.set() if "waiting" in line else None, source=never)
    first.join()
    assert made == [second.id]


def test_opening_needs_no_heavy_library(small: Path) -> None:
    """Opening a corpus imports neither torch nor pyarrow: a run that waits for them would be charged for it."""
    script = (
        "import sys; from pathlib import Path; from harness.corpus import open_corpus;"
        "open_corpus(Path(sys.argv[1])); print(*{'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(small)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_token_files_are_little_endian(small: Path) -> None:
    """The files are what their format says: uint16 and int64, least byte first."""
    documents = open_corpus(small).documents("train")
    assert (small / "train.tokens").read_bytes() == np.asarray(documents.tokens, "<u2").tobytes()
    assert (small / "train.offsets").read_bytes() == np.asarray(documents.offsets, "<i8").tobytes()
