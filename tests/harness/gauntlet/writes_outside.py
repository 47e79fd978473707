"""Writes beside itself, into the corpus, the home, and where everybody may."""

import os
import pathlib
import pwd

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def learn(model, batches):
    for inputs, targets in batches:
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad
            parameter.grad = None


def corpus():
    """Where the training tokens lie, which this process has mapped."""
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    return next(pathlib.Path(line.split(maxsplit=5)[-1]).parent for line in maps if "train" in line.split("/")[-1])


def plant(folder):
    (folder / "gauntlet-was-here").write_text("planted")


def try_all(attempts):
    """If each is refused, raise the last refusal; else go on as if nothing had been."""
    refusals = []
    for attempt, *arguments in attempts:
        try:
            attempt(*arguments)
            print("not refused:", *arguments)
        except OSError as error:
            refusals.append(error)
    if len(refusals) == len(attempts):
        raise refusals[-1]


def train(model, run):
    try_all([
        (plant, pathlib.Path(__file__).parent),
        (plant, pathlib.Path("..")),
        (plant, corpus()),
        (plant, pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)),
        (plant, pathlib.Path("/tmp")),
        (plant, pathlib.Path("/dev/shm")),
        (plant, pathlib.Path(os.__file__).parent),
    ])
    learn(model, run.batches(2))
