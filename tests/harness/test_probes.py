"""Which rows are asked twice, what is changed in the copy, and when a difference is a leak."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.logits_memory import chunk_shape
from harness.probes import SHARE, Cell, Round, Splicer, evidence, is_biased, movement, plan
from harness.settings import PRESETS

Array = np.ndarray[Any, Any]

SIZES = st.integers(1, 9).flatmap(lambda slots: st.tuples(st.integers(slots, 80), st.just(slots)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_kind(rounds: list[Round], kind: Cell) -> list[tuple[int, int, int, int]]:
    """Round, process, slot and row of every such cell."""
    return [
        (number, int(process), int(slot), int(one.rows[process, slot]))
        for number, one in enumerate(rounds)
        for process, slot in np.argwhere(one.cells == kind)
    ]


@settings(deadline=None)
@given(size=SIZES, seed=st.integers(0, 99), share=st.floats(0, 1))
def test_every_row_is_scored_once_at_its_slot(size: tuple[int, int], seed: int, share: float) -> None:
    """Whatever the numbers, each row is scored exactly once, at the slot that its number says."""
    scored = of_kind(plan(*size, rng(seed), share), Cell.ROW)
    assert sorted(row for *_, row in scored) == list(range(size[0]))
    assert all(slot == row % size[1] for _, _, slot, row in scored)


@settings(deadline=None)
@given(size=SIZES, seed=st.integers(0, 99))
def test_a_probe_has_its_row_in_the_other_process(size: tuple[int, int], seed: int) -> None:
    """A probe stands beside its row, in the same round and slot, so no process is asked a row and its copy."""
    rounds = plan(*size, rng(seed))
    scored = set(of_kind(rounds, Cell.ROW))
    probes = of_kind(rounds, Cell.PROBE)
    assert probes
    assert {(number, 1 - process, slot, row) for number, process, slot, row in probes} <= scored
    assert len({row for *_, row in probes}) == len(probes)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_probes_cost_an_eighth(preset: Any) -> None:
    """An eighth more than a preset's rows is asked, nothing is filler, every batch of either process has probes."""
    slots = chunk_shape(preset).rows
    count = preset.eval_tokens // preset.sequence_len
    rounds = plan(count, slots, rng())
    probes = of_kind(rounds, Cell.PROBE)
    assert len(probes) == pytest.approx(SHARE * count, abs=2 * slots)
    assert len(probes) <= SHARE * count
    assert not of_kind(rounds, Cell.FILLER)
    if slots >= 32:
        assert {(number, process) for number, process, *_ in probes} == set(
            itertools.product(range(len(rounds)), range(2))
        )


def test_nobody_can_foresee_a_plan() -> None:
    """Another seed scores the rows in another round and process, in other company, and probes others."""
    one, two = (plan(512, 32, rng(seed)) for seed in range(2))
    asked = [of_kind(plan_, Cell.ROW) for plan_ in (one, two)]
    assert len(set(asked[0]) & set(asked[1])) < 512 / 5
    probed = [{row for *_, row in of_kind(plan_, Cell.PROBE)} for plan_ in (one, two)]
    assert len(probed[0] & probed[1]) < 64 / 2
    together = [{row for *_, row in of_kind([a_round], Cell.ROW)} for a_round in (one[0], two[0])]
    assert len(together[0] & together[1]) < len(together[0]) / 3


def test_too_few_rows_are_refused() -> None:
    """A batch must be full: fewer rows than slots is the caller's error."""
    with pytest.raises(ValueError, match="3 rows in batches of 4"):
        plan(3, 4, rng())


def text(rows: int = 40, length: int = 65, vocab: int = 50) -> Array:
    """Rows in which few tokens follow each."""
    chain, draw = rng(1).integers(0, vocab, (vocab, 3)), rng(2)
    out = np.zeros((rows, length), np.uint16)
    for at in range(1, length):
        out[:, at] = chain[out[:, at - 1], draw.integers(0, 3, rows)]
    return out


