"""Writes one file that is larger than any may be."""

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
    with open("large", "wb") as file:
        file.truncate(1 << 40)
    learn(model, run.batches(2))
