"""What an attempt to escape is, and what it is given: a function that gets what it should not have, or raises."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CALLS = "system calls"  # no promise of its own: what the filter refuses for the sake of another
MOST_PROCESSES = 40
MOST_MEMORY = 256 << 20
FILE_SIZE = 1 << 20
CONTENT = "a validation target"


@dataclass(frozen=True)
class Surroundings:
    """What is there to be reached.

    Attributes:
        place: holds `scratch`, which may be written to; `outside`, which may not be touched; and `tools`, which may be
            run, one of which is `own`, a file of this user's that may be read.
        own: a file in `outside` that this attempt has to itself.
        victim: a process of the same user.
        port: where somebody listens on 127.0.0.1, TCP.
        address: in the victim's memory, of 16 letters.
        pipe: a descriptor of the victim's, the writing end of a pipe.
    """

    place: Path
    own: Path
    victim: int
    port: int
    address: int
    pipe: int

    @property
    def scratch(self) -> Path:
        return self.place / "scratch"


Attempt = Callable[[Surroundings], None]

attempts: dict[str, Attempt] = {}
aims: dict[str, str] = {}


def against(confined: str) -> Callable[[Attempt], Attempt]:
    """An attempt to get round what the sandbox calls this."""

    def register(way: Attempt) -> Attempt:
        attempts[way.__name__] = way
        aims[way.__name__] = confined
        return way

    return register


def must(condition: object) -> None:
    """Count an attempt that was not refused, and got nothing either, as stopped."""
    if not condition:
        raise PermissionError("it had no effect")
