"""Reads `prices.toml` in the person's configuration directory: what the models cost that her agents use.

Without it a cost is known only where the agent's own log gives one. We ship no prices: they change, and differ by
contract. In dollars per million tokens; the first entry whose pattern is found in the model's name holds, so that a
last one with `model = ''` holds for all others. As long as a model has no price, the sum has none.

    [[price]]
    model = '^gpt-5'
    input = 1.25
    cached = 0.125     # read from a cache; without it as input
    written = 1.25     # written to a cache; without it as input
    output = 10
"""

from pathlib import Path

from harness.errors import ClearError
from sessions.profile_table import ProfileError, Table
from sessions.usage import Price, Prices


class PriceError(ClearError):
    """A prices.toml that has a mistake; the text names the file and the key."""


def load_prices(config_home: Path) -> Prices:
    """Read the person's prices; none where there is no file.

    Raises:
        PriceError: it has a mistake.
    """
    path = config_home / "prices.toml"
    if not path.exists():
        return Prices()
    try:
        table = Table.read(path)
        prices = tuple(_price(one) for one in table.tables("price"))
        table.done()
    except ProfileError as error:
        raise PriceError(str(error)) from None
    return Prices(prices)


def _price(table: Table) -> Price:
    unit = "dollars per million tokens"
    price = Price(
        model=table.pattern("model"),
        input=table.amount("input", unit),
        output=table.amount("output", unit),
        cached=table.amount("cached", unit, None),
        written=table.amount("written", unit, None),
    )
    table.done()
    return price
