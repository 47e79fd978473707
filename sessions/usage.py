"""What an agent has used: tokens, and dollars where they are known. Pure; nothing is formatted here."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.result import Record, RecordError


@dataclass(frozen=True)
class Usage(Record):
    """Tokens, all of them 0 or more.

    Attributes:
        input: that the model read, those in `cached` and `written` included.
        cached: of them, read from a cache.
        written: of them, written to a cache.
        output: that the model wrote, its thoughts included.
        unpriced: of all of them, those whose cost is not known.
        cost: dollars, of the others.
    """

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    unpriced: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.output

    @property
    def dollars(self) -> float | None:
        """What all of them cost; None where that is not known of some, and where there are none."""
        return None if self.unpriced or not self.tokens else self.cost

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.written + other.written,
            self.output + other.output,
            self.unpriced + other.unpriced,
            self.cost + other.cost,
        )

    def __sub__(self, earlier: "Usage") -> "Usage":
        """What was used since `earlier`; never less than nothing."""
        return Usage(
            max(0, self.input - earlier.input),
            max(0, self.cached - earlier.cached),
            max(0, self.written - earlier.written),
            max(0, self.output - earlier.output),
            max(0, self.unpriced - earlier.unpriced),
            max(0.0, self.cost - earlier.cost),
        )


@dataclass(frozen=True)
class Price:
    """What a model costs, in dollars per million tokens.

    Attributes:
        model: searched in the model's name, as the agent's log gives it.
        input, output: of tokens read and written.
        cached: of tokens read from a cache; None: as `input`.
        written: of tokens written to a cache; None: as `input`.
    """

    model: re.Pattern[str]
    input: float
    output: float
    cached: float | None = None
    written: float | None = None

    def of(self, usage: Usage) -> float:
        """The dollars that a usage costs."""
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.written is None else self.written
        plain = max(0, usage.input - usage.cached - usage.written)
        spent = plain * self.input + usage.cached * cached + usage.written * written + usage.output * self.output
        return spent / 1_000_000


@dataclass(frozen=True)
class Prices:
    """The prices that the person has set; the first one whose pattern fits a model holds for it."""

    prices: tuple[Price, ...] = ()

    def usage_of(self, models: Mapping[str, Usage]) -> Usage:
        """The sum of the usage of several models; a price holds for what the log itself gave no cost for."""
        total = Usage()
        for model, usage in models.items():
            price = next((one for one in self.prices if one.model.search(model)), None)
            if price is None or not usage.tokens:
                total += usage
            else:
                share = usage.unpriced / usage.tokens
                total += replace(usage, unpriced=0, cost=usage.cost + share * price.of(usage))
        return total


def since_last_verdict(total: Usage, recorded: Iterable[Mapping[str, Any]]) -> Usage:
    """What an experiment that ends now has used: all that no earlier one has.

    So nothing needs to be remembered between two verdicts, and a crash between them loses nothing.

    Args:
        total: the session's usage so far.
        recorded: `usage` of the experiments before, as the ledger has it; what is no usage counts as none.
    """
    before = Usage()
    for one in recorded:
        with contextlib.suppress(RecordError):
            before += Usage.from_dict(one)
    since = total - before
    if before.unpriced > total.unpriced:  # she has set a price since: the cost of those before is not this one's
        since = replace(since, unpriced=since.tokens, cost=0.0)
    return since