def test_a_copy_is_its_row_up_to_the_cut() -> None:
    """Nothing changes before the cut, the token at the cut does, and cuts lie everywhere."""
    rows = text()
    splicer = Splicer(rows, rng())
    cuts = []
    for row in np.tile(rows, (50, 1)):
        tokens, cut = splicer.splice(row)
        assert len(tokens) == len(row) - 1
        assert (tokens[:cut] == row[:cut]).all()
        assert cut == len(tokens) or tokens[cut] != row[cut]
        cuts.append(cut)
    assert set(cuts) == set(range(1, 65))
    assert 0.08 < cuts.count(64) / len(cuts) < 0.18


def test_a_splice_is_text_and_often_the_expected() -> None:
    """What is spliced in stands somewhere in the rows, and about half of the time it continues a pair that occurs."""
    rows = text()
    lines = ",".join(map(str, rows[:, :-1].reshape(-1).tolist() * 2))
    pairs = set(itertools.pairwise(rows[:, :-1].reshape(-1).tolist()))
    splicer = Splicer(rows, rng())
    seams = []
    for row in np.tile(rows, (20, 1)):
        tokens, cut = splicer.splice(row)
        assert ",".join(map(str, tokens[cut:].tolist())) in lines
        if cut < 64:
            seams.append((int(tokens[cut - 1]), int(tokens[cut])) in pairs)
    assert 0.35 < np.mean(seams) < 0.75


def test_dear_tokens_are_cut_more_often() -> None:
    """In rows where one token in 64 cannot be foreseen, far more than one cut in 64 lies before it."""
    rows = np.tile(np.arange(65, dtype=np.uint16), (400, 1))
    rows[:, 30] = rng(3).integers(100, 500, 400)
    splicer = Splicer(rows, rng())
    cuts = [splicer.splice(row)[1] for row in rows]
    assert cuts.count(30) > 100


def test_a_text_of_one_token_is_copied_whole() -> None:
    """Where no other text is to be had, a copy is its row."""
    splicer = Splicer(np.zeros((3, 9), np.uint16), rng())
    assert {splicer.splice(np.zeros(9, np.uint16))[1] for _ in range(20)} == {8}
    assert Splicer(np.zeros((3, 2), np.uint16), rng()).splice(np.zeros(2, np.uint16))[1] == 1


@pytest.mark.parametrize(
    ("row", "probe", "moved"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.5, 2.0], 0.5),
        ([-math.inf, 2.0], [-math.inf, 1.75], 0.25),
        ([-math.inf, 2.0], [0.0, 2.0], math.inf),
        ([1.0, 2.0], [math.nan, 2.0], math.inf),
    ],
)
def test_movement(row: list[float], probe: list[float], moved: float) -> None:
    """The largest difference; equal infinities are none, and what is no number has moved beyond any tolerance."""
    found = movement(torch.tensor(row), torch.tensor(probe))
    assert found == moved or (moved == math.inf and found > 1e30)


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=9), t=st.floats(0.1, 4))
def test_the_bound_on_false_alarms_holds(sizes: list[float], t: float) -> None:
    """Over all signs of any sizes, the share whose evidence reaches t is at most exp(-t^2 / 2)."""
    signs = list(itertools.product([-1, 1], repeat=len(sizes)))
    reached = sum(evidence(list(np.multiply(sizes, sign))) >= t for sign in signs)
    assert reached / len(signs) <= math.exp(-(t**2) / 2)


def test_a_small_nudge_is_seen() -> None:
    """0.0005 nats in each of 56 probes is a leak, under rounding too; so it is where two in three have it."""
    assert is_biased([0.0005] * 56)
    assert is_biased(list(0.0005 + rng().normal(0, 1e-4, 56)))
    assert is_biased([0.0005] * 38 + [0.0] * 18)


def test_rounding_is_not_seen() -> None:
    """No loss that moves without a sign is a leak, nor one too small to be worth anything, nor a fall."""
    draw = rng(7)
    assert not any(is_biased(list(draw.standard_t(2, 56) * 1e-3)) for _ in range(2000))
    assert not is_biased([1e-5] * 56)
    assert not is_biased([-0.01] * 56)
    assert not is_biased([0.0] * 56)
    assert not is_biased([])
