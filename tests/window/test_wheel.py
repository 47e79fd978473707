"""Letting go of the wheel, in every spelling of its key."""

import socket

import pytest

from autoresearch_tui.wheel import _Relay
from sessions.protocol import decode


def typed(keys: bytes) -> tuple[bool, bytes]:
    """Whether the wheel is kept after `keys`, and what was sent on."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept = _Relay(ours, 0, 1)._type(keys)
        ours.shutdown(socket.SHUT_WR)
        return kept, theirs.makefile("rb").read()


@pytest.mark.parametrize("key", [b"\x1d", b"\x1b[93;5u", b"\x1b[93;133u", b"\x1b[93;69u", b"\x1b[93;5:1u"])
def test_ctrl_bracket_lets_go(key: bytes) -> None:
    """ctrl-], plain or in kitty's protocol, with locks or event types, gives the wheel back and is not sent on."""
    assert typed(key) == (False, b"")


@pytest.mark.parametrize("key", [b"]", b"\x1b[93;3u", b"\x1b[93;1u", b"\x1b[94;5u", b"\x1b[A"])
def test_other_keys_go_to_the_agent(key: bytes) -> None:
    """Anything else, alt-] among it, is sent on and the wheel kept."""
    kept, sent = typed(key)
    assert kept
    assert decode(sent)["verb"] == "keys"


def test_a_terminal_that_is_gone_lets_go() -> None:
    """The end of the input ends the relay."""
    assert typed(b"") == (False, b"")
