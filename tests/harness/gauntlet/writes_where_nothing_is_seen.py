"""Fills the disk with files that have no name any more."""

import os
import time

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def learn(model, batches):
    for inputs, targets in batches:
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad
            parameter.grad = None


def train(model, run):
    kept = []
    for number in range(96):
        kept.append(open(f"small-{number}", "wb"))
        os.unlink(f"small-{number}")
        kept[-1].write(bytes(1 << 20))
        kept[-1].flush()
    time.sleep(10.0)
    learn(model, run.batches(2))
