"""A TOML table of a person's or our own, read key by key, strictly: a typing mistake must not cost a night.

Unknown keys and values of another type are errors that name file and key. What the keys mean is their reader's
business.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from harness.errors import ClearError
from harness.text import one_line

_REQUIRED: Final = object()


class ProfileError(ClearError):
    """A profile that is missing or has a mistake; the text names the file and the key."""


class Table:
    """A table whose keys are taken one by one; what is left over at the end was a typing mistake."""

    def __init__(self, path: Path, where: str, data: dict[str, Any]) -> None:
        """Wrap `data`; `where` is put before a key in an error."""
        self._path, self._where, self._data = path, where, dict(data)

    @classmethod
    def read(cls, path: Path) -> "Table":
        """A whole file.

        Raises:
            ProfileError: it cannot be read, or is no TOML.
        """
        try:
            return cls(path, "", tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise ProfileError(f"{path}: cannot be read: {one_line(str(error))}") from None

    def fail(self, key: str, problem: str) -> NoReturn:
        """Complain about a key.

        Raises:
            ProfileError: always.
        """
        raise ProfileError(f"{self._path}: {self._where}{key}: {problem}")

    def _take(self, key: str, kinds: tuple[type, ...], expected: str, default: Any) -> Any:
        if key not in self._data and default is not _REQUIRED:
            return default
        value = self._data.pop(key, None)
        # TOML's true is no number here, though Python's is.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.fail(key, f"{'is missing' if value is None else 'must be'}: {expected}")
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> Any:
        """A text."""
        return self._take(key, (str,), "a text", default)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        return bool(self._take(key, (bool,), "true or false", default))

    def seconds(self, key: str, default: float | None) -> float | None:
        """A time, 0 or more."""
        value: float | None = self.amount(key, "seconds", default)
        return value

    def amount(self, key: str, unit: str, default: Any = _REQUIRED) -> Any:
        """A number, 0 or more; `unit` says of what."""
        value = self._take(key, (int, float), unit, default)
        if value is None or value is default:
            return value
        if not 0 <= value < float("inf"):
            self.fail(key, f"must be: {unit}, 0 or more")
        return float(value)

    def count(self, key: str, default: Any = _REQUIRED) -> int:
        """A whole number, 0 or more."""
        value: int = self._take(key, (int,), "a whole number", default)
        if value < 0:
            self.fail(key, "must be: a whole number, 0 or more")
        return value

    def choice(self, key: str, options: Sequence[str], default: Any = _REQUIRED) -> Any:
        """One of a few texts."""
        value = self._take(key, (str,), f"one of {', '.join(options)}", default)
        if value is not default and value not in options:
            self.fail(key, f"must be: one of {', '.join(options)}")
        return value

    def pattern(self, key: str, default: Any = _REQUIRED) -> Any:
        """A regular expression; the default where there is none."""
        text = self.text(key, default)
        return text if text is default else self._compiled(key, text)

    def _compiled(self, key: str, text: str) -> re.Pattern[str]:
        try:
            return re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            self.fail(key, f"is no regular expression: {error}")

    def texts(self, key: str, default: Any = _REQUIRED) -> list[str]:
        """A list of texts."""
        value: list[str] = self._take(key, (list,), "a list of texts", default)
        if not all(isinstance(one, str) for one in value):
            self.fail(key, "must be: a list of texts")
        return value

    def environment(self, key: str) -> dict[str, str]:
        """A table of texts, empty where there is none."""
        value: dict[str, str] = self._take(key, (dict,), "a table of texts", {})
        if not all(isinstance(one, str) for one in value.values()):
            self.fail(key, "must be: a table of texts")
        return value

    def patterns(self, key: str) -> dict[str, re.Pattern[str]]:
        """A table of regular expressions, empty where there is none."""
        return {name: self._compiled(f"{key}.{name}", text) for name, text in self.environment(key).items()}

    def table(self, key: str) -> "Table | None":
        """A table within this one."""
        value = self._take(key, (dict,), f"written as [{key}]", None)
        return None if value is None else Table(self._path, f"{self._where}{key}.", value)

    def tables(self, key: str) -> list["Table"]:
        """A list of tables, empty where there is none."""
        value = self._take(key, (list,), f"written as [[{key}]]", [])
        if not all(isinstance(one, dict) for one in value):
            self.fail(key, f"must be: written as [[{key}]]")
        named = [(n, one.get("name", one.get("event", "no name")), one) for n, one in enumerate(value, 1)]
        return [
            Table(self._path, f"{self._where}{key} {n} ({one_line(str(name), 40)}): ", one) for n, name, one in named
        ]

    def done(self) -> None:
        """Complain about what nobody has taken.

        Raises:
            ProfileError: there is something.
        """
        if self._data:
            self.fail(one_line(next(iter(self._data)), 60), "is an unknown key")
