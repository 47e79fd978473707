"""A corpus from a folder or from downloaded shards is made of that text, and says when it is not the one asked for."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.__main__ import main
from harness.corpus import Corpus, CorpusError, open_corpus, prepare
from harness.errors import ClearError
from harness.manifest import read_manifest
from harness.progress import Progress, drawer, line
from harness.settings import CLIMBMIX, EMBEDDED, PRESETS, REFERENCE
from harness.shards import write_shards
from harness.sources import Folder, Function, Shards, chosen_source
from harness.text_folder import split_text
from harness.texts import Texts, beginnings, divide
from tests.harness.shard_server import ShardServer, serving

SMALL = replace(EMBEDDED, name="small", vocab_size=300)
LINES = Path(__file__).read_text(encoding="utf-8").splitlines()
TRAIN = ["\n".join(LINES[at : at + 5]) for at in range(0, 150, 5)]
VAL = ["for validation, naïve 🙂", "more of it"]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands between the tests and 127.0.0.1."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parquet files of a person's."""
    (folder := tmp_path / "mine").mkdir()
    for name, texts in (("b.parquet", VAL), ("a.parquet", TRAIN)):
        parquet.write_table(pa.table({"text": texts, "other": [0] * len(texts)}), folder / name)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ShardServer]:
    """Two shards for training, and shard 7 for validation."""
    (made := tmp_path / "made").mkdir()
    with serving() as server:
        for number, texts in ((0, TRAIN[:20]), (1, TRAIN[20:]), (7, VAL)):
            (name,) = write_shards(made, [], texts)
            server.files[f"shard_{number:05d}.parquet"] = (made / name).read_bytes()
        yield server


def make(tmp_path: Path, source: Folder | Shards | Function, fresh: bool = False) -> Corpus:
    return prepare(tmp_path / "corpus", SMALL, lambda _line: None, fresh, source)


def texts_of(corpus: Corpus, split: str) -> list[str]:
    documents = corpus.documents(split)
    return [corpus.encoding().decode(documents[i][1:].tolist()) for i in range(len(documents))]


def shards_at(url: str, out: Path) -> Shards:
    source = chosen_source(SMALL, out, url, 2, 7)
    assert isinstance(source, Shards)
    return source


def test_parquet_files_are_the_corpus(tmp_path: Path, folder: Path) -> None:
    """Of a folder of parquet files the last is for validation, the others, in order of their names, for training."""
    corpus = make(tmp_path, Folder(folder))
    assert (texts_of(corpus, "train"), texts_of(corpus, "val")) == (TRAIN, VAL)
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "b.parquet"]


def test_text_files_are_the_corpus(tmp_path: Path) -> None:
    """Of text files each paragraph is in exactly one document, and each document in one split."""
    (folder := tmp_path / "texts").mkdir()
    paragraphs = [f"paragraph {number}: " + "words " * 90 for number in range(200)]
    (folder / "one.txt").write_text("\n\n".join(paragraphs[:150]), encoding="utf-8")
    (folder / "two.md").write_text("\n \n".join(paragraphs[150:]), encoding="utf-8")
    (folder / ".hidden").write_text("never")
    corpus = make(tmp_path, Folder(folder))
    train, val = texts_of(corpus, "train"), texts_of(corpus, "val")
    found = [part.strip() for text in (*train, *val) for part in text.replace("\n \n", "\n\n").split("\n\n")]
    assert sorted(found) == sorted(part.strip() for part in paragraphs)
    assert 0 < len(val) < len(train)


def test_downloaded_shards_are_the_corpus(tmp_path: Path, server: ShardServer) -> None:
    """Of a data set the first shards are for training, the pinned one for validation; it asks once."""
    source = shards_at(server.url, tmp_path / "corpus")
    corpus = make(tmp_path, source)
    assert (texts_of(corpus, "train"), texts_of(corpus, "val")) == (TRAIN, VAL)
    names = ["shard_00000.parquet", "shard_00001.parquet", "shard_00007.parquet"]
    assert read_manifest(corpus.path).shards == names
    make(tmp_path, source)
    again = make(tmp_path, source, fresh=True)
    assert again.id == corpus.id
    assert sorted(server.asked) == [(name, "") for name in names]


