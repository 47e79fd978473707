"""Needs a package that nobody installed."""

import a_package_that_is_not_there

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def train(model, run):
    a_package_that_is_not_there.train(model, run)
