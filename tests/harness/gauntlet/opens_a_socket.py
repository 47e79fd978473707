"""Asks for the network and for sockets of this machine, of every kind."""

import socket

from torch import nn


def build_model(spec):
    return nn.Sequential(nn.Embedding(spec.vocab_size, 8), nn.Linear(8, spec.vocab_size))


def learn(model, batches):
    for inputs, targets in batches:
        nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        for parameter in model.parameters():
            parameter.data -= parameter.grad
            parameter.grad = None


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
        (socket.socket, socket.AF_INET, socket.SOCK_STREAM),
        (socket.socket, socket.AF_INET, socket.SOCK_DGRAM),
        (socket.socket, socket.AF_INET6, socket.SOCK_STREAM),
        (socket.socket, socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.socket, socket.AF_NETLINK, socket.SOCK_RAW),
        (socket.create_connection, ("127.0.0.1", 22), 5),
    ])
    learn(model, run.batches(2))