def test_the_way_text_comes_changes_no_token(tmp_path: Path, folder: Path, server: ShardServer) -> None:
    """The same documents have one corpus id, whether from memory, a folder or a server."""
    ids = {
        prepare(tmp_path / "x", SMALL, lambda _line: None, source=lambda: Texts(TRAIN, VAL)).id,
        make(tmp_path, Folder(folder)).id,
        make(tmp_path, shards_at(server.url, tmp_path / "corpus"), fresh=True).id,
    }
    assert len(ids) == 1


def test_a_shard_that_is_gone_bad_makes_no_corpus(tmp_path: Path, server: ShardServer) -> None:
    """When a download was changed, `fresh` names it and leaves the corpus that is there."""
    source = shards_at(server.url, tmp_path / "corpus")
    corpus = make(tmp_path, source)
    cached = source.downloads / "shard_00000.parquet"
    content = cached.read_bytes()
    cached.unlink()  # the corpus has the same file under its own name
    cached.write_bytes(content[:-1] + b"?")
    with pytest.raises(ClearError, match=r"shard_00000\.parquet changed since"):
        make(tmp_path, source, fresh=True)
    assert make(tmp_path, source).id == corpus.id


@pytest.mark.parametrize("change", ["changed", "is gone", "is new"])
def test_a_folder_that_changed_is_named(tmp_path: Path, folder: Path, change: str) -> None:
    """Asked for a folder whose files are others than those of the corpus, it names the file and the remedy."""
    made = make(tmp_path, Folder(folder))
    file = folder / "a.parquet"
    if change == "changed":
        write_shards(tmp_path, [], [*TRAIN, "more"])
        (tmp_path / "shard_00000.parquet").replace(file)
    elif change == "is gone":
        file.rename(folder / "0.parquet")
        file = folder / "0.parquet"
        change = "is new"
    else:
        file = folder / "c.parquet"
        parquet.write_table(pa.table({"text": VAL}), file)
    with pytest.raises(CorpusError, match=rf"{file.name} of .* {change} since .*--fresh"):
        make(tmp_path, Folder(folder))
    assert prepare(made.path, SMALL, lambda _line: None).id == made.id
    make(tmp_path, Folder(folder), fresh=True)


def test_another_source_is_not_taken_for_it(tmp_path: Path, folder: Path) -> None:
    """A corpus of one source is refused when another is asked for; asked for none, it is opened."""
    corpus = make(tmp_path, Folder(folder))
    with pytest.raises(CorpusError, match=r"was made from the folder .*, not from Python's own library"):
        make(tmp_path, Function())
    assert prepare(corpus.path, SMALL, lambda _line: None).id == corpus.id


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "is empty"),
        ({"a.parquet": b"PAR1"}, "holds one parquet file"),
        ({"a.parquet": b"PAR1", "b.txt": b"x"}, r"b\.txt is no parquet file"),
        ({"a.txt": b"x", "b.png": b"x"}, r"b\.png is no text file"),
        ({"a.txt": b"caf\xe9"}, r"a\.txt is not UTF-8: byte 3 "),
        ({"a.parquet": b"PAR1 nothing PAR1", "b.parquet": b""}, r"a\.parquet is no whole parquet file"),
        ({"a.txt": b" \n\n "}, "no text"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    """A folder that holds nothing, a mixture or broken files is one line that names what is wrong, and no corpus."""
    (folder := tmp_path / "mine").mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(ClearError, match=reason) as caught:
        make(tmp_path, Folder(folder))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"words": ["x"]}, "has no column `text`"),
        ({"text": [1]}, "has int64 in its column"),
        ({"text": ["x", None]}, "has rows without a text"),
    ],
)
def test_parquet_without_texts_is_named(
    tmp_path: Path, folder: Path, column: dict[str, list[object]], reason: str
) -> None:
    """A parquet file without a text in every row is one line that names the file."""
    parquet.write_table(pa.table(column), folder / "a.parquet")
    with pytest.raises(ClearError, match=rf"parquet {reason}"):
        make(tmp_path, Folder(folder))


