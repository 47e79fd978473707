"""The person's prices: a file with some, none, and with mistakes."""

from pathlib import Path

import pytest

from sessions.prices import PriceError, load_prices
from sessions.usage import Prices, Usage

_GOOD = "[[price]]\nmodel = '^opus'\ninput = 15\noutput = 75.5\ncached = 1.5\n"


def _own(folder: Path, text: str) -> Prices:
    (folder / "prices.toml").write_text(text)
    return load_prices(folder)


def test_without_a_file_there_are_no_prices(tmp_path: Path) -> None:
    """Nobody has to set prices; without any no cost is made up."""
    assert load_prices(tmp_path / "nowhere") == Prices()


def test_every_key_is_read(tmp_path: Path) -> None:
    """What the file says is what things cost; what it leaves out costs as much as input."""
    (price,) = _own(tmp_path, _GOOD).prices
    assert (price.input, price.output, price.cached, price.written) == (15.0, 75.5, 1.5, None)
    assert _own(tmp_path, _GOOD).usage_of({"opus-5": Usage(output=2_000_000, unpriced=2_000_000)}).cost == 151.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_GOOD.replace("input", "imput"), "price 1 (no name): input: is missing: dollars per million tokens"),
        (_GOOD + "surprise = 1\n", "price 1 (no name): surprise: is an unknown key"),
        (_GOOD.replace("15", "-15"), "input: must be: dollars per million tokens, 0 or more"),
        (_GOOD.replace("15", "inf"), "input: must be: dollars per million tokens, 0 or more"),
        (_GOOD.replace("15", "true"), "input: must be: dollars per million tokens"),
        (_GOOD.replace("15", "'15'"), "input: must be: dollars per million tokens"),
        (_GOOD.replace("^opus", "^opus("), "model: is no regular expression"),
        (_GOOD.replace("[[price]]", "[price]"), "price: must be: written as [[price]]"),
        ("currency = 'EUR'", "currency: is an unknown key"),
        ("[[price", "cannot be read"),
    ],
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """A mistake names file and key, in one clean line."""
    with pytest.raises(PriceError) as caught:
        _own(tmp_path, text)
    assert says in str(caught.value)
    assert "prices.toml: " in str(caught.value)
    assert str(caught.value).isprintable()
