"""A shard that came over HTTP is the right one or is refused, whatever the server and the connection do."""

import errno
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.download import Transfer, download
from harness.http_get import DownloadError, Promise, _Redirects
from harness.shard_downloads import ShardDownloads
from harness.shards import read_texts, write_shards
from tests.harness.shard_server import ShardServer, serving

NAMES = ["shard_00000.parquet", "shard_00001.parquet"]
NAME = NAMES[0]
TEXTS = [f"document {number}: {number**7}" for number in range(3000)]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands between the tests and 127.0.0.1."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, TEXTS, ["for validation"])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(shards: dict[str, bytes]) -> Iterator[ShardServer]:
    with serving() as server:
        server.files = dict(shards)
        yield server


class Client:
    """Downloads into a folder, and remembers the pauses instead of making them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.pauses: list[float] = []
        self.said: list[str] = []
        self._url = url

    def bring(self, *names: str) -> list[Path]:
        """As a new process would."""
        return ShardDownloads(self.folder, self._url, pause=self.pauses.append).bring(list(names), self.said.append)

    def refused(self, *names: str) -> str:
        with pytest.raises(DownloadError) as caught:
            self.bring(*names)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def client(tmp_path: Path, server: ShardServer) -> Client:
    return Client(tmp_path / "downloads", server.url)


def test_shards_come_whole_and_once(client: Client, server: ShardServer) -> None:
    """What is brought are the server's files; nothing is asked for twice, and no part of one is left."""
    brought = client.bring(*NAMES)
    assert [path.read_bytes() for path in brought] == [server.files[name] for name in NAMES]
    assert list(read_texts(brought)) == [*TEXTS, "for validation"]
    assert client.bring(*NAMES) == brought
    assert sorted(server.asked) == [(name, "") for name in NAMES]
    assert sorted(path.name for path in client.folder.iterdir()) == ["downloads.json", *NAMES]
    assert client.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "faults",
    [
        ["drop"],
        ["drop", "drop", "drop", "drop", "drop", "drop", "drop", "drop"],
        ["hang up", "hang up"],
        ["500", "503"],
        ["429"],
        ["lie: longer"],
        ["lie: shorter"],
        ["a page"],
        ["broken chunks"],
        ["no length"],
        ["redirect"],
        ["redirect, forged"],
        ["drop", "no ranges"],
        ["drop", "another range"],
        ["drop", "416"],
        ["drop", "hang up", "500", "drop", "redirect"],
        ["corrupt", "redirect"],
    ],
    ids=", ".join,
)
def test_what_passes_is_got_over(client: Client, server: ShardServer, faults: list[str]) -> None:
    """After failures that may pass, the shard is the server's, to the byte."""
    server.faults[NAME] = [*faults]
    if faults[0] == "corrupt":  # which only one who knows the sum can see
        client.folder.mkdir()
        record(client, server.files)
    (path,) = client.bring(NAME)
    assert path.read_bytes() == server.files[NAME]
    assert not server.faults[NAME]


def record(client: Client, files: dict[str, bytes]) -> None:
    """Have the sums of files recorded, as if they had come before."""
    other = Client(client.folder.with_name("other"), "")
    with serving() as good:
        good.files = files
        Client(other.folder, good.url).bring(NAME)
    (other.folder / "downloads.json").rename(client.folder / "downloads.json")


def test_what_broke_off_is_gone_on_with(client: Client, server: ShardServer) -> None:
    """After a drop only the rest is asked for, in this process and in a later one."""
    half = len(server.files[NAME]) // 2
    server.faults[NAME] = ["drop", "404"]
    assert "404" in client.refused(NAME)
    assert (client.folder / f"{NAME}.part").stat().st_size == half
    client.bring(NAME)
    assert server.asked == [(NAME, ""), (NAME, f"bytes={half}-"), (NAME, f"bytes={half}-")]


