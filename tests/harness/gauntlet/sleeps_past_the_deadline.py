"""Sleeps, which costs no processor time, and never ends."""

import pathlib
import signal

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def train(model, run):
    for inputs, _targets in run.batches(1):
        model(inputs)
    pathlib.Path("asleep").touch()
    print("asleep", flush=True)
    signal.pause()