def test_a_damaged_page_is_named(tmp_path: Path, folder: Path) -> None:
    """Rows that cannot be decompressed are one line that names the file."""
    content = bytearray((folder / "a.parquet").read_bytes())
    content[20:400] = b"\xff" * 380
    (folder / "a.parquet").write_bytes(content)
    with pytest.raises(ClearError, match=r"shard_00000\.parquet is damaged|a\.parquet is"):
        make(tmp_path, Folder(folder))


def test_a_preset_knows_its_source(tmp_path: Path) -> None:
    """Without a choice the embedded preset reads Python's library, the reference its data set, beside the corpus."""
    assert chosen_source(EMBEDDED, tmp_path / "c") == Function()
    assert chosen_source(REFERENCE, tmp_path / "c") == Shards(CLIMBMIX, tmp_path / "c.downloads")
    assert chosen_source(REFERENCE, tmp_path / "c", "library") == Function()
    assert chosen_source(EMBEDDED, tmp_path / "c", "climbmix") == Shards(CLIMBMIX, tmp_path / "c.downloads")
    mirror = chosen_source(REFERENCE, tmp_path / "c", "https://example.org/x/", 3)
    assert isinstance(mirror, Shards)
    assert (mirror.shards.url, mirror.shards.train_shards, mirror.shards.val_shard) == (
        "https://example.org/x",
        3,
        6542,
    )
    assert mirror.name == "https://example.org/x (shards 0 to 2 for training, 6542 for validation)"


