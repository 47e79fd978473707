"""An explanation as text: the answer first, the rule that counts marked by more than a colour, nothing that escapes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui.explaining import explained, explanation_lines
from autoresearch_tui.lines import wrap
from sessions.explanation import Explanation

WHY = Explanation(
    state="limited",
    for_s=725.0,
    rule="usage limit",
    evidence="You've hit your usage limit.",
    seen=[
        {"name": "pager", "says": "hold", "source": "screen", "saw": None},
        {"name": "usage limit", "says": "limited", "source": "screen", "saw": "You've hit your usage limit."},
        {"name": "free composer", "says": "waiting", "source": "screen", "saw": "›"},
    ],
    reported="waiting, 3 s ago: the agent reported agent-turn-complete",
    resets_in_s=2467.4,
    holding="the agent is limited; the next try comes later",
    until_s=2472.0,
    would=["its usage limit ends", "the experiment in progress ends"],
)


def test_the_whole() -> None:
    """State and since when, what said so, what the agent reported, what holds us back, what would not, the rules."""
    assert explanation_lines(WHY) == [
        "the agent is   limited for 12 min, resets in 41 min",
        "because of     usage limit: You've hit your usage limit.",
        "it reported    waiting, 3 s ago: the agent reported agent-turn-complete",
        "typed now      nothing: the agent is limited; the next try comes later; looked at again in 41 min",
        "would type if  its usage limit ends",
        "               and the experiment in progress ends",
        "",
        "its rules      the first that matches counts",
        "  · no match  pager          as before  screen",
        "  ▸ counts    usage limit    limited    screen  You've hit your usage limit.",
        "  ● matches   free composer  waiting    screen  ›",
    ]


def test_nothing_known_is_said_as_such() -> None:
    """Without reports, rules or a way to a nudge the text says so; where nothing holds us back, it says that."""
    bare = Explanation("starting", 0.0, "", "", holding="the agent is starting")
    assert explanation_lines(bare) == [
        "the agent is   starting for 0 s",
        "because of     –",
        "it reported    nothing",
        "typed now      nothing: the agent is starting",
        "would type if  you nudge it; nothing else that can be foreseen",
    ]
    assert explanation_lines(replace(bare, holding=""))[-1] == "typed now      nothing holds it back"


def test_a_reset_that_has_passed_is_due() -> None:
    """No countdown below zero."""
    assert explanation_lines(replace(WHY, resets_in_s=0.0))[0] == "the agent is   limited for 12 min, the reset is due"


texts = st.text(st.sampled_from("a b\n\t\x1b[1m\x07漢›\u202e"), max_size=40)


@given(text=texts, saw=st.none() | texts, cells=st.integers(20, 160))
def test_what_an_agent_wrote_stays_one_line(text: str, saw: str | None, cells: int) -> None:
    """Untrusted text cannot break a line or reach the terminal as a control, and the rows fit the screen."""
    rule = {"name": text, "says": text, "source": text, "saw": saw}
    one = replace(WHY, evidence=text, rule=text, reported=text, holding=text, would=[text], seen=[rule])
    assert all(line.isprintable() for line in explanation_lines(one))
    rows = [row for paragraph in explained(one) for row in wrap(paragraph.content, cells, paragraph.hang)]
    assert all(sum(len(part) for part, _tone in row) <= cells for row in rows)
