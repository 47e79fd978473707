"""The template's model and optimisers: what they mean, counted in steps. How good they are is a benchmark's."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.training import ModelSpec
from tests.harness.genome_loading import SPEC, Steps, fresh_genome, one_thread  # noqa: F401 - a fixture

EVERYTHING: dict[str, Any] = {"DEPTH": 3, "WINDOWS": "SL", "SOFTCAP": 15.0, "WEIGHT_DECAY": 0.1, "EMBED_DECAY": 0.1}
GENOME = fresh_genome()
pytestmark = pytest.mark.usefixtures("one_thread")


def built(seed: int = 0, **knobs: Any) -> tuple[Any, torch.nn.Module]:
    """A fresh module of the template with those knobs, and its model."""
    genome = fresh_genome(**knobs)
    torch.manual_seed(seed)
    return genome, genome.build_model(SPEC)


def scattered(model: torch.nn.Module) -> torch.nn.Module:
    """The model with weights that are nowhere zero."""
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.3)
    return model


@pytest.mark.parametrize("knobs", [{}, EVERYTHING])
def test_no_logit_depends_on_what_comes_later(knobs: dict[str, Any]) -> None:
    """Another token changes the logits at its own place and later ones, and none before it."""
    model = scattered(built(**knobs)[1])
    tokens = torch.arange(SPEC.sequence_len)[None] % SPEC.vocab_size
    other = tokens.clone()
    other[0, 9] = 77
    with torch.no_grad():
        moved = (model(tokens) - model(other)).abs().amax((0, 2)) > 0
    assert moved.tolist() == [False] * 9 + [True] * (SPEC.sequence_len - 9)


def test_a_short_window_hides_what_is_before_it() -> None:
    """Where every block but the last looks back a quarter of the row, the first one's output shows it."""
    genome, model = built(DEPTH=2, WINDOWS="S", SHORT=0.25, VALUE_EVERY=0)
    scattered(model)
    first: list[torch.Tensor] = []
    model.blocks[0].register_forward_hook(lambda *heard: first.append(heard[2]))  # type: ignore[index,union-attr]
    tokens = torch.zeros(1, SPEC.sequence_len, dtype=torch.int64)
    with torch.no_grad():
        for token in (0, 5):
            tokens[0, 3] = token
            model(tokens)
    moved = ((first[0] - first[1]).abs().amax((0, 2)) > 0).nonzero().flatten().tolist()
    assert moved == list(range(3, 3 + int(SPEC.sequence_len * genome.SHORT) + 1))


def test_windows_take_turns_and_the_last_sees_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pattern is repeated over the blocks, whatever it says of the last."""
    genome, model = built(DEPTH=6, WINDOWS="SSL", SHORT=0.5)
    made: list[int] = []
    monkeypatch.setattr(genome, "choose_attention", lambda *_: made.append)
    model.prepare(torch.device("cpu"))  # type: ignore[operator]
    assert made == [12, 12, 24, 12, 12, 24]


@pytest.mark.parametrize(("every", "blocks"), [(0, set()), (1, {"0", "1", "2"}), (2, {"0", "2"}), (3, {"2"})])
def test_value_embeddings_are_counted_from_the_last(every: int, blocks: set[str]) -> None:
    """The last block has one unless none has, and then every so many before it."""
    _, model = built(DEPTH=3, VALUE_EVERY=every)
    assert set(model.values.keys()) == blocks  # type: ignore[operator]


def test_a_softcap_bounds_the_logits() -> None:
    """However large the weights are, no logit is beyond the cap; without one they are."""
    tokens = torch.arange(SPEC.sequence_len)[None]
    for cap, within in ((2.0, True), (0.0, False)):
        model = built(SOFTCAP=cap)[1]
        torch.nn.init.normal_(model.head.weight, std=5)  # type: ignore[union-attr,arg-type]
        assert (float(model(tokens).detach().abs().max()) <= 2.0) == within


@pytest.mark.parametrize("knobs", [{}, EVERYTHING])
def test_every_parameter_is_trained(knobs: dict[str, Any]) -> None:
    """After a few steps each has moved from where it began, and is a number."""
    genome, model = built(**knobs)
    before = [p.detach().clone() for p in model.parameters()]
    genome.train(model, Steps(4))
    for (name, p), old in zip(model.named_parameters(), before, strict=True):
        assert p.isfinite().all(), name
        assert not torch.equal(p, old), name


def test_it_learns(capsys: pytest.CaptureFixture[str]) -> None:
    """A batch that comes again and again is learned by heart, and the log's last line says so."""
    genome, model = built(WEIGHT_DECAY=0.0)
    genome.train(model, Steps(41, same=True))
    first, *_, last = (float(line.split()[-1]) for line in capsys.readouterr().out.splitlines() if "loss" in line)
    assert first == pytest.approx(torch.log(torch.tensor(96.0)).item(), abs=1e-3)
    assert last < first / 4


