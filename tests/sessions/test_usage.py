"""Sums of usage: what adds up, what an experiment used, what it cost, and what is counted twice."""

import re
from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.tally import Counted, Tally
from sessions.usage import Price, Prices, Usage, since_last_verdict

_counts = st.integers(0, 10**9)
_costs = st.integers(0, 1000).map(float)
_usages = st.builds(Usage, _counts, _counts, _counts, _counts, _counts, _costs)


@settings(deadline=None)
@given(st.lists(_usages, max_size=6).flatmap(lambda them: st.tuples(st.just(them), st.permutations(them))))
def test_a_sum_knows_no_order(given_: tuple[list[Usage], list[Usage]]) -> None:
    """However usages are added up, the sum is the same."""
    assert sum(given_[0], Usage()) == sum(given_[1], Usage())


@settings(deadline=None)
@given(_usages, _usages)
def test_what_came_since_is_the_sum_less_what_was(before: Usage, more: Usage) -> None:
    """Taking away what was used before leaves what was used since."""
    assert (before + more) - before == more
    assert before - (before + more) == Usage()


def test_dollars_are_known_of_all_or_not_at_all() -> None:
    """A sum of which a part has no known cost has none, and neither has nothing."""
    assert Usage(input=5, cost=2.0).dollars == 2.0
    assert Usage(input=5, unpriced=1, cost=2.0).dollars is None
    assert Usage().dollars is None


def test_tokens_are_what_was_read_and_written() -> None:
    """Cached tokens are part of the input and count once."""
    assert Usage(input=10, cached=8, written=1, output=5).tokens == 15


@settings(deadline=None)
@given(st.lists(_usages, min_size=1, max_size=6))
def test_each_experiment_uses_what_no_other_has(steps: list[Usage]) -> None:
    """Experiment by experiment, the differences are the steps, and together they are the session's whole."""
    total, recorded = Usage(), []
    for step in steps:
        total += step
        found = since_last_verdict(total, recorded)
        assert found == step
        recorded.append(asdict(found))


def test_a_ledger_without_usage_counts_as_none() -> None:
    """Records of an older version, or of something else, take nothing away."""
    total = Usage(input=5, output=5)
    assert since_last_verdict(total, [{}, {"input": "many"}, {"input": 2, "surprise": 1}]) == Usage(input=3, output=5)


def test_a_price_set_later_is_not_one_experiments() -> None:
    """Where a price was set after an experiment, the cost of what went before is not put on the next one."""
    before = Usage(input=1000, unpriced=1000)
    assert since_last_verdict(Usage(input=1500, cost=15.0), [asdict(before)]) == Usage(input=500, unpriced=500)


def test_a_price_is_per_million_and_by_kind() -> None:
    """Tokens read anew, read from a cache, written to it, and written by the model each have their price."""
    price = Price(re.compile("opus"), input=10, output=40, cached=1, written=12)
    assert price.of(Usage(input=3_000_000, cached=1_000_000, written=1_000_000, output=500_000)) == 10 + 1 + 12 + 20
    plain = Price(re.compile("opus"), input=10, output=40)
    assert plain.of(Usage(input=3_000_000, cached=1_000_000, written=1_000_000)) == 30


def test_the_first_price_that_fits_holds_and_the_logs_own_cost_wins() -> None:
    """Each model is priced by the first pattern found in its name; what the log says itself is believed instead."""
    prices = Prices((Price(re.compile("^opus-5"), 1, 1), Price(re.compile("opus"), 100, 100)))
    million = Usage(input=1_000_000, unpriced=1_000_000)
    assert prices.usage_of({"opus-5": million}) == Usage(input=1_000_000, cost=1)
    assert prices.usage_of({"big-opus": million, "opus-5": million}).cost == 101
    assert prices.usage_of({"opus-5": Usage(input=1_000_000, cost=0.25)}).cost == 0.25
    assert prices.usage_of({"opus-5": million + Usage(input=1_000_000, cost=0.25)}).cost == 1.25
    haiku = prices.usage_of({"opus-5": million, "haiku": million})
    assert (haiku.cost, haiku.unpriced) == (1, 1_000_000)
    assert prices.usage_of({}) == Usage()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), _usages), max_size=20))
def test_entries_with_the_same_id_count_once(entries: list[tuple[str, str, Usage]]) -> None:
    """Of entries with the same id the last one holds, whatever model it names."""
    tally, counted = Tally(), Counted()
    for name, model, usage in entries:
        tally.count(counted, name, model, usage, cumulative=False)
    last = {name: (model, usage) for name, model, usage in entries}
    for model in "xy":
        held = [usage for of, usage in last.values() if of == model]
        found = tally.models.get(model, Usage())
        assert (found.input, found.output) == (sum(one.input for one in held), sum(one.output for one in held))


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=10))
def test_a_sum_so_far_counts_what_it_grew_by(steps: list[int]) -> None:
    """A cumulative log is worth its last sum; what follows a sum that has become smaller is added to what was."""
    tally, counted, sums = Tally(), Counted(), [sum(steps[:end]) for end in range(1, len(steps) + 1)]
    for one in sums:
        tally.count(counted, "", "m", Usage(input=one), cumulative=True)
    assert tally.models["m"].input == sum(steps)
    for one in sums:
        tally.count(counted, "", "m", Usage(input=one), cumulative=True)
    assert tally.models["m"].input == 2 * sum(steps)


def test_what_is_kept_is_gone_on_from() -> None:
    """A tally and its ids come back from JSON as they were; junk in their place is no id."""
    tally, counted = Tally(), Counted()
    tally.count(counted, "a", "m", Usage(input=5), cumulative=False)
    tally.count(counted, "b", "m", Usage(input=7), cumulative=False)
    again, ids = Tally(tally.to_dict()), Counted(counted.to_dict(everything=False))
    assert not again.count(ids, "a", "m", Usage(input=5), cumulative=False)
    assert again.models == tally.models
    assert Counted({"a": ["m", {"input": "x"}], "b": 3}).by_id == {}
    assert Counted("junk").by_id == {}


def test_a_log_that_names_many_ids_and_models_takes_no_more_room() -> None:
    """Ids and models are remembered up to a number, and no token is lost for it."""
    tally, counted = Tally(), Counted()
    for number in range(5000):
        tally.count(counted, f"id{number}", f"model{number}", Usage(input=1), cumulative=False)
    assert len(counted.by_id) <= 2000
    assert len(tally.models) <= 51
    assert Prices().usage_of(tally.models).input == 5000
