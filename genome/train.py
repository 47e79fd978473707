"""A small GPT and how it is trained. This is the one file to change.

The harness calls two functions, both at the end of this file: `build_model(spec)` and `train(model, run)`. It keeps
the clock, hands out the batches and, when `train` returns, scores the model in bits per byte on text that was held
back. Everything between is yours. The same file runs on a CPU and on a GPU.
"""

import functools
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

# ----------------------------------------------------------------------------------------------------------------------
# Knobs
# ----------------------------------------------------------------------------------------------------------------------

DEPTH = 2  # blocks
WIDTH = 64  # of the residual stream
HEADS = 2  # of attention; WIDTH / HEADS is a head's width, an even number
MLP_RATIO = 4  # hidden width of a block's MLP, as a multiple of WIDTH
VALUE_EVERY = 2  # every so many blocks, counted back from the last, have a value embedding; 0: none has
WINDOWS = "L"  # what the blocks see, in turn: L the whole row, S a short window; the last always sees the row
SHORT = 0.5  # a short window, as a fraction of the row; on a CPU it saves no time
SOFTCAP = 0.0  # logits are squashed smoothly into this range, both signs; 0: not at all, a sixth of a step on a CPU

BATCH_ROWS = 4  # rows a step, of spec.sequence_len tokens each
MATRIX_LR = 0.02  # learning rate of the blocks' matrices (Muon)
HEAD_RATIO = 1.0  # of the output head (AdamW), as a multiple of MATRIX_LR
EMBED_LR = 0.6  # of the token and value embeddings (AdamW)
WEIGHT_DECAY = 0.2  # of the blocks' matrices
EMBED_DECAY = 0.0  # of the head and the embeddings
MOMENTUM = 0.95  # of Muon
BETAS = (0.8, 0.95)  # of AdamW
WARMUP = 0.02  # fraction of the budget in which the learning rates rise
COOLDOWN = 0.6  # fraction of the budget, at its end, in which they fall
FINAL_LR = 0.05  # what they fall to, as a fraction

# Rows of 1024 tokens or more are a GPU's work: then these take the place of the knobs above. Not tuned yet.
FOR_LONG_ROWS = dict(
    DEPTH=8, WIDTH=512, HEADS=4, WINDOWS="SSSL", SOFTCAP=15.0, BATCH_ROWS=128,
    MATRIX_LR=0.04, HEAD_RATIO=0.125, EMBED_LR=0.7, WEIGHT_DECAY=0.1,
)  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------------
# Attention: queries, keys, values (B, T, heads, head width) -> the same. A window w means 0 <= i - j <= w: position i
# sees itself and w before it. There are three ways; each, given the row's length, makes one `attend` for a window.
# ----------------------------------------------------------------------------------------------------------------------

# The kernel is used where it lies in the cache already, at this revision: a run downloads nothing.
FLASH3, REVISION = "kernels-community/flash-attn3", "9542c462013476380ce4b395b9ddc0e8118161ee"


def flash3(length, device):
    """FlashAttention 3, a compiled kernel for Hopper GPUs."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"kernels--{FLASH3.replace('/', '--')}" / "snapshots" / REVISION
    if not folder.is_dir():
        raise FileNotFoundError("not in the cache")
    from kernels import get_kernel

    kernel = get_kernel(FLASH3, revision=REVISION)
    attend = getattr(kernel, "flash_attn_interface", kernel).flash_attn_func
    return lambda window: functools.partial(attend, causal=True, window_size=(window, 0))


def flex(length, device):
    """FlexAttention: torch compiles a kernel for the windows. Rows must be of that length."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    compiled = torch.compile(flex_attention)

    def make(window):
        def seen(b, h, i, j):
            return (i >= j) & (i - j <= window)

        mask = create_block_mask(seen, None, None, length, length, device=device)
        return lambda *qkv: compiled(*(x.transpose(1, 2) for x in qkv), block_mask=mask).transpose(1, 2)

    return make


def sdpa(length, device):
    """What torch brings along, everywhere: fast where the window is the whole row, with a mask where it is not."""
    back = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)

    def make(window):
        mask = None if window >= length - 1 else (back >= 0) & (back <= window)

        def attend(q, k, v):
            T = q.size(1)
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
            part = None if mask is None else mask[:T, :T]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=part, is_causal=part is None).transpose(1, 2)

        return attend

    return make


