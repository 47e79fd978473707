"""Never answers where it is scored."""

import pathlib
import signal

from torch import nn


class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.embed = nn.Embedding(spec.vocab_size, 8)
        self.head = nn.Linear(8, spec.vocab_size)

    def forward(self, tokens):
        if not self.training:
            pathlib.Path("asleep").touch()
            print("asleep", flush=True)
            signal.pause()
        return self.head(self.embed(tokens))


def build_model(spec):
    return Model(spec)


def train(model, run):
    for inputs, _targets in run.batches(1):
        model(inputs)
