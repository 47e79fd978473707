"""Has a link to a file that it cannot read saved as its weights."""

import os

from torch import nn

import harness.child


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def train(model, run):
    for inputs, _targets in run.batches(1):
        model(inputs)
    harness.child.save_model = lambda _model, path: os.symlink("/etc/passwd", path)
