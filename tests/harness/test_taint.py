"""What a run's samples amount to, and what speaks against its number: made-up samples, one a second."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.machine_report import MachineReport, report
from harness.machine_sample import GpuProcess, GpuSample, MachineSample
from harness.taint import Taint, taints
from harness.text import one_line
from harness.throttle_reasons import HARDWARE_THERMAL, POWER_CAP

OWN = GpuProcess(100, "harness.child", 3 << 30, own=True, sm_percent=97)
OTHER = GpuProcess(4711, "python3", 1 << 30, own=False, sm_percent=30)
SECONDS = 40


def gpu(**changes: Any) -> GpuSample:
    facts: dict[str, Any] = {"uuid": "GPU-1", "utilization": 98, "power_w": 600.0, "sm_clock_mhz": 1980}
    return GpuSample(**({"index": 0, "name": "H100", "processes": [OWN]} | facts | changes))


def samples(at: Callable[[int], dict[str, Any]], count: int = SECONDS) -> list[MachineSample]:
    """A sample at each of the seconds 0, 1, ...; `at` tells what is special then."""
    usual: dict[str, Any] = {"cpu_percent": 60.0, "cpu_count": 2, "steal_percent": 0.0, "cpu_mhz": 3000.0}
    return [MachineSample(at=1e9 + i, clock=float(i), **(usual | at(i))) for i in range(count)]


def on_gpu(at: Callable[[int], dict[str, Any]], **options: Any) -> MachineReport:
    """The report of a run that trained from second 5 to the last, on a GPU that `at` describes."""
    times = {"started": 2.5, "began": 4.5, "ended": SECONDS - 0.5}
    return report(samples(lambda i: {"gpus": [gpu(**at(i))]}), gpu="0", **(times | options))


def gpu_taints(at: Callable[[int], dict[str, Any]], **options: Any) -> list[str]:
    return taints(on_gpu(at, **options), clock="wall", wall_s=35.0, cpu_s=30.0)


def cpu_taints(at: Callable[[int], dict[str, Any]], cpu_s: float = 33.0) -> list[str]:
    found = report(samples(at), started=0.0, began=4.5, ended=SECONDS - 0.5)
    return taints(found, clock="cpu", wall_s=35.0, cpu_s=cpu_s)


def test_a_quiet_gpu_is_summed_up() -> None:
    """On a quiet GPU every number of the report is right, and there is no taint."""
    done = on_gpu(
        lambda i: {"energy_j": 1000.0 + 600 * i, "sm_clock_mhz": 1980 - 15 * (i % 2), "utilization": 90 + i % 2}
    )
    assert (done.samples, done.seconds, done.lost, done.gpu_error) == (35, 35.0, "", "")
    assert (done.gpu_index, done.gpu_uuid, done.gpu_name) == (0, "GPU-1", "H100")
    assert (done.utilization, done.utilization_most) == (pytest.approx(90.514, abs=1e-3), 91)
    assert (done.memory_peak, done.power_w, done.energy_j) == (3 << 30, 600.0, 600.0 * 34)
    assert (done.sm_clock_mhz, done.sm_clock_spread_mhz) == (1965.0, 15)
    assert (done.foreign, done.foreign_count, done.throttled) == ([], 0, {})
    assert taints(done, clock="wall", wall_s=35.0, cpu_s=30.0) == []


def test_a_report_survives_its_line() -> None:
    """Reading what was written gives the same report back, its foreign processes included."""
    done = on_gpu(lambda _i: {"processes": [OWN, OTHER]})
    assert done.foreign
    assert MachineReport.from_json(done.to_json()) == done


def test_only_training_counts() -> None:
    """What the machine did before training and after it is in no number and is no taint."""

    def at(i: int) -> dict[str, Any]:
        return {"processes": [OTHER], "throttle": [HARDWARE_THERMAL], "sm_clock_mhz": 345} if not 5 <= i <= 34 else {}

    done = on_gpu(at, ended=34.5)
    assert (done.samples, done.sm_clock_spread_mhz, done.foreign, done.throttled) == (30, 0, [], {})
    assert taints(done, clock="wall", wall_s=30.0, cpu_s=30.0) == []


def test_a_foreign_process_contends() -> None:
    """Somebody else's process that computes is named, with how often it was seen."""
    [line] = gpu_taints(lambda i: {"processes": [OWN, OTHER] if i >= 12 else [OWN]})
    assert line == "contended: python3 (pid 4711) computed on the GPU in 80 % of the samples"


