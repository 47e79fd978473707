"""harness.nvml with the real pynvml against a stand-in library, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.machine_sample import GpuProcess, GpuSample
from harness.nvml import MISMATCH, NO_GPU, NO_LIBRARY, NOT_LOADED
from harness.throttle_reasons import throttle_words
from tests.harness.nvml_standin import compiled

NUMBERS = (
    "utilization",
    "memory_used",
    "memory_total",
    "power_w",
    "power_limit_w",
    "temperature_c",
    "energy_j",
    "sm_clock_mhz",
    "memory_clock_mhz",
)

# One JSON line a scenario named on the command line: the samples, or why there are none.
PROBE = """
import json, os, sys
from dataclasses import asdict
from harness.nvml import Nvml, NvmlUnavailableError
nvml = Nvml(lambda pid: "name of %d" % pid)
for scenario in sys.argv[1:]:
    os.environ["NVML_STANDIN"] = scenario
    try:
        print(json.dumps([asdict(one) for one in nvml.sample()]))
    except NvmlUnavailableError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


def probe(driver: Path, *scenarios: str) -> list[Any]:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(driver)}
    command = [sys.executable, "-I", "-c", PROBE, *scenarios]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def but_energy(gpu: dict[str, Any]) -> dict[str, Any]:
    """What does not grow from one question to the next."""
    return {key: value for key, value in gpu.items() if key != "energy_j"}


def test_healthy_gpus_tell_everything(driver: Path) -> None:
    """Two healthy GPUs: every number with its unit, the process named, nothing unknown, a real zero stays zero."""
    [[busy, idle]] = probe(driver, "healthy")
    assert GpuSample.from_dict(busy) == GpuSample(
        index=0,
        name="NVIDIA Stand-in 0",
        uuid="GPU-00000000",
        utilization=98,
        memory_used=61 << 30,
        memory_total=80 << 30,
        power_w=612.5,
        power_limit_w=700.0,
        temperature_c=64,
        energy_j=5_000_700.0,
        sm_clock_mhz=1980,
        memory_clock_mhz=2619,
        processes=[GpuProcess(4194400, "name of 4194400", 60 << 30, sm_percent=91)],
    )
    assert (idle["utilization"], idle["memory_used"], idle["processes"], idle["unknown"]) == (0, 0, [], [])


def test_every_process_is_listed_once(driver: Path) -> None:
    """A second process appears; one that is listed thrice appears once, its memory unknown where a part of it is."""
    [[gpu, _]] = probe(driver, "foreign")
    assert [(one["pid"], one["memory_used"]) for one in gpu["processes"]] == [(4194400, 60 << 30), (4194401, None)]


def test_how_much_each_process_computes(driver: Path) -> None:
    """Each process has its highest use since the sample before; one that only keeps memory has a real zero."""
    [[foreign, _], [resting, _]] = probe(driver, "foreign", "resting")
    assert [one["sm_percent"] for one in foreign["processes"]] == [91, 37]
    assert [one["sm_percent"] for one in resting["processes"]] == [91, 0]


def test_use_that_is_not_told_is_unknown(driver: Path) -> None:
    """A driver that does not count processes' use leaves it unknown, never 0."""
    [[gpu, _]] = probe(driver, "uncounted")
    assert [one["sm_percent"] for one in gpu["processes"]] == [None, None]


def test_instances_of_a_split_gpu(driver: Path) -> None:
    """Under MIG each process has its instances, and the GPU as a whole no utilisation; without MIG there are none."""
    [[split, _], [whole, _]] = probe(driver, "mig", "healthy")
    assert [one["instances"] for one in split["processes"]] == [[1], [2]]
    assert split["unknown"] == ["utilization"]
    assert [one["instances"] for one in whole["processes"]] == [[]]


def test_a_missing_counter_of_energy_is_unknown(driver: Path) -> None:
    """A card without the counter has no energy, and everything else."""
    [[gpu, _]] = probe(driver, "no-energy")
    assert (gpu["energy_j"], gpu["unknown"]) == (None, ["energy_j"])


