"""The shards of a public data set, downloaded side by side into one folder, and believed only by their recorded sums.

    <folder>/
        shard_00000.parquet ...          whole and checked
        shard_00003.parquet.part ...     what has come of one so far, and what the server said of it (.part.json)
        downloads.json                   size and SHA-256 of every shard, recorded when it first came

A shard that was changed, or that comes again as another, is named and refused. Which shards, the caller says.
"""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from harness.download import DamagedError, Transfer, download
from harness.http_get import DownloadError, Promise
from harness.progress import Progress
from harness.result import RecordError
from harness.seal import Seal, SealError, map_sealed, seal_file
from harness.shards import ShardError, check_shard

RECORD_FILE: Final = "downloads.json"

# Connections at a time.
_AT_ONCE: Final = 8


@dataclass
class ShardDownloads:
    """A folder of downloaded shards.

    Attributes:
        folder: it; made when it is needed.
        url: the address below which the shards lie.
        draw: draws the line of progress; None: a line is said for each shard instead.
        pause: waits a number of seconds before another try; None: really, until another shard is given up.
    """

    folder: Path
    url: str
    draw: Callable[[str], None] | None = None
    pause: Callable[[float], object] | None = None
    _recorded: dict[str, Seal] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def bring(self, names: list[str], say: Callable[[str], None]) -> list[Path]:
        """The shards of these names, whole and checked; what is there is not downloaded again.

        Raises:
            DownloadError: one cannot be had, or is not what was recorded.
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._recorded = self._read_record()
        self._stop.clear()
        missing = [name for name in names if not self._is_there(name)]
        if missing:
            say(f"downloading {len(missing)} of {len(names)} shards from {self.url}")
            self._bring_all(missing, say)
        return [self.folder / name for name in names]

    def _bring_all(self, names: list[str], say: Callable[[str], None]) -> None:
        progress = Progress(len(names), self.draw or (lambda _text: None))
        told = say if self.draw is None else (lambda _line: None)
        pool = ThreadPoolExecutor(_AT_ONCE, "download")
        try:
            jobs = [pool.submit(self._bring, name, progress, told) for name in names]
            done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in jobs:
                if job in done:
                    job.result()
        finally:  # also for a person's Ctrl-C: what has come stays, to go on with
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            if self.draw is not None:
                self.draw("")

    def _bring(self, name: str, progress: Progress, say: Callable[[str], None]) -> None:
        part = self.folder / f"{name}.part"
        transfer = Transfer(progress.got, progress.have, progress.expect, self.pause or self._stop.wait)
        transfer.stopped = self._stop.is_set
        download(f"{self.url}/{name}", part, partial(self._check, name), transfer)
        self._record(name, seal_file(part))  # first: a shard without a record would be refused
        part.replace(self.folder / name)
        say(f"{name} has come")

    def _check(self, name: str, part: Path, promise: Promise) -> None:
        """Raise DamagedError unless this is the shard that was promised, recorded, and parquet at all."""
        known = self._recorded.get(name)
        seal = seal_file(part)
        if promise.sha256 and seal.sha256 != promise.sha256:
            raise DamagedError("its SHA-256 is not the one that the server names; try again later")
        if known is not None and seal != known:
            raise DamagedError(
                f"it differs from the one that was recorded before; if the data set changed, remove {self.folder}"
            )
        try:
            check_shard(part)
        except ShardError as error:
            raise DamagedError(f"{error}; try again later") from None

    def _is_there(self, name: str) -> bool:
        """Whether a shard need not be downloaded.

        Raises:
            DownloadError: it is there, and is not the one that was recorded.
        """
        path = self.folder / name
        if not os.path.lexists(path):
            return False
        if name not in self._recorded:
            raise DownloadError(f"{path} is there without a record of its download; remove it")
        try:
            map_sealed(path, self._recorded[name])
        except SealError as error:
            raise DownloadError(f"{error}; remove it, and it is downloaded again") from None
        return True

    def _read_record(self) -> dict[str, Seal]:
        path = self.folder / RECORD_FILE
        try:
            return {str(name): Seal.from_dict(seal) for name, seal in json.loads(path.read_bytes()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, RecursionError, RecordError) as error:
            raise DownloadError(f"{path} is broken ({type(error).__name__}); remove {self.folder}") from None

    def _record(self, name: str, seal: Seal) -> None:
        with self._lock:
            self._recorded[name] = seal
            text = json.dumps({one: asdict(seal) for one, seal in sorted(self._recorded.items())}, indent=1)
            new = self.folder / f"{RECORD_FILE}.new"
            with new.open("w", encoding="utf-8") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self.folder / RECORD_FILE)
