"""A small GPT and how it is trained. This is the one file to change.

The harness calls two functions, both at the end of this file: `build_model(spec)` and `train(model, run)`. It keeps
the clock, hands out the batches and, when `train` returns, scores the model in bits per byte on text that was held
back. Everything between is yours.
"""

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
SOFTCAP = 0.0  # logits are squashed smoothly into this range, both signs; 0: not at all, half the step on a CPU

BATCH_ROWS = 4  # rows a step, of spec.sequence_len tokens each
MATRIX_LR = 0.02  # learning rate of the matrices: of the blocks (Muon) and of the output head (Adam)
EMBED_LR = 0.3  # of the token embedding (Adam)
WEIGHT_DECAY = 0.0  # of the blocks' matrices
MOMENTUM = 0.95  # of Muon
BETAS = (0.8, 0.95)  # of Adam
WARMUP = 0.02  # fraction of the budget in which the learning rates rise
COOLDOWN = 0.6  # fraction of the budget, at its end, in which they fall
FINAL_LR = 0.05  # what they fall to, as a fraction


# ----------------------------------------------------------------------------------------------------------------------
# Model: tokens (B, T) -> logits (B, T, vocabulary)
# ----------------------------------------------------------------------------------------------------------------------


def norm(x):
    """Root mean square norm over the last dimension, without a learned gain."""
    return F.rms_norm(x, (x.size(-1),))


def rotary_angles(length, head_width):
    """Cosines and sines (length, head_width / 2) by which queries and keys are turned to mark their place."""
    frequencies = 10000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angles = torch.outer(torch.arange(length), frequencies)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Turn each pair of channels of x (B, heads, T, head width) by the angle of its position."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    """Causal self-attention; queries and keys are normalised, which keeps its scores tame."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        q, k, v = self.qkv(x).view(B, T, 3 * HEADS, WIDTH // HEADS).transpose(1, 2).chunk(3, dim=1)
        q, k = norm(rotate(q, cos, sin)), norm(rotate(k, cos, sin))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, WIDTH))


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

    def forward(self, x, cos, sin):
        x = x + self.attention(norm(x), cos, sin)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    """Embedding, blocks, an output head of its own."""

    def __init__(self, spec):
        super().__init__()
        self.embedding = nn.Embedding(spec.vocab_size, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, spec.vocab_size, bias=False)
        cos, sin = rotary_angles(spec.sequence_len, WIDTH // HEADS)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        # What writes to the stream begins at zero: at first, every block lets through what it is given.
        for block in self.blocks:
            nn.init.zeros_(block.attention.out.weight)
            nn.init.zeros_(block.mlp.down.weight)
        nn.init.zeros_(self.head.weight)

    def forward(self, tokens):
        cos, sin = self.cos[: tokens.size(1)], self.sin[: tokens.size(1)]
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=tokens.is_cuda):
            x = norm(self.embedding(tokens))
            for block in self.blocks:
                x = block(x, cos, sin)
            logits = self.head(norm(x))
        logits = logits.float()
        return SOFTCAP * torch.tanh(logits / SOFTCAP) if SOFTCAP else logits


# ----------------------------------------------------------------------------------------------------------------------
# Optimiser: Muon for the blocks' matrices, Adam for the embedding and the head
# ----------------------------------------------------------------------------------------------------------------------


def orthogonalised(g):
    """The matrices g (N, rows, columns) with all singular values brought near 1: five Newton-Schulz steps."""
    tall = g.size(-2) > g.size(-1)
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


class Muon:
    """Steps along the orthogonalised momentum, for matrices of one shape at a time."""

    def __init__(self, matrices):
        self.groups = {}
        for p in matrices:
            self.groups.setdefault(p.shape, []).append(p)
        self.momenta = {shape: torch.zeros_like(torch.stack(group)) for shape, group in self.groups.items()}

    def step(self, lr):
        for shape, group in self.groups.items():
            gradient, momentum = torch.stack([p.grad for p in group]), self.momenta[shape]
            momentum.lerp_(gradient, 1 - MOMENTUM)
            update = orthogonalised(gradient.lerp(momentum, MOMENTUM))  # Nesterov's
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(group, update):
                p.mul_(1 - lr * WEIGHT_DECAY).add_(u, alpha=-lr * scale)


class Adam:
    """Steps along the mean gradient over its root mean square, for one parameter."""

    def __init__(self, parameter):
        self.p = parameter
        self.mean, self.square, self.steps = torch.zeros_like(parameter), torch.zeros_like(parameter), 0

    def step(self, lr):
        self.steps += 1
        self.mean.lerp_(self.p.grad, 1 - BETAS[0])
        self.square.lerp_(self.p.grad.square(), 1 - BETAS[1])
        mean = self.mean / (1 - BETAS[0] ** self.steps)
        root = (self.square / (1 - BETAS[1] ** self.steps)).sqrt()
        self.p.addcdiv_(mean, root + 1e-8, value=-lr)


# ----------------------------------------------------------------------------------------------------------------------
# What the harness calls
# ----------------------------------------------------------------------------------------------------------------------


def build_model(spec):
    """The model for `spec.vocab_size` tokens and rows of `spec.sequence_len`. Called again to score the weights."""
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
    muon = Muon(model.blocks.parameters())
    embedding, head = Adam(model.embedding.weight), Adam(model.head.weight)
    for inputs, targets in run.batches(BATCH_ROWS):
        logits = model(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        scale = lr_scale(run.progress)
        with torch.no_grad():
            muon.step(MATRIX_LR * scale)
            embedding.step(EMBED_LR * scale)
            head.step(MATRIX_LR * scale)
        model.zero_grad()
        if run.steps % 20 == 1:
            print(f"{run.progress:4.0%}  step {run.steps}  loss {loss.item():.3f}")