def choose_attention(length, device):
    """The first way that works here. On a GPU it is tried on a row first, backward too if it is for training."""
    cuda = device.type == "cuda"
    hopper = cuda and torch.cuda.get_device_capability(device)[0] == 9
    missed = []
    for way in [flash3] * hopper + [flex] * cuda:
        try:
            make = way(length, device)
            row = torch.zeros(1, length, HEADS, WIDTH // HEADS, dtype=torch.bfloat16, device=device)
            row.requires_grad_(torch.is_grad_enabled())
            y = make(length // 2)(row, row, row)
            if y.requires_grad:
                y.sum().backward()
        except Exception as error:
            missed.append(f"; no {way.__name__}: {error}")
        else:
            break
    else:
        way, make = sdpa, sdpa(length, device)
    print(f"attention: {way.__name__}{''.join(missed)}")
    return make


# ----------------------------------------------------------------------------------------------------------------------
# Model: tokens (B, T) -> logits (B, T, vocabulary)
# ----------------------------------------------------------------------------------------------------------------------


def norm(x):
    """Root mean square norm over the last dimension, without a learned gain."""
    return F.rms_norm(x, (x.size(-1),))


def rotary_angles(length, head_width):
    """Cosines and sines (length, 1, head_width / 2) by which queries and keys are turned to mark their place."""
    frequencies = 10000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angles = torch.outer(torch.arange(length), frequencies)[:, None]
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Turn each pair of channels of x (B, T, heads, head width) by the angle of its position."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    """Causal self-attention; queries and keys are normalised, which keeps its scores tame."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Parameter(torch.empty(3, WIDTH, WIDTH).uniform_(-(WIDTH**-0.5), WIDTH**-0.5))
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, extra, attend, cos, sin):
        """`extra` (B, T, WIDTH) or None: what the tokens themselves add to the values."""
        B, T, _ = x.shape
        q, k, v = F.linear(x, self.qkv.flatten(0, 1)).view(B, T, 3, HEADS, WIDTH // HEADS).unbind(2)
        q, k = (norm(rotate(one, cos, sin)).type_as(v) for one in (q, k))
        if extra is not None:
            v = v + extra.view_as(v).type_as(v)
        return self.out(attend(q, k, v).flatten(2))


class MLP(nn.Module):
    """Two layers with a squared ReLU between them."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(WIDTH, MLP_RATIO * WIDTH, bias=False)
        self.down = nn.Linear(MLP_RATIO * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        return self.down(F.relu(self.up(x)).square())


class Block(nn.Module):
    """Attention, then an MLP; each reads the normalised stream and adds to it."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.mlp = MLP()

    def forward(self, x, extra, attend, cos, sin):
        x = x + self.attention(norm(x), extra, attend, cos, sin)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    """Embedding, blocks, an output head of its own; some blocks have an embedding for attention's values, too."""

    def __init__(self, spec):
        super().__init__()
        self.length = spec.sequence_len
        self.embedding = nn.Embedding(spec.vocab_size, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.values = nn.ModuleDict()
        for i in range(DEPTH - 1, -1, -VALUE_EVERY) if VALUE_EVERY else ():
            self.values[str(i)] = nn.Embedding(spec.vocab_size, WIDTH)
            nn.init.normal_(self.values[str(i)].weight, std=WIDTH**-0.5)
        self.head = nn.Linear(WIDTH, spec.vocab_size, bias=False)
        cos, sin = rotary_angles(self.length, WIDTH // HEADS)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        # What writes to the stream begins at zero: at first, every block lets through what it is given.
        for block in self.blocks:
            nn.init.zeros_(block.attention.out.weight)
            nn.init.zeros_(block.mlp.down.weight)
        nn.init.zeros_(self.head.weight)
        self.attends = None

    def prepare(self, device):
        """Choose how to attend, once, when it is known on which device."""
        if self.attends is None:
            make = choose_attention(self.length, device)
            short = [WINDOWS[i % len(WINDOWS)] == "S" for i in range(DEPTH - 1)]
            self.attends = [make(int(SHORT * self.length) if one else self.length) for one in [*short, False]]

    def forward(self, tokens):
        self.prepare(tokens.device)
        return self.logits(tokens)

    def logits(self, tokens):
        cos, sin = self.cos[: tokens.size(1)], self.sin[: tokens.size(1)]
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=tokens.is_cuda):
            x = norm(self.embedding(tokens))
            for i, (block, attend) in enumerate(zip(self.blocks, self.attends)):
                extra = self.values[str(i)](tokens) if str(i) in self.values else None
                x = block(x, extra, attend, cos, sin)
            logits = self.head(norm(x))
        logits = logits.float()
        return SOFTCAP * torch.tanh(logits / SOFTCAP) if SOFTCAP else logits


# ----------------------------------------------------------------------------------------------------------------------
# Optimiser: Muon for the blocks' matrices, AdamW for the embeddings and the head
# ----------------------------------------------------------------------------------------------------------------------


def orthogonalised(g):
    """The matrices g (N, rows, columns) with all singular values brought near 1: five Newton-Schulz steps."""
    tall = g.size(-2) > g.size(-1)
    x = g.mT if tall else g
    x = x.bfloat16() if x.is_cuda else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if tall else x).type_as(g)


class Muon:
    """Steps along the orthogonalised momentum, for all matrices of one shape at a time.

    A parameter is a matrix or a stack of them (N, rows, columns), as the queries, keys and values of a block are.
    """

    def __init__(self, parameters):
        self.groups = {}
        for p in parameters:
            self.groups.setdefault(p.shape[-2:], []).append(p)
        self.momenta = {shape: torch.zeros_like(self.stacked(group)) for shape, group in self.groups.items()}
        self.direction = torch.compile(orthogonalised) if p.is_cuda else orthogonalised

    @staticmethod
    def stacked(tensors):
        return torch.cat([t.detach().view(-1, *t.shape[-2:]) for t in tensors])

    def step(self, lr):
        for shape, group in self.groups.items():
            gradient, momentum = self.stacked([p.grad for p in group]), self.momenta[shape]
            momentum.lerp_(gradient, 1 - MOMENTUM)
            update = self.direction(gradient.lerp(momentum, MOMENTUM))  # Nesterov's
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(group, update.split([p.numel() // shape.numel() for p in group])):
                p.mul_(1 - lr * WEIGHT_DECAY).add_(u.view_as(p), alpha=-lr * scale)


class AdamW:
    """Steps along the mean gradient over its root mean square, for one parameter; its decay is apart from both."""

    def __init__(self, parameter):
        self.p = parameter
        self.mean, self.square, self.steps = torch.zeros_like(parameter), torch.zeros_like(parameter), 0

    def step(self, lr):
        self.steps += 1
        self.mean.lerp_(self.p.grad, 1 - BETAS[0])
        self.square.lerp_(self.p.grad.square(), 1 - BETAS[1])
        mean = self.mean / (1 - BETAS[0] ** self.steps)
        root = (self.square / (1 - BETAS[1] ** self.steps)).sqrt()
        self.p.mul_(1 - lr * EMBED_DECAY).addcdiv_(mean, root + 1e-10, value=-lr)


# ----------------------------------------------------------------------------------------------------------------------
# What the harness calls
# ----------------------------------------------------------------------------------------------------------------------


def build_model(spec):
    """The model for `spec.vocab_size` tokens and rows of `spec.sequence_len`. Called again to score the weights."""
    if spec.sequence_len >= 1024:
        globals().update(FOR_LONG_ROWS)
    return GPT(spec)


def lr_scale(progress):
    """The learning rates' factor when `progress` of the budget (0 to 1) is spent: up, level, down."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.05)
    if progress < 1 - COOLDOWN:
        return 1.0
    return FINAL_LR + (1 - FINAL_LR) * (1 - progress) / COOLDOWN


def train(model, run):
    """Train until `run.batches` gives no more: the budget is spent then."""
    model.prepare(run.device)

    def loss_of(inputs, targets):
        return F.cross_entropy(model.logits(inputs).flatten(0, 1), targets.flatten())

    if run.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        loss_of = torch.compile(loss_of, dynamic=False)
    muon = Muon(model.blocks.parameters())
    others = [(AdamW(model.head.weight), HEAD_RATIO * MATRIX_LR)]
    others += [(AdamW(p), EMBED_LR) for p in (model.embedding.weight, *model.values.parameters())]
    for inputs, targets in run.batches(BATCH_ROWS):
        loss = loss_of(inputs, targets)
        loss.backward()
        scale = lr_scale(run.progress)
        with torch.no_grad():
            muon.step(MATRIX_LR * scale)
            for adam, lr in others:
                adam.step(lr * scale)
        model.zero_grad()
        if run.steps % 20 == 1:
            print(f"{run.progress:4.0%}  step {run.steps}  loss {loss.item():.3f}")
