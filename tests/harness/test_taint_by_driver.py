"""From the driver to the taint: the real pynvml against the stand-in, sampled, reported and judged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine_report import MachineReport, report
from harness.machine_sample import MachineSample
from harness.nvml import NOT_LOADED
from harness.taint import taints
from tests.harness.nvml_standin import compiled, environment

# A sample for each scenario, as a JSON line. The clock is a second a sample, and the second process is not the run's.
PROBE = """
import os, sys
from dataclasses import replace
from harness import machine
from harness.nvml import Nvml
machine.RETRY_S = 0.0
sampler = machine.Sampler()
owned = (lambda pid: pid != 4194401) if sys.argv[1] == "told" else (lambda pid: None)
sampler._nvml = Nvml(lambda pid: "python3" if pid == 4194401 else "harness.child", owned)
for number, scenario in enumerate(sys.argv[2:]):
    os.environ["NVML_STANDIN"] = scenario
    print(replace(sampler.sample(), clock=float(number)).to_json(), flush=True)
"""
TRAINING = 20  # seconds, and samples


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


def watched(
    driver: Path, *during: str, before: str = "healthy", ends: int = 0, own: str = "told", gpu: str = "0"
) -> tuple[MachineReport, list[str]]:
    """Report and taints of a run whose training saw these scenarios in turn, each equally long."""
    scenarios = [before, *(during[i * len(during) // TRAINING] for i in range(TRAINING))]
    command = [sys.executable, "-I", "-c", PROBE, own, *scenarios]
    done = subprocess.run(command, env=environment(driver), stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == ends
    samples = [MachineSample.from_json(line) for line in done.stdout.splitlines()]
    found = report(samples, started=0.5, began=0.6, ended=TRAINING + 0.5, gpu=gpu)
    assert json.loads(found.to_json())
    return found, taints(found, clock="wall", wall_s=float(TRAINING), cpu_s=float(TRAINING))


def test_a_healthy_gpu(driver: Path) -> None:
    """A healthy GPU gives every number of the report, the driver's count of energy and memory among them, no taint."""
    found, lines = watched(driver, "healthy")
    assert (found.samples, found.lost, found.gpu_error, found.unknown) == (TRAINING, "", "", [])
    assert (found.gpu_name, found.gpu_uuid, found.utilization) == ("NVIDIA Stand-in 0", "GPU-00000000", 98.0)
    assert (found.memory_peak, found.energy_j, found.power_w) == (60 << 30, 700.0 * (TRAINING - 1), 612.5)
    assert lines == []


def test_another_gpu_by_its_uuid(driver: Path) -> None:
    """The report is about the GPU that the run was given, and not about its neighbour."""
    found, lines = watched(driver, "throttled", gpu="GPU-00000001")
    assert (found.gpu_index, found.sm_clock_mhz, found.throttled, lines) == (1, 345.0, {}, [])


@pytest.mark.parametrize("how", ["foreign", "uncounted"])
def test_a_foreign_process(driver: Path, how: str) -> None:
    """A foreign process that the driver lists in half of training is contention, also where its use is not told."""
    found, lines = watched(driver, "healthy", how)
    assert lines == ["contended: python3 (pid 4194401) computed on the GPU in 50 % of the samples"]
    assert found.memory_peak == 60 << 30


def test_a_foreign_process_seen_from_a_container(driver: Path) -> None:
    """Where pids say nothing, one that was there before the run is foreign, and so is one too many that came later."""
    _, lines = watched(driver, "foreign", before="foreign", own="untold")
    assert {line.split(":")[0] for line in lines} == {"contended"}
    _, [line] = watched(driver, "healthy", "foreign", before="sparse", own="untold")
    assert line.startswith("contended: python3 (pid 4194401)")


def test_a_resting_process(driver: Path) -> None:
    """A foreign process that keeps memory and computes nothing is in no taint."""
    assert watched(driver, "resting")[1] == []


def test_mig(driver: Path) -> None:
    """A neighbour in another instance is none; one in ours is; what a split GPU does not tell is unknown."""
    found, lines = watched(driver, "mig")
    assert (found.utilization, found.unknown, lines) == (None, ["utilization"], [])
    assert found.memory_peak == 10 << 30
    assert watched(driver, "shared-mig")[1] == [
        "contended: python3 (pid 4194401) computed on the GPU in 100 % of the samples"
    ]


def test_throttling(driver: Path) -> None:
    """Heat is a taint; the power cap beside it, and a reason that nobody knows, are in the report alone."""
    found, lines = watched(driver, "healthy", "throttled")
    assert found.throttled == {"power cap": 0.5, "hardware thermal": 0.5, "reason 0x10000": 0.5}
    assert lines == ["throttled: hardware thermal in 50 % of the samples"]


def test_a_slower_clock(driver: Path) -> None:
    """A clock that falls in mid-run is drift, whether or not the driver says why."""
    assert watched(driver, "healthy", "slow")[1] == [
        "clock drift: SM clock 1980 MHz in the first third of training, 1755 MHz in the last"
    ]


def test_a_lost_gpu(driver: Path) -> None:
    """A GPU that falls off the bus is said to be lost; its numbers are those from before."""
    found, lines = watched(driver, "healthy", "lost", gpu="1")
    assert (found.lost, found.samples, found.power_w, lines) == ("the GPU was lost", TRAINING, 68.25, [])
    assert watched(driver, "lost", gpu="1")[0].power_w is None


def test_missing_permissions(driver: Path) -> None:
    """A process list that may not be read is unknown: no foreign process is claimed, nor is there a peak of memory."""
    found, lines = watched(driver, "no-permission")
    assert (found.unknown, found.memory_peak, found.foreign_count, lines) == (["processes"], None, 0, [])
    closed, _ = watched(driver, "no-permission", gpu="1")
    assert closed.gpu_index == 1
    assert {"power_w", "throttle", "processes"} <= set(closed.unknown)


def test_a_missing_counter_of_energy(driver: Path) -> None:
    """Without the counter there is no energy; everything else stands."""
    found, _ = watched(driver, "no-energy")
    assert (found.energy_j, found.power_w, found.unknown) == (None, 612.5, ["energy_j"])


def test_a_driver_that_is_unloaded(driver: Path) -> None:
    """A driver that goes away in mid-run leaves the numbers from before, and why there are no more."""
    found, _ = watched(driver, "healthy", "not-loaded")
    assert (found.lost, found.power_w) == (NOT_LOADED, 612.5)
    never, _ = watched(driver, "not-loaded", before="not-loaded")
    assert (never.gpu_error, never.gpu_name, never.power_w) == (NOT_LOADED, "", None)


def test_a_driver_that_crashes(driver: Path) -> None:
    """A driver that kills the sampler in mid-run leaves the samples from before, and the report says how many."""
    found, lines = watched(driver, "healthy", "crash", ends=-signal.SIGSEGV)
    assert found.lost == "the machine was not watched for the last 10 s of 20 s"
    assert (found.samples, found.power_w, lines) == (TRAINING // 2, 612.5, [])


def test_a_gpu_that_is_not_there(driver: Path) -> None:
    """A GPU that the driver does not list is said to be unknown."""
    assert watched(driver, "healthy", gpu="7")[0].gpu_error == "the driver did not tell which GPU 7 is"
    assert os.environ.get("NVML_STANDIN") is None  # all of this was said in other processes
