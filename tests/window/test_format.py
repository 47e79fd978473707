"""Numbers as text, and lines cut to size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui import format as fmt
from autoresearch_tui.lines import Line, fit, joined, line, plain, spread, width, wrap
from autoresearch_tui.widgets.chart import chart_lines
from autoresearch_tui.widgets.diff import diff_lines
from autoresearch_tui.widgets.results import result_row
from harness.result import Experiment


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (fmt.bpb(0.97314), "0.9731"),
        (fmt.bpb(None), "–"),
        (fmt.bpb(float("nan")), "–"),
        (fmt.delta(-0.00121, 5), "−0.00121"),
        (fmt.delta(0.00042, 5), "+0.00042"),
        (fmt.delta(-0.00000001), "±0.0000"),
        (fmt.progress(3.21, 20.0), "3.2/20 s"),
        (fmt.progress(192.0, 300.0), "3:12/5:00"),
        (fmt.progress(4.0, 0.0), "4.0 s"),
        (fmt.duration(59.9), "59 s"),
        (fmt.duration(28920), "8 h 02"),
        (fmt.duration(3 * 86400 + 4 * 3600), "3 d 4 h"),
        (fmt.duration(-5), "0 s"),
        (fmt.countdown(11.2), "12 s"),
        (fmt.countdown(0.4), "1 s"),
        (fmt.countdown(2467.4), "41 min"),
        (fmt.countdown(7260.0), "2 h 01"),
        (fmt.tokens(812), "812 tok"),
        (fmt.tokens(9_940), "9.9 ktok"),
        (fmt.tokens(12_345), "12 ktok"),
        (fmt.tokens(999_499), "999 ktok"),
        (fmt.tokens(999_500), "1.0 Mtok"),
        (fmt.tokens(1_234_567), "1.2 Mtok"),
        (fmt.tokens(3_400_000_000), "3.4 Gtok"),
        (fmt.dollars(3.4), "$3.40"),
        (fmt.dollars(0.0), "$0.00"),
        (fmt.dollars(0.003), "<$0.01"),
        (fmt.dollars(127.6), "$128"),
        (fmt.dollars(None), "–"),
        (fmt.ago(3), "just now"),
        (fmt.ago(130), "2 min ago"),
        (fmt.used_of(61 << 30, 80 << 30), "61/80 GiB"),
        (fmt.gibibytes(3.14 * (1 << 30)), "3.1"),
        (fmt.percent(None), "– %"),
        (fmt.rate(12.14), "12.1/h"),
        (fmt.count_of(1, "nudge"), "1 nudge"),
        (fmt.count_of(2, "session keeps", "sessions keep"), "2 sessions keep"),
        (fmt.bar(0.5, 4), "██░░"),
        (fmt.bar(7.0, 2), "██"),
    ],
)
def test_text(text: str, wanted: str) -> None:
    """Every kind of number has one way of being written."""
    assert text == wanted


def test_sparkline_spans_its_values() -> None:
    """The lowest value is the lowest block and the highest the full one; equal values are low."""
    assert fmt.sparkline([3.0, 2.0, 1.0], 10) == "█▅▁"
    assert fmt.sparkline([2.0, 2.0], 10) == "▁▁"
    assert fmt.sparkline([50.0], 10, 0.0, 100.0) == "▅"
    assert fmt.sparkline([], 10) == ""


numbers = st.lists(st.none() | st.floats(0.1, 5.0), max_size=60)


@given(values=st.lists(st.floats(0.5, 2.0), max_size=60), cells=st.integers(1, 40))
def test_blocks_never_exceed_their_width(values: list[float], cells: int) -> None:
    """A block a value, as far as there is room."""
    assert len(fmt.sparkline(values, cells)) == min(len(values), cells)


texts = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Mn", "Me", "Cf")), max_size=12)
some_lines = st.lists(texts, max_size=5).map(lambda parts: line(*parts))


@given(one=some_lines, cells=st.integers(1, 30))
def test_fit_is_exact(one: Line, cells: int) -> None:
    """A fitted line has exactly its width, wide characters or not."""
    assert width(fit(one, cells)) == cells
    assert width(fit(one, cells, "right")) == cells


words = st.lists(st.text("ab漢", min_size=1, max_size=30), max_size=8).map(" ".join)


@given(parts=st.lists(words, max_size=4), cells=st.integers(4, 40), hang=st.integers(0, 20))
def test_wrapped_lines_fit_and_lose_nothing(parts: list[str], cells: int, hang: int) -> None:
    """A broken line fits its cells, keeps every character but blanks in order, and its tones; the rest is indented."""
    one = line(*((text, "good" if i % 2 else "") for i, text in enumerate(parts)))
    wrapped = wrap(one, cells, hang)
    assert all(width(row) <= cells for row in wrapped)
    bare = [(char, tone) for row in wrapped for text, tone in row for char in text if not char.isspace()]
    assert bare == [(char, tone) for text, tone in one for char in text if not char.isspace()]
    assert all(plain(row).startswith(" " * min(hang, cells // 2)) for row in wrapped[1:])


def test_lines_are_broken_between_words() -> None:
    """Words stay whole where they fit."""
    assert [plain(one) for one in wrap(line("label  one two three"), 14, 7)] == ["label  one two", "       three"]


@given(parts=st.lists(some_lines, min_size=1, max_size=5), cells=st.integers(1, 40))
def test_joined_parts_fit(parts: list[Line], cells: int) -> None:
    """What is joined is never wider than its room, and begins with the first part."""
    result = joined(parts, cells)
    assert width(result) <= cells
    if width(parts[0]) <= cells:
        assert plain(result).startswith(plain(parts[0]))
    assert width(spread(parts[0], parts[-1], cells)) == cells


def experiment(number: int, bpb: float | None, verdict: str) -> Experiment:
    return Experiment(number, "c" * 40, "", "m", verdict, "", bpb, None, None, 0.0, 0.0, 0.0)


@given(values=numbers, cells=st.integers(9, 90), height=st.integers(1, 20))
def test_chart_stays_in_its_box(values: list[float | None], cells: int, height: int) -> None:
    """Whatever the numbers, the chart has at most its lines and cells."""
    best = float("inf")
    ledger = []
    for number, value in enumerate(values):
        verdict = "crash" if value is None else "keep" if value < best else "discard"
        best = min(best, value) if value is not None else best
        ledger.append(experiment(number, value, verdict))
    lines = chart_lines(ledger, cells, height)
    assert len(lines) <= max(height, 1)
    assert len(lines) == 1 or max(map(width, lines)) <= cells
    assert not any(values) or any("●" in plain(one) for one in lines)


@given(message=st.text(max_size=60), cells=st.integers(24, 160))
def test_result_row_is_one_line_of_its_width(message: str, cells: int) -> None:
    """An agent's message cannot break the table: control characters and markup are text or gone."""
    one = Experiment(7, "c" * 40, "", message, "keep", "", 0.97, -0.01, 0.97, 0.0, 0.0, 0.0, {"memory_gb": 43.9})
    row = result_row(one, cells)
    assert width(row) == cells
    assert plain(row).isprintable() or not message.isprintable()
    assert "\x1b" not in plain(row)


def test_diff_colours_changes_and_not_headers() -> None:
    """`+` and `-` lines are told apart from a file's header, even those that look like one."""
    text = "diff --git a/t.py b/t.py\nindex 1..2\n--- a/t.py\n+++ b/t.py\n@@ -1 +1 @@\n--- x\n+++ y\n same\n"
    assert diff_lines(text) == [
        (("t.py", "strong"),),
        (("@@ -1 +1 @@", "accent"),),
        (("--- x", "bad"),),
        (("+++ y", "good"),),
        ((" same", ""),),
    ]