def test_the_same_seed_and_steps_give_the_same_numbers() -> None:
    """Two runs on a CPU end with the same bits."""
    ends = []
    for _ in range(2):
        genome, model = built(7, **EVERYTHING)
        genome.train(model, Steps(5))
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*ends)


def test_long_rows_take_the_place_of_the_knobs() -> None:
    """A model for long rows is the large one, all its knobs are knobs, and short rows keep theirs."""
    genome = fresh_genome()
    assert genome.FOR_LONG_ROWS.keys() <= vars(genome).keys()
    assert len(genome.build_model(SPEC).blocks) < 8
    with torch.device("meta"):
        model = genome.build_model(ModelSpec(8192, 2048))
    assert (len(model.blocks), model.embedding.weight.shape) == (8, (8192, 512))
    assert genome.WIDTH % (2 * genome.HEADS) == 0


@given(st.floats(0, 1))
def test_learning_rates_stay_within_their_schedule(progress: float) -> None:
    """The factor is above 0, at most 1, level between warm-up and cooldown, and at the end what was asked for."""
    factor = GENOME.lr_scale(progress)
    assert 0 < factor <= 1
    if GENOME.WARMUP <= progress < 1 - GENOME.COOLDOWN:
        assert factor == 1
    assert GENOME.lr_scale(1.0) == pytest.approx(GENOME.FINAL_LR)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 32), (2, 32, 8)])
def test_an_orthogonalised_matrix_has_equal_singular_values(shape: tuple[int, int, int]) -> None:
    """They are near 1, and the matrices keep their singular directions."""
    g = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    got = GENOME.orthogonalised(g)
    u, _, v = torch.linalg.svd(g, full_matrices=False)
    singular = torch.linalg.svdvals(got)
    assert float(singular.min()) > 0.3
    assert float(singular.max()) < 1.3
    turned = u.mT @ got @ v.mT
    torch.testing.assert_close(turned, torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1)), atol=1e-3, rtol=0)


def test_stacked_matrices_step_as_they_would_alone() -> None:
    """Muon treats a stack of matrices, and several of one shape, as so many matrices of their own."""
    dice = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(4, 8, 8, generator=dice), torch.randn(3, 4, 8, 8, generator=dice)

    def stepped(parameters: list[torch.Tensor], parts: list[list[torch.Tensor]]) -> torch.Tensor:
        muon = GENOME.Muon(parameters)
        for gradient in parts:
            for p, g in zip(parameters, gradient, strict=True):
                p.grad = g.clone()
            muon.step(0.1)
        return torch.cat([p.view(-1, 8, 8) for p in parameters])

    stack = [start[:3].clone(), start[3].clone()]
    together = stepped(stack, [[g[:3], g[3]] for g in gradients])
    alone = torch.cat([stepped([start[i].clone()], [[g[i]] for g in gradients]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_adamw_is_torchs() -> None:
    """Several steps at changing rates, with decay, end where torch's own AdamW ends."""
    genome = fresh_genome(EMBED_DECAY=0.1)
    dice = torch.Generator().manual_seed(0)
    ours, theirs = torch.randn(2, 5, 6, generator=dice).unbind()
    theirs.copy_(ours)
    theirs.requires_grad_()
    adam = genome.AdamW(ours)
    reference = torch.optim.AdamW([theirs], betas=genome.BETAS, eps=1e-10, weight_decay=0.1, foreach=False)
    for lr in (0.1, 0.05, 0.2):
        ours.grad = torch.randn(5, 6, generator=dice)
        theirs.grad = ours.grad.clone()
        adam.step(lr)
        reference.param_groups[0]["lr"] = lr
        reference.step()
    torch.testing.assert_close(ours, theirs.detach())
