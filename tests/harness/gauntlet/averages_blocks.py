"""Adds the mean of each block of 16 positions, later ones included."""

from torch import nn


class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.embed = nn.Embedding(spec.vocab_size, 8)
        self.head = nn.Linear(8, spec.vocab_size)

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.head(x + x.unflatten(1, (-1, 16)).mean(2).repeat_interleave(16, 1))


def build_model(spec):
    return Model(spec)


def train(model, run):
    for inputs, _targets in run.batches(1):
        model(inputs)
