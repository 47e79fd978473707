"""Ends its process with a good exit status before there is a model."""

import os

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def train(model, run):
    os._exit(0)