def test_a_visit_is_no_contention() -> None:
    """A foreign process in one sample, or in less than a twentieth of them, is a moment."""
    assert gpu_taints(lambda i: {"processes": [OWN, OTHER] if i == 20 else [OWN]}) == []
    assert gpu_taints(lambda i: {"processes": [OWN, OTHER] if i == 10 else [OWN]}, ended=12.5) == []


def test_one_that_only_keeps_memory_is_no_contention() -> None:
    """A process that the driver saw idle while it saw ours work took nothing; if it saw nobody, it knows nothing."""
    idle = GpuProcess(4711, "notebook", 9 << 30, own=False, sm_percent=0)
    unseen = GpuProcess(100, "harness.child", 3 << 30, own=True, sm_percent=0)
    assert gpu_taints(lambda _i: {"processes": [OWN, idle]}) == []
    assert len(gpu_taints(lambda _i: {"processes": [unseen, idle]})) == 1


def test_an_instance_of_its_own_is_no_contention() -> None:
    """Under MIG a neighbour in another instance takes nothing; one in ours does."""
    own = GpuProcess(100, "harness.child", 3 << 30, own=True, instances=[1])
    elsewhere = GpuProcess(4711, "python3", 1 << 30, own=False, instances=[2])
    here = GpuProcess(4711, "python3", 1 << 30, own=False, instances=[1])
    assert gpu_taints(lambda _i: {"processes": [own, elsewhere]}) == []
    assert len(gpu_taints(lambda _i: {"processes": [own, here]})) == 1


def unknown(pid: int, memory: int = 1) -> GpuProcess:
    return GpuProcess(pid, None, memory)


def test_a_container_is_judged_by_who_was_there_before() -> None:
    """Where pids say nothing, who computed before the run is foreign, and the newcomer is the run's."""
    done = on_gpu(lambda i: {"processes": [unknown(7, 5), *([unknown(9, 30)] if i >= 3 else [])]})
    assert [(one.pid, one.share) for one in done.foreign] == [(7, 1.0)]
    assert done.memory_peak == 30


def test_a_container_is_judged_by_how_many_came() -> None:
    """Of newcomers, as many as the run has are its own, and those after them foreign."""

    def at(i: int) -> dict[str, Any]:
        return {"processes": [unknown(pid) for pid, since in ((50, 3), (60, 4), (8, 12)) if i >= since]}

    assert gpu_taints(at, own_most=2) == ["contended: a process (pid 8) computed on the GPU in 80 % of the samples"]
    assert gpu_taints(at, own_most=3) == []


def test_whose_memory_is_not_guessed() -> None:
    """Without a look from before, two newcomers where one is the run's: contended, and no memory is claimed."""
    done = on_gpu(lambda _i: {"processes": [unknown(7, 5), unknown(9, 30)]}, started=0.0)
    assert (done.foreign_count, done.memory_peak) == (1, None)


def test_memory_is_what_all_own_processes_had_at_once() -> None:
    """The peak is the highest sum of one sample, of the run's own processes alone; unknown parts are left out."""
    second = GpuProcess(101, "harness.model_host", 1 << 30, own=True)
    silent = GpuProcess(102, "harness.model_host", None, own=True)
    done = on_gpu(lambda i: {"processes": [OWN, OTHER, *([second, silent] if i == 20 else [])]})
    assert done.memory_peak == 4 << 30