def test_nothing_is_joined_that_may_not_fit(client: Client, server: ShardServer) -> None:
    """Of a server that does not say which version it sends, and of a file that changed, no part is gone on with."""
    server.faults[NAME] = ["drop", "404"]
    client.refused(NAME)
    server.files[NAME] = server.files[NAMES[1]]
    (path,) = client.bring(NAME)
    assert path.read_bytes() == server.files[NAME]
    server.validators = False
    server.faults[NAMES[1]] = ["drop"]
    client.bring(NAMES[1])
    assert server.asked[-1] == (NAMES[1], "")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang up", "closed connection"),
        ("500", "answers 500"),
        ("429", "answers 429"),
        ("404", "answers 404"),
        ("403", "answers 403"),
        ("lie: shorter", "no whole parquet file"),
        ("a page", "no whole parquet file"),
        ("redirect, forged", "SHA-256 is not the one that the server names"),
        ("redirect, another size", "name two sizes"),
        ("redirect for ever", "302"),
        ("redirect to a file", "not allowed"),
    ],
)
def test_what_lasts_is_refused(client: Client, server: ShardServer, fault: str, reason: str) -> None:
    """A failure that does not pass is one line with the address and the reason; nothing is taken for a shard."""
    server.faults[NAME] = [fault] * 30
    said = client.refused(NAME)
    assert reason in said
    assert f"{server.url}/{NAME}" in said
    assert not (client.folder / NAME).exists()
    assert len(server.asked) <= 12


def test_a_promise_of_more_is_refused(client: Client, server: ShardServer) -> None:
    """A server that promises more bytes than it ever sends is refused after six tries without progress."""
    server.faults[NAME] = ["lie: longer"] * 30
    assert "cannot be downloaded" in client.refused(NAME)
    assert not (client.folder / NAME).exists()


def test_pauses_grow_and_the_servers_wish_is_heard(client: Client, server: ShardServer) -> None:
    """Between tries there are growing pauses, with chance in them, and never shorter than the server asks."""
    server.faults[NAME] = ["hang up"] * 5
    client.bring(NAME)
    assert [2 ** (n - 1) <= pause <= 2**n for n, pause in enumerate(client.pauses, start=1)] == [True] * 5
    client.pauses.clear()
    server.faults[NAMES[1]] = ["429"]
    client.bring(NAMES[1])
    assert client.pauses == [7.0]


@pytest.mark.parametrize("damage", ["flip", "cut", "grow"])
def test_a_changed_shard_is_named(client: Client, server: ShardServer, damage: str) -> None:
    """A cached shard that changed is named and refused, asked for again only when it was removed."""
    (path,) = client.bring(NAME)
    content = path.read_bytes()
    changed = {
        "flip": content[:50] + bytes([content[50] ^ 4]) + content[51:],
        "cut": content[:-1],
        "grow": content + b"x",
    }
    path.write_bytes(changed[damage])
    assert f"{path} changed since it was prepared" in client.refused(NAME)
    assert path.read_bytes() == changed[damage]
    assert len(server.asked) == 1
    path.unlink()
    assert client.bring(NAME)[0].read_bytes() == content


def test_another_shard_of_the_same_name_is_refused(client: Client, server: ShardServer) -> None:
    """A shard that comes again as another than was recorded is refused, and says what to do if the data changed."""
    (path,) = client.bring(NAME)
    path.unlink()
    server.files[NAME] = server.files[NAMES[1]]
    assert f"recorded before; if the data set changed, remove {client.folder}" in client.refused(NAME)
    assert not path.exists()


def test_a_shard_without_a_record_is_refused(client: Client) -> None:
    """A file that lies in the folder without a record of its download is not taken for one."""
    client.bring(NAME)
    (client.folder / NAMES[1]).write_bytes((client.folder / NAME).read_bytes())
    assert f"{client.folder / NAMES[1]} is there without a record" in client.refused(*NAMES)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"shard_00000.parquet": 3}', '{"shard_00000.parquet": {"size": "1"}}']
)
def test_a_broken_record_is_named(client: Client, content: str) -> None:
    """A record that is no record is one line that names it."""
    client.bring(NAME)
    (client.folder / "downloads.json").write_text(content)
    assert f"{client.folder / 'downloads.json'} is broken" in client.refused(NAME)


