"""The template's three ways to attend: what a window is, and which way is taken where. No GPU is needed for it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.genome_loading import SPEC, TEMPLATE, fresh_genome, one_thread  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("one_thread")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SDPA = fresh_genome().sdpa
FLEX = "torch.nn.attention.flex_attention"
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def drawn(length: int, seed: int = 0) -> Tensors:
    """Queries, keys and values (2, length, 2, 16)."""
    dice = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 2, length, 2, 16, generator=dice).unbind()
    return q, k, v


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
    """One position after the other: it looks at itself and `window` before it."""
    y = torch.zeros_like(v)
    for i in range(q.size(1)):
        seen = slice(max(0, i - window), i + 1)
        scores = torch.einsum("bhd,bjhd->bhj", q[:, i], k[:, seen]) / q.size(-1) ** 0.5
        y[:, i] = torch.einsum("bhj,bjhd->bhd", scores.softmax(-1), v[:, seen])
    return y


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 20), st.integers(0, 24), st.integers(0, 9))
def test_a_window_is_itself_and_so_many_before(length: int, window: int, less: int) -> None:
    """For every length and window, on whole rows and shorter ones, it agrees with a plain loop."""
    q, k, v = (x[:, : max(1, length - less)] for x in drawn(length))
    attend = SDPA(length, CPU)(window)
    torch.testing.assert_close(attend(q, k, v), plain(q, k, v, window))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("window", [0, 150, 300])
def test_flex_attention_means_the_same(window: int) -> None:
    """Not compiled, forward and on a CPU, FlexAttention gives the same for rows of more than one of its blocks."""
    genome = fresh_genome()
    genome.torch = SimpleNamespace(compile=lambda function: function)
    qkv = drawn(300)
    torch.testing.assert_close(genome.flex(300, CPU)(window)(*qkv), SDPA(300, CPU)(window)(*qkv))


@pytest.mark.parametrize("window", [0, 3, 100])
def test_gradients_flow_through_the_window_alone(window: int) -> None:
    """What a position says moves with the values in its window, and with none after it or before the window."""
    q, k, v = (x.requires_grad_() for x in drawn(12))
    SDPA(12, CPU)(window)(q, k, v)[:, 7].sum().backward()
    moved = [j for j in range(12) if v.grad is not None and v.grad[:, j].abs().sum() > 0]
    assert moved == list(range(max(0, 7 - window), 8))
    for x in (q, k):  # a position that sees itself alone has nothing to weigh
        assert x.grad is not None
        assert (float(x.grad.abs().max()) > 1e-3) == (window > 0)


class PretendedTorch:
    """Torch with a GPU, as far as the choice looks; tensors for the GPU are made on the CPU."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.cuda = SimpleNamespace(get_device_capability=lambda _device: capability)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def compile(self, function: Any) -> Any:
        return function

    def zeros(self, *shape: int, device: torch.device, **more: Any) -> torch.Tensor:
        return torch.zeros(*shape, **more)

    def arange(self, count: int, device: torch.device | None = None) -> torch.Tensor:
        return torch.arange(count)