@pytest.mark.parametrize(("reason", "tainted"), [(HARDWARE_THERMAL, True), (POWER_CAP, False), ("sync boost", False)])
def test_what_throttles(reason: str, tainted: bool) -> None:
    """Clocks that are held down by heat or a fault are a taint; a power cap at full load is how cards work."""
    lines = gpu_taints(lambda i: {"throttle": [reason] if i % 4 == 0 else []})
    assert lines == ([f"throttled: {reason} in 23 % of the samples"] if tainted else [])
    assert gpu_taints(lambda i: {"throttle": [reason] if i == 20 else []}) == []


@pytest.mark.parametrize(("late", "tainted"), [(1755, True), (1905, False), (2100, True)])
def test_a_clock_that_drifts(late: int, tainted: bool) -> None:
    """The SM clock's medians of the first and the last third may lie a twentieth apart, up or down."""
    lines = gpu_taints(lambda i: {"sm_clock_mhz": 1980 if i < 20 else late})
    assert lines == (
        [f"clock drift: SM clock 1980 MHz in the first third of training, {late} MHz in the last"] if tainted else []
    )


def test_too_few_samples_show_no_drift() -> None:
    """Eight samples have no thirds to compare."""
    assert gpu_taints(lambda i: {"sm_clock_mhz": 1000 + 100 * i}, ended=12.5) == []


def test_stolen_time_contends() -> None:
    """Steal is weighed against the CPU time that was wanted: 12 % of CPUs that are 60 % busy is a fifth."""
    assert cpu_taints(lambda _i: {"steal_percent": 12.0}) == [
        "contended: the hypervisor gave 20 % of the CPU time that was wanted to other machines"
    ]
    assert cpu_taints(lambda _i: {"steal_percent": 5.0}) == []


def test_a_crowd_contends() -> None:
    """Less than half of a core on CPUs without a pause is contention; so it isn't while one of them is idle."""
    assert cpu_taints(lambda _i: {"cpu_percent": 99.0}, cpu_s=10.0) == [
        "contended: the run got 0.29 of a core, and the 2 CPUs were 99 % busy"
    ]
    assert cpu_taints(lambda _i: {"cpu_percent": 55.0}, cpu_s=10.0) == []


def test_a_busy_machine_is_no_crowd() -> None:
    """Three at work on two cores leave each two thirds of one: no taint."""
    assert cpu_taints(lambda _i: {"cpu_percent": 100.0}, cpu_s=0.66 * 35) == []


def test_a_cpu_that_drifts() -> None:
    """A CPU's frequency may move by a tenth; steal that comes and goes is drift even where its mean is small."""
    assert cpu_taints(lambda i: {"cpu_mhz": 3000.0 if i < 20 else 2500.0}) == [
        "clock drift: CPU frequency 3000 MHz in the first third of training, 2500 MHz in the last"
    ]
    assert cpu_taints(lambda i: {"cpu_mhz": 3000.0 if i < 20 else 2800.0}) == []
    assert cpu_taints(lambda i: {"steal_percent": 9.0 if i > 28 else 0.0}) == [
        "clock drift: the hypervisor took 0 % of the CPU time in the first third of training, 15 % in the last"
    ]


def test_the_cpu_is_not_held_against_a_gpu() -> None:
    """Steal is no taint of a run whose clock is the wall's."""
    assert gpu_taints(lambda _i: {}) == []
    done = report(samples(lambda _i: {"steal_percent": 50.0, "gpus": [gpu()]}), started=0, began=1, ended=39, gpu="0")
    assert taints(done, clock="wall", wall_s=38.0, cpu_s=1.0) == []


