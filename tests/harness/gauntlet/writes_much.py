"""Writes more than all its files together may hold, each of them small."""

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
    for number in range(96):
        with open(f"small-{number}", "wb") as file:
            file.write(bytes(1 << 20))
    time.sleep(10.0)
    learn(model, run.batches(2))