def test_throttling_in_words(driver: Path) -> None:
    """Reasons to hold the clocks down come in words; idle is none; one that nobody knows is not swallowed."""
    [[slowed, idle]] = probe(driver, "throttled")
    assert slowed["throttle"] == ["power cap", "hardware thermal", "reason 0x10000"]
    assert idle["throttle"] == []


@pytest.mark.parametrize("how", ["lost", "stale"])
def test_a_lost_gpu_beside_a_healthy_one(driver: Path, how: str) -> None:
    """A lost GPU keeps its name and has no number, not even a stale one; its neighbour keeps all of them."""
    [before, [neighbour, lost]] = probe(driver, "healthy", how)
    assert but_energy(neighbour) == but_energy(before[0])
    assert lost["lost"]
    assert (lost["name"], lost["uuid"]) == ("NVIDIA Stand-in 1", "GPU-00000001")
    assert [lost[number] for number in NUMBERS] == [None] * len(NUMBERS)
    assert set(lost["unknown"]) == {*NUMBERS, "throttle", "processes"}


def test_what_is_not_permitted_is_unknown(driver: Path) -> None:
    """A GPU that may not be opened is there and unknown; a process list that may not be read is not an empty one."""
    [[first, second]] = probe(driver, "no-permission")
    assert first["utilization"] == 98
    assert first["unknown"] == ["processes"]
    assert not second["lost"]
    assert {*NUMBERS, "uuid", "throttle", "processes"} == set(second["unknown"])


def test_what_is_not_supported_is_none(driver: Path) -> None:
    """Where the driver answers "not supported", the field is None and named, never 0."""
    [[gpu, _]] = probe(driver, "sparse")
    assert gpu["name"] == "NVIDIA Stand-in 0"
    assert [gpu[number] for number in NUMBERS] == [None] * len(NUMBERS)
    assert set(gpu["unknown"]) == {*NUMBERS, "uuid", "throttle", "processes"}


def test_an_old_driver_is_asked_in_its_own_words(tmp_path: Path) -> None:
    """A driver without the newer calls still tells everything, through the older ones."""
    [[gpu, _]] = probe(compiled(tmp_path, "-DOLD_DRIVER"), "healthy")
    assert gpu["unknown"] == []
    assert (gpu["temperature_c"], gpu["throttle"], gpu["memory_used"]) == (64, ["power cap"], 62 << 30)
    assert len(gpu["processes"]) == 1


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("not-loaded", NOT_LOADED),
        ("mismatch", MISMATCH),
        ("empty", NO_GPU),
        ("forbidden", "this user may not talk to the NVIDIA driver; look at the permissions of /dev/nvidiactl"),
        ("uninitialised", "the NVIDIA driver does not answer: Uninitialized"),
    ],
)
def test_why_there_are_no_numbers(driver: Path, scenario: str, why: str) -> None:
    """A driver that cannot be talked to is one clear line."""
    assert probe(driver, scenario) == [why]


def test_no_library(tmp_path: Path) -> None:
    """A library that cannot be loaded is said to be missing, whatever is installed on this machine."""
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"not a library")
    assert probe(tmp_path, "healthy") == [NO_LIBRARY]


@pytest.mark.parametrize("how", ["not-loaded", "vanishing"])
def test_the_driver_comes_back(driver: Path, how: str) -> None:
    """After the driver went away, before or in the middle of a sample, the next one opens it anew."""
    before, gone, after = probe(driver, "healthy", how, "healthy")
    assert gone == NOT_LOADED
    assert [but_energy(one) for one in after] == [but_energy(one) for one in before]


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_every_reason_but_idle_is_said(reasons: int) -> None:
    """A mask without the idle bit has words exactly if it is not zero."""
    assert bool(throttle_words(reasons)) == bool(reasons & ~1)