@pytest.mark.parametrize(
    ("preset", "where", "shards", "val"),
    [
        ("embedded", "", 3, -1),
        ("embedded", "folder", 3, -1),
        ("embedded", "folder", 0, 5),
        ("reference", "", 6543, -1),
        ("reference", "", 3, 2),
        ("reference", "ftp://example.org/x", 0, -1),
        ("reference", "https://me:secret@example.org/x", 0, -1),
        ("reference", "https://example.org/x?key=secret", 0, -1),
        ("reference", "https:///x", 0, -1),
        ("reference", "https://[x", 0, -1),
        ("reference", "https://example.org/a b", 0, -1),
    ],
)
def test_a_choice_without_sense_is_refused(tmp_path: Path, preset: str, where: str, shards: int, val: int) -> None:
    """Numbers of shards where there are none, or too many, and addresses with a key in them are one line without it."""
    with pytest.raises(ClearError) as caught:
        chosen_source(PRESETS[preset], tmp_path, where, shards, val)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_command_line_makes_it(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`prepare --from` a folder makes its corpus and says its id; a place that is none is one line without keys."""
    out = ["--out", str(tmp_path / "corpus")]
    assert main(["prepare", *out, "--from", str(folder)]) == 0
    assert read_manifest(tmp_path / "corpus").identity in capsys.readouterr().out
    assert main(["prepare", *out, "--fresh", "--from", str(tmp_path / "nowhere")]) == 1
    assert str(tmp_path / "nowhere") in capsys.readouterr().err
    assert main(["prepare", *out, "--from", "https://me:key@example.org"]) == 1
    assert "key@" not in capsys.readouterr().err


def test_making_again_is_no_guess(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--fresh` alone does not replace a folder's corpus by the preset's own text; with the place said it makes it."""
    out = ["--out", str(tmp_path / "corpus")]
    assert main(["prepare", *out, "--from", str(folder)]) == 0
    made = read_manifest(tmp_path / "corpus")
    assert main(["prepare", *out, "--fresh"]) == 1
    assert f"was made from the folder {folder}; say with --from" in capsys.readouterr().err
    assert read_manifest(tmp_path / "corpus") == made
    assert main(["prepare", *out]) == 0
    assert main(["prepare", *out, "--fresh", "--from", str(folder)]) == 0


def test_a_remedy_names_the_preset(tmp_path: Path) -> None:
    """What is said of a corpus that is missing makes that preset's, not another's."""
    with pytest.raises(CorpusError, match=r"run `autoresearch-tui prepare --preset reference`$"):
        open_corpus(tmp_path / "reference")
    with pytest.raises(CorpusError, match=r"run `autoresearch-tui prepare`$"):
        open_corpus(tmp_path / "embedded")


def test_the_command_line_downloads(tmp_path: Path, server: ShardServer, capsys: pytest.CaptureFixture[str]) -> None:
    """`prepare --from URL` makes a corpus, says each shard, draws nothing where no terminal is; --help explains."""
    asked = ["prepare", "--out", str(tmp_path / "c"), "--from", server.url, "--shards", "2", "--val-shard", "7"]
    assert main(asked) == 0
    said = capsys.readouterr()
    assert "shard_00007.parquet has come" in said.out
    assert not said.err
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    assert "A download that broke off goes on" in capsys.readouterr().out


PREPARE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from harness.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_who_is_ended_half_way_goes_on_later(tmp_path: Path, server: ShardServer, end: signal.Signals) -> None:
    """Killed while a shard comes, or stopped by a person in a pause, it leaves no corpus, and the next one makes it."""
    name = "shard_00001.parquet"
    server.faults[name] = ["stick"] if end == signal.SIGKILL else ["429"]
    asked = ["prepare", "--out", str(tmp_path / "c"), "--from", server.url, "--shards", "2", "--val-shard", "7"]
    with subprocess.Popen([sys.executable, "-c", PREPARE, *asked], stderr=subprocess.PIPE, text=True) as first:
        try:
            assert (server.stuck if end == signal.SIGKILL else server.refused).wait(60)
            first.send_signal(end)
            _, said = first.communicate(timeout=60)
        finally:
            first.kill()
    assert first.returncode == (130 if end == signal.SIGINT else -end)
    assert said == (
        "harness: stopped; what was downloaded is kept, and the same command goes on with it\n" * (end == 2)
    )
    assert not (tmp_path / "c").exists()
    assert main(asked) == 0
    assert (texts_of(open_corpus(tmp_path / "c"), "train"), server.faults[name]) == (TRAIN, [])


@given(st.text(alphabet="ab \n", max_size=400), st.integers(1, 40))
def test_no_word_is_lost(text: str, times: int) -> None:
    """Cut into documents, a text keeps all that is not blank, in order."""
    whole = text * times
    assert "".join("".join(split_text(whole)).split()) == "".join(whole.split())


@given(st.lists(st.text(max_size=9)))
def test_no_document_is_in_both_splits(documents: list[str]) -> None:
    """Divided, every document is there once, whatever their order."""
    texts = divide(documents)
    assert sorted([*texts.train, *texts.val]) == sorted(set(documents))
    assert divide(reversed(documents)) == texts


def test_a_tokenizer_learns_from_beginnings() -> None:
    """Of each text the first characters count, and texts end with the one that fills the total."""
    assert list(beginnings(["abcdef", "gh", "ijkl", "m"], 3, 6)) == ["abc", "gh", "ijk"]
    assert list(beginnings(["abcdef", "gh"], 0, 100)) == ["abcdef", "gh"]


def test_progress_is_one_line() -> None:
    """The line says share, bytes, speed and time left; before a size is known it makes none up."""
    assert line(4, [100_000_000], 50_000_000, 10e6) == (
        "[###---------------------]  12% of 4 shards, 50 MB of about 400, 10.0 MB/s, 35 s left"
    )
    assert line(1, [2_000_000], 2_000_000, 0.0) == "[########################] 100% of 1 shards, 2 MB of 2"
    assert line(3, [], 0, 0.0).startswith("[------------------------]   0% of 3 shards")


def test_progress_counts_what_is_thrown_away() -> None:
    """Bytes that were there count for the share and not for the speed; thrown away they do not count."""
    clock = iter([0.0, 10.0, 20.0])
    lines: list[str] = []
    progress = Progress(1, lines.append, lambda: next(clock))
    progress.expect(100_000_000)
    progress.have(50_000_000)
    progress.got(10_000_000)
    progress.have(-60_000_000)
    progress.got(10_000_000)
    assert "60%" in lines[0]
    assert "1.0 MB/s" in lines[0]
    assert "10%" in lines[1]


def test_a_bar_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where standard error is no terminal nothing draws; where it is, one line is drawn over itself."""
    assert drawer() is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    draw = drawer()
    assert draw is not None
    draw("half")
    assert capsys.readouterr().err == "\r\x1b[2Khalf"
