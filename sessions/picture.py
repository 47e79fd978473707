"""What a screen shows, and which of its rows are newer than what a viewer has. Pure: no emulator, no socket."""

from collections.abc import Iterable

from sessions.protocol import Frame, Row


class Picture:
    """The rows, cursor, title and size last shown, each row with the version that it changed in.

    Attributes:
        version: grows by one whenever `show` changed anything.
        rows: every row's runs, top to bottom.
        title: of the window.
    """

    def __init__(self) -> None:
        self.version = 0
        self.rows: list[Row] = []
        self.title = ""
        self._size = (0, 0)
        self._cursor = (0, 0, True)
        self._row_versions: list[int] = []
        self._whole_since = 0

    def show(
        self, size: tuple[int, int], cursor: tuple[int, int, bool], title: str, rows: Iterable[tuple[int, Row]]
    ) -> None:
        """Take over the state of now; `rows` are those that may have changed, all of them when `size` did."""
        after = self.version + 1
        changed = (size, cursor, title) != (self._size, self._cursor, self.title)
        if size != self._size:
            self.rows = [()] * size[1]
            self._row_versions = [after] * size[1]
            self._whole_since = after
        for y, row in rows:
            if row != self.rows[y]:
                self.rows[y] = row
                self._row_versions[y] = after
                changed = True
        self._size, self._cursor, self.title = size, cursor, title
        if changed:
            self.version = after

    def frame_since(self, version: int | None) -> Frame:
        """The rows that changed after `version`.

        All rows where `version` is None, or older than the last change of size, or not one of this picture's.
        """
        full = version is None or not self._whole_since <= version <= self.version
        since = -1 if full or version is None else version
        changed = {y: self.rows[y] for y, at in enumerate(self._row_versions) if at > since}
        return Frame(full, *self._size, self._cursor, self.title, changed)
