"""Leaves a daemon behind: another session, no parent, an empty environment."""

import pathlib
import subprocess
import sys
import time

from torch import nn

DAEMON = """
import os, pathlib, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pathlib.Path("daemon.part").write_text(str(os.getpid()))
        os.rename("daemon.part", "daemon.pid")
        signal.pause()
"""


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def learn(model, batches):
    for inputs, targets in batches:
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad
            parameter.grad = None


def train(model, run):
    subprocess.run([sys.executable, "-I", "-c", DAEMON], env={}, check=True)
    while not pathlib.Path("daemon.pid").exists():
        time.sleep(0.01)
    learn(model, run.batches(2))