class Machine:
    """What a pretended machine has; `choose` says which way was taken, and what was printed of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, said: Callable[[], str]) -> None:
        self._patch = monkeypatch
        self._said = said
        self.asked: list[tuple[str, str]] = []
        self.windows: list[tuple[int, int]] = []
        self.genome = fresh_genome()
        self.cache = folder / f"kernels--{self.genome.FLASH3.replace('/', '--')}" / "snapshots"
        self._module("huggingface_hub")
        self._module("huggingface_hub.constants", HF_HUB_CACHE=str(folder))
        self._patch.setitem(sys.modules, "kernels", None)  # to import it is an error
        self.with_flex(self._flex)

    def _module(self, name: str, **attributes: Any) -> None:
        module = ModuleType(name)
        vars(module).update(attributes)
        self._patch.setitem(sys.modules, name, module)

    def _flex(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, block_mask: Any) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def _flash(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **options: Any) -> torch.Tensor:
        assert options.pop("causal") is True
        self.windows.append(options.pop("window_size"))
        assert not options
        return v * 1

    def with_flex(self, flex: Callable[..., torch.Tensor] | None) -> None:
        if flex is None:
            self._patch.setitem(sys.modules, FLEX, None)
        else:
            self._module(FLEX, flex_attention=flex, create_block_mask=lambda *_, **__: None)

    def with_kernel(self, works: Callable[..., torch.Tensor] | None = None) -> None:
        """The pinned revision lies in the cache."""
        (self.cache / self.genome.REVISION).mkdir(parents=True)

        def get_kernel(name: str, revision: str) -> Any:
            self.asked.append((name, revision))
            return SimpleNamespace(flash_attn_interface=SimpleNamespace(flash_attn_func=works or self._flash))

        self._module("kernels", get_kernel=get_kernel)

    def choose(self, device: torch.device, capability: tuple[int, int] = (9, 0)) -> str:
        self.genome.torch = PretendedTorch(capability)
        self.genome.choose_attention(SPEC.sequence_len, device)
        return self._said()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(monkeypatch, tmp_path, lambda: capsys.readouterr().out)


def fails(*_: Any, **__: Any) -> torch.Tensor:
    raise RuntimeError("not on this machine")


def fails_backward(*qkv: torch.Tensor, **_: Any) -> torch.Tensor:
    class Forward(torch.autograd.Function):
        @staticmethod
        def forward(_context: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(_context: Any, *_gradients: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no way back")

    return Forward.apply(qkv[2])  # type: ignore[no-any-return,no-untyped-call]


def test_a_cached_kernel_comes_first(machine: Machine) -> None:
    """On a Hopper GPU the kernel is taken at its pinned revision, and given the window as (w, 0)."""
    machine.with_kernel()
    assert machine.choose(CUDA) == "attention: flash3\n"
    assert machine.asked == [(machine.genome.FLASH3, machine.genome.REVISION)]
    assert machine.windows == [(SPEC.sequence_len // 2, 0)]


def test_a_kernel_that_is_not_there_is_not_asked_for(machine: Machine) -> None:
    """Where the cache holds no such revision, `kernels` is not even imported: FlexAttention is next, and says why."""
    (machine.cache / "another revision").mkdir(parents=True)
    assert machine.choose(CUDA) == "attention: flex; no flash3: not in the cache\n"


def test_another_gpu_is_not_asked_for_the_kernel(machine: Machine) -> None:
    """The kernel is for Hopper GPUs alone."""
    machine.with_kernel()
    assert machine.choose(CUDA, (8, 0)) == "attention: flex\n"
    assert machine.asked == []


def test_a_way_that_fails_is_passed_over(machine: Machine) -> None:
    """A kernel that is there but does not run gives way to the next."""
    machine.with_kernel(fails)
    assert machine.choose(CUDA) == "attention: flex; no flash3: not on this machine\n"


def test_a_way_without_gradients_serves_scoring_alone(machine: Machine) -> None:
    """One that fails on the way back is not taken for training, and is where nothing is trained."""
    machine.with_kernel(fails_backward)
    assert machine.choose(CUDA) == "attention: flex; no flash3: no way back\n"
    with torch.no_grad():
        assert machine.choose(CUDA) == "attention: flash3\n"


def test_plain_torch_is_the_last(machine: Machine) -> None:
    """Without the kernel and without FlexAttention what is left is torch's own, and both reasons are told."""
    machine.with_flex(None)
    said = machine.choose(CUDA)
    assert said.startswith("attention: sdpa; no flash3: not in the cache; no flex: ")


def test_a_cpu_takes_plain_torch(machine: Machine) -> None:
    """On a CPU nothing else is looked at, whatever is there."""
    machine.with_kernel()
    machine.with_flex(fails)
    assert machine.choose(CPU) == "attention: sdpa\n"
    assert machine.asked == []


def test_it_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the model is asked, the choice is made at the first time."""
    genome = fresh_genome()
    model, choose, chosen = genome.build_model(SPEC), genome.choose_attention, []
    monkeypatch.setattr(genome, "choose_attention", lambda *where: chosen.append(where) or choose(*where))
    for _ in range(3):
        model(torch.zeros(1, SPEC.sequence_len, dtype=torch.int64))
    assert chosen == [(SPEC.sequence_len, CPU)]


def test_a_cpu_imports_nothing_for_gpus() -> None:
    """Training and asking on a CPU import neither `kernels`, nor its hub, nor FlexAttention."""
    script = (
        "import sys, torch\ntorch.set_num_threads(1)\nfrom tests.harness.genome_loading import *\n"
        "genome = fresh_genome()\nmodel = genome.build_model(SPEC)\n"
        "genome.train(model, Steps(2))\nmodel(torch.zeros(1, 4).long())\n"
        f"print([name for name in ('kernels', 'huggingface_hub', '{FLEX}') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    root = TEMPLATE.parents[1]
    output = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
