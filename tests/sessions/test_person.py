"""What a person's keys leave in the agent's composer."""

import pytest

from sessions.person import _leaves_a_draft


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        (b"hel", False, True),
        (b"hello\r", False, False),
        (b"hello\rw", False, True),
        (b"\x1b[A", False, False),
        (b"\x1b[<35;10;5M\x1b[I", False, False),
        (b"\x1b[B", True, True),
        (b"\x03", True, False),
        (b"\x15", True, False),
        ("é".encode(), False, True),
        (b"\x7f", False, False),
        (b"", True, True),
    ],
)
def test_a_draft_is_what_was_typed_and_not_sent(keys: bytes, before: bool, after: bool) -> None:
    """Text that was typed and not sent is a draft; arrows and the mouse are none; what empties the composer ends it."""
    assert _leaves_a_draft(keys, before) is after
