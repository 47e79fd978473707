"""Has every record to the runner say what it likes: little time, a good score, control characters."""

import json
import os

from torch import nn

from harness import pipes


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def learn(model, batches):
    for inputs, targets in batches:
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad
            parameter.grad = None


def train(model, run):
    learn(model, run.batches(2))

    def forge(fd, message):
        lies = {"spent_s": 1e-9, "tokens": -1, "clock": "\x1b[31mgolden\n---", "device": ["x" * 1000], "val_bpb": 1e-6}
        for record in ({**message, **lies}, {"kind": "score", "val_bpb": 1e-6, "params": 1}, ["done"], None, 1e400):
            os.write(fd, json.dumps(record).encode() + b"\n")

    pipes.send = forge
