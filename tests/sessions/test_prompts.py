"""The person's own prompts: some of them, mistaken ones, and braces."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import prompts
from sessions.prompts import PLACEHOLDERS, Occasion, PromptError, Prompts, load_prompts

_FIELDS = dict.fromkeys(PLACEHOLDERS, "x")


def _own(folder: Path, text: str) -> Prompts:
    (folder / "prompts.toml").write_text(text)
    return load_prompts(folder)


def test_there_is_a_text_for_each_occasion(tmp_path: Path) -> None:
    """Ours are complete: nobody has to write one."""
    assert load_prompts(tmp_path).texts.keys() == set(get_args(Occasion))


def test_our_file_explains_every_placeholder() -> None:
    """The head of prompts.toml is the person's documentation: it names each placeholder, and none that is not."""
    head, _, _ = prompts._PACKAGED.read_text().partition("brief =")
    assert set(re.findall(r"\{([a-z_]+)\}", head)) == PLACEHOLDERS


def test_hers_take_the_place_of_ours(tmp_path: Path) -> None:
    """A file with one key changes that text alone; it may go over several lines."""
    ours = load_prompts(tmp_path / "nowhere")
    hers = _own(tmp_path, 'nudge = """\nOn with\n  {next}, {{please}}:\t{best}\n"""\n')
    assert hers.filled("nudge", {**_FIELDS, "next": "7", "best": "1.5"}) == "On with 7, {please}: 1.5"
    assert {**hers.texts, "nudge": ""} == {**ours.texts, "nudge": ""}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('nudge = "{bests}"', "nudge: {bests} is no placeholder; there are baseline, best,"),
        ('nudge = "{}"', "nudge: {} is no placeholder"),
        ('nudge = "{best.__class__}"', "is no placeholder"),
        ('nudge = "{0}"', "is no placeholder"),
        ('nudge = "a { b"', "nudge: has a single {; write {{ for a brace"),
        ('nudge = "a } b"', "nudge: has a single }; write }} for a brace"),
        ('nugde = "x"', "nugde: is an unknown key"),
        ("nudge = 3", "nudge: must be: a text"),
        ("nudge = ['x']", "nudge: must be: a text"),
        ('nudge = " \\n \\u001b[0m"', "nudge: is empty"),
        pytest.param(f'nudge = "{1501 * "x"}"', "nudge: has 1501 characters; 1500 is the most", id="long"),
        ("[nudge]\ntext = 'x'", "nudge: must be: a text"),
        ("nudge = ", "cannot be read"),
        ('"\\u001b[31m" = "x"', "unknown key"),
    ],
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """A mistake in the person's file names file and key, in one clean line."""
    with pytest.raises(PromptError) as caught:
        _own(tmp_path, text)
    assert says in str(caught.value)
    assert "prompts.toml: " in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_that_cannot_be_read_is_a_mistake_too(tmp_path: Path) -> None:
    """A folder, or bytes that are no text, in the place of the file are said as well."""
    (tmp_path / "prompts.toml").mkdir()
    with pytest.raises(PromptError, match="cannot be read"):
        load_prompts(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "prompts.toml").write_bytes(b'nudge = "\xff"')
    with pytest.raises(PromptError, match="cannot be read"):
        load_prompts(other)


@given(st.lists(st.sampled_from(["{{", "}}", "{best}", "a", " "]), max_size=12), st.text("{}best “", max_size=12))
def test_what_is_filled_in_is_not_looked_at_again(parts: list[str], value: str) -> None:
    """A placeholder becomes its value as it is, two braces become one, and nothing is done twice."""
    told = Prompts({"nudge": "".join(parts)}).filled("nudge", {**_FIELDS, "best": value})
    meant = {"{{": "{", "}}": "}", "{best}": value}
    assert told == " ".join("".join(meant.get(part, part) for part in parts).split())