@pytest.mark.parametrize("note", ["", "{", '{"size": "x"}', '{"size": 3}', '{"size": 7, "validator": "\\"x\\""}'])
def test_a_broken_note_costs_only_time(client: Client, server: ShardServer, note: str) -> None:
    """When what was noted of a part is broken or does not fit it, the shard comes anew."""
    client.folder.mkdir()
    (client.folder / f"{NAME}.part").write_bytes(b"forged!")
    (client.folder / f"{NAME}.part.json").write_text(note)
    assert client.bring(NAME)[0].read_bytes() == server.files[NAME]


def test_who_dies_before_the_last_step_loses_nothing(client: Client, server: ShardServer) -> None:
    """A whole part with its record, as SIGKILL leaves it before the rename, is taken without another byte."""
    (path,) = client.bring(NAME)
    path.rename(part := client.folder / f"{NAME}.part")
    note = Promise(size=part.stat().st_size, validator='"any"')
    (client.folder / f"{NAME}.part.json").write_text(note.to_json())
    assert client.bring(NAME)[0].read_bytes() == server.files[NAME]
    assert len(server.asked) == 1


def test_when_one_fails_the_others_stop(client: Client, server: ShardServer) -> None:
    """One shard that is not there ends all; what came of the others is kept and recorded."""
    names = [f"shard_{number:05d}.parquet" for number in range(12)]
    server.files = dict.fromkeys(names, server.files[NAME])
    server.faults[names[5]] = ["404"]
    assert names[5] in client.refused(*names)
    kept = {path.name for path in client.folder.glob("*.parquet")}
    assert kept == set(json.loads((client.folder / "downloads.json").read_bytes())) if kept else True
    assert [path.name for path in client.bring(*names)] == names


def test_shards_come_side_by_side(client: Client, server: ShardServer) -> None:
    """Two downloads are under way at once: each waits until the other has begun."""
    both = threading.Barrier(2, timeout=30)

    class Waiting(ShardDownloads):
        def _bring(self, *arguments: object) -> None:
            both.wait()
            super()._bring(*arguments)  # type: ignore[arg-type]

    assert len(Waiting(client.folder, server.url).bring(NAMES, client.said.append)) == 2


def test_a_person_can_stop_it(tmp_path: Path, server: ShardServer) -> None:
    """When it is to stop, it stops between two pieces, and what has come stays."""
    asked = iter([False, True])
    with pytest.raises(DownloadError, match="given up"):
        download(f"{server.url}/{NAME}", tmp_path / "part", lambda *_: None, Transfer(stopped=lambda: next(asked)))
    assert (tmp_path / "part").stat().st_size > 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_spoken(tmp_path: Path, url: str) -> None:
    """No other kind of address is opened."""
    with pytest.raises(DownloadError, match="no http or https address"):
        download(url, tmp_path / "part", lambda *_: None, Transfer())


def test_no_way_leads_from_https_to_http() -> None:
    """A redirect from an encrypted connection to a plain one is not followed; to another encrypted one it is."""
    redirects = _Redirects({})
    asked = urllib.request.Request("https://example.org/shard")
    with pytest.raises(DownloadError, match="not https"):
        redirects.redirect_request(asked, None, 302, "Found", {}, "http://example.org/shard")
    assert redirects.redirect_request(asked, None, 302, "Found", {}, "https://cdn.example.org/shard") is not None


def test_a_full_disk_is_not_tried_again(tmp_path: Path, server: ShardServer) -> None:
    """An error of this machine while bytes come goes through as it is, without a second request."""

    def full(_count: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        download(f"{server.url}/{NAME}", tmp_path / "part", lambda *_: None, Transfer(got=full))
    assert len(server.asked) == 1
