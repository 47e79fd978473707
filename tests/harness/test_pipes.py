"""Objects over pipes, whatever the other side sends."""

import json
import os
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pipes import MAX_LINE, Channel, Lines, send

OBJECTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20) | st.none(), max_size=4)
GARBAGE = st.sampled_from([b"", b"[1]", b"{", b"\xff\xfe", b"nul", b"[" * 5000, b'"text"'])


@settings(deadline=None)
@given(lines=st.lists(OBJECTS | GARBAGE, max_size=8), size=st.integers(1, 50))
def test_objects_arrive_whole_and_in_order(lines: list[dict[str, object] | bytes], size: int) -> None:
    """Cut into any pieces, the objects come out as they went in, and what is none is passed over."""
    data = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)
    stream = Lines()
    got = [message for i in range(0, len(data), size) for message in stream.feed(data[i : i + size])]
    assert got == [one for one in lines if isinstance(one, dict)]


def test_a_line_without_an_end_is_dropped() -> None:
    """Somebody who never ends a line cannot make the reader keep it."""
    lines = Lines()
    for _ in range(20):
        assert lines.feed(b"x" * MAX_LINE) == []
    assert lines.feed(b'\n{"a": 1}\n') == [{"a": 1}]


def test_a_channel_gives_what_was_sent_until_the_other_side_hangs_up() -> None:
    """More than a pipe holds goes through, in order; the end is None; children do not inherit either end."""
    read, write = os.pipe()
    channel = Channel(read, write)
    assert not os.get_inheritable(read)
    assert not os.get_inheritable(write)

    def speak() -> None:
        for number in range(300):
            send(write, {"number": number, "text": "x" * 1000})
        os.close(write)

    speaker = threading.Thread(target=speak)
    speaker.start()
    numbers = [message["number"] for message in iter(channel.receive, None)]
    speaker.join()
    os.close(read)
    assert numbers == list(range(300))