def test_a_sampler_that_died_is_told() -> None:
    """Samples that end before training did are said to; the numbers until then stand, and it is no taint."""
    done = report(samples(lambda _i: {"gpus": [gpu()]}, 20), started=0.5, began=4.5, ended=39.5, gpu="0")
    assert done.lost == "the machine was not watched for the last 20 s of 35 s"
    assert (done.samples, done.power_w) == (15, 600.0)
    assert taints(done, clock="wall", wall_s=35.0, cpu_s=30.0) == []


@pytest.mark.parametrize(("every_s", "lost"), [(0.2, True), (0.7, True), (1.0, False)])
def test_a_late_sample_is_no_death(every_s: float, lost: bool) -> None:
    """Two seconds and a half of silence are the end of a sampler that was ordered to look often, else a delay."""
    done = report(samples(lambda _i: {}), started=0.0, began=4.5, ended=SECONDS + 1.5, every_s=every_s)
    assert bool(done.lost) is lost
    assert not report(samples(lambda _i: {}), started=0.0, began=4.5, ended=SECONDS + 0.9, every_s=every_s).lost


def test_no_samples_at_all() -> None:
    """A sampler that never said anything leaves a report of unknowns, which says so."""
    done = report([], started=0.0, began=1.0, ended=31.0, gpu="0")
    assert (done.samples, done.lost) == (0, "the machine was not watched for the last 30 s of 30 s")
    assert (done.power_w, done.cpu_percent, done.memory_peak, done.energy_j) == (None, None, None, None)
    assert taints(done, clock="cpu", wall_s=30.0, cpu_s=1.0) == []


def test_a_hostile_name_is_cleaned() -> None:
    """What a process calls itself reaches neither the report nor a taint as control sequences."""
    hostile = GpuProcess(4711, "\x1b[2Jevil\n" + "x" * 500, 1, own=False)
    done = on_gpu(lambda _i: {"processes": [OWN, hostile]})
    [line] = taints(done, clock="wall", wall_s=35.0, cpu_s=30.0)
    assert done.foreign[0].name.startswith("evil x")
    assert line.isprintable()
    assert len(line) < 120


process = st.builds(
    GpuProcess,
    pid=st.integers(1, 6),
    name=st.none() | st.text(max_size=5),
    memory_used=st.none() | st.integers(0, 10),
    own=st.sampled_from([True, False, None]),
    sm_percent=st.none() | st.integers(0, 100),
    instances=st.lists(st.integers(0, 2), max_size=2),
)
one_gpu = st.builds(
    GpuSample,
    index=st.just(0),
    name=st.just("x"),
    utilization=st.none() | st.integers(0, 100),
    energy_j=st.none() | st.floats(0, 1e9),
    sm_clock_mhz=st.none() | st.integers(0, 3000),
    throttle=st.lists(st.sampled_from([HARDWARE_THERMAL, POWER_CAP])),
    processes=st.lists(process, max_size=4, unique_by=lambda one: one.pid),
    lost=st.booleans(),
)
machine = st.builds(
    MachineSample,
    at=st.just(1e9),
    gpus=st.lists(one_gpu, max_size=1),
    gpu_error=st.sampled_from(["", "gone"]),
    cpu_percent=st.floats(0, 100),
    clock=st.floats(0, 40),
    steal_percent=st.none() | st.floats(0, 100),
    cpu_mhz=st.none() | st.floats(0, 5000),
)


@settings(deadline=None)
@given(st.lists(machine, max_size=15), st.integers(0, 4), st.floats(0, 40), st.floats(0, 40))
def test_any_samples_have_a_report(found: Sequence[MachineSample], own_most: int, began: float, cpu_s: float) -> None:
    """Whatever was sampled, there is a report that survives its line, and every taint is one line under its word."""
    done = report(found, started=began / 2, began=began, ended=40.0, gpu="0", own_most=own_most)
    assert MachineReport.from_json(done.to_json()) == done
    for line in taints(done, clock="cpu", wall_s=40.0, cpu_s=cpu_s):
        assert line == one_line(line)
        assert line.startswith(tuple(f"{word}: " for word in Taint))
