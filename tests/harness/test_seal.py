"""A sealed file is believed only while it is the same."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.seal import SealError, map_sealed, seal_file, seal_of

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_folder
@given(st.binary(max_size=300))
def test_an_untouched_file_is_mapped(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds, nothing included, it is mapped whole, and its seal is that of its bytes."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert seal_file(path) == seal_of(content)
    assert bytes(map_sealed(path, seal_file(path))) == content


@same_folder
@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_changed_bit_is_found(tmp_path: Path, content: bytes, data: st.DataObject) -> None:
    """Flip one bit, and the file is refused by name."""
    path = tmp_path / "file"
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed)
    with pytest.raises(SealError, match="file changed since it was prepared"):
        map_sealed(path, seal_of(content))


@pytest.mark.parametrize("content", [b"", b"abc", b"abcdef"])
def test_another_size_is_found(tmp_path: Path, content: bytes) -> None:
    """A file that was emptied, cut or extended is refused, and both sizes are said."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SealError, match=f"{len(content)} bytes instead of 4"):
        map_sealed(path, seal_of(b"abcd"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is gone, or is a directory, is one clear line."""
    with pytest.raises(SealError, match="gone is missing"):
        map_sealed(tmp_path / "gone", seal_of(b""))
    with pytest.raises(SealError, match="cannot be read: Is a directory"):
        map_sealed(tmp_path, seal_of(b""))


def test_a_mapping_outlives_its_file(tmp_path: Path) -> None:
    """What was checked stays what it was when the name is given to another file afterwards."""
    path = tmp_path / "file"
    path.write_bytes(b"checked")
    mapped = map_sealed(path, seal_of(b"checked"))
    other = tmp_path / "other"
    other.write_bytes(b"forged!")
    other.replace(path)
    assert bytes(mapped) == b"checked"
