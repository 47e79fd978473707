"""The records that cross the harness's borders: what a run is asked to do and what came of it.

Values only: no I/O and no judgement. They travel as one JSON object a line.
"""

import json
import types
import typing
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any, Final, Self

# What a run leaves in its scratch directory.
WEIGHTS_FILE: Final = "weights.safetensors"


class Outcome(StrEnum):
    """How a run ended, before anybody compares its number with another."""

    OK = "ok"
    CRASH = "crash"  # the genome failed: an exception, a bad exit, weights that do not load
    TIMEOUT = "timeout"  # the wall deadline passed
    REJECTED = "rejected"  # the logits depend on what they must not depend on
    ABORTED = "aborted"  # stopped from outside; says nothing of the genome


class Phase(StrEnum):
    """Where a run is."""

    WAITING = "waiting"  # for the GPU, which another run has
    STARTING = "starting"
    TRAINING = "training"
    EVALUATING = "evaluating"


class RecordError(ValueError):
    """A record does not have its form."""


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


class Record:
    """JSON for frozen dataclasses: unknown keys are ignored, missing ones and values of another type are errors.

    A list's or object's own contents are not looked into.
    """

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            RecordError: not a JSON object, a field without a default is missing, or one is of another type.
        """
        try:
            data = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:  # the latter: a thousand brackets
            raise RecordError(f"not JSON: {error}") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """The same, from an object that is already parsed."""
        if not isinstance(data, dict):
            raise RecordError(f"not an object: {str(data)[:80]!r}")
        hints = _field_types(cls)  # type: ignore[arg-type]  # a class is hashable
        for name in hints.keys() & data.keys():
            if not _fits(data[name], hints[name]):
                raise RecordError(f"{name} cannot be {str(data[name])[:80]!r}")
        try:
            return cls(**{k: v for k, v in data.items() if k in hints})
        except TypeError as error:
            raise RecordError(str(error)) from None


@cache
def _field_types(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    return {f.name: hints[f.name] for f in fields(record)}


_JSON_TYPES: Final = frozenset({bool, int, float, str, list, dict, types.NoneType})


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of a field's type; a whole number is a float, too, and true is no number.

    Types that JSON does not have are for the record itself to check.
    """
    if isinstance(hint, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(hint))
    kind = typing.get_origin(hint) or hint
    if kind not in _JSON_TYPES:
        return True
    if kind in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)


@dataclass(frozen=True)
class RunRequest(Record):
    """One run of one genome.

    Attributes:
        run_id: unique, echoed in every record about the run.
        commit: the genome's commit, hexadecimal; carried along for the record.
        genome: absolute path of the `train.py` to run.
        scratch: absolute path of a directory that the run may write to; exists and is empty.
        corpus: absolute path of the prepared corpus.
        preset: a name in `harness.settings.PRESETS`.
        budget_s: training seconds on the harness's clock.
        seed: of torch's and numpy's generators and of the batches' shuffling, if any.
        device: "cpu", "cuda" or "auto".
        probe_share: rows that are asked again to look for leaks, as a share of those that are scored. It costs time
            and changes no number.
        weights: absolute path of weights that a run of the genome saved, which are scored without training. Empty: the
            genome is trained first.
        leases: absolute path of the directory in which runs that use a GPU wait for their turn; empty: none waits.
        compiled: absolute path of a directory in which compilers keep what they made from one run to the next; empty:
            they keep nothing. Used on a GPU alone.
    """

    run_id: str
    commit: str
    genome: str
    scratch: str
    corpus: str
    preset: str
    budget_s: float
    seed: int = 0
    device: str = "auto"
    probe_share: float = 0.125
    weights: str = ""
    leases: str = ""
    compiled: str = ""


@dataclass(frozen=True)
class RunProgress(Record):
    """A sign of life, a few times a second at most. `spent_s` and `budget_s` are on the harness's clock."""

    run_id: str
    phase: str
    spent_s: float = 0.0
    budget_s: float = 0.0
    steps: int = 0


@dataclass(frozen=True)
class RunResult(Record):
    """What came of a run.

    Attributes:
        outcome: a value of `Outcome`.
        reason: one line for a person; empty when the outcome is ok.
        val_bpb: validation bits per byte, from the scorer; None unless the outcome is ok.
        alarm: why the number is not to be believed before a person has looked, one line; empty where nothing is odd.
        probes: rows that were asked twice, in other company and mostly with other later tokens, and did not move.
        compressed_bpb: what a compressor reaches on the same text, in bits per byte; 0: not known.
        memory_gb: peak memory in GiB: the process's resident set on a CPU; on a GPU what the driver counted for the
            run, or, where it does not say, what torch reserved.
        training_s: seconds spent on the harness's clock.
        outside_s: the same as the runner saw it from outside, the untimed warm-up included.
        evaluation_s: seconds that each of the model's processes used to be scored, on the same clock.
        total_s: wall seconds from start to score.
        steps: optimiser steps, by the number of batches handed out.
        tokens: training tokens handed out.
        params: parameters of the model that was scored.
        clock: "cpu" or "wall".
        device: what it ran on, in words.
        corpus: identity of the corpus (SHA-256, first 16 hexadecimal digits).
        genome_sha256: of the file that ran.
        genome_lines: lines of it that are neither blank nor a comment.
        taints: reasons not to trust the measurement, one line each; values of `harness.taint.Taint` open each of them.
        machine: what the machine did meanwhile, a `harness.machine_report.MachineReport` as JSON; empty where nobody
            looked.
        settings: everything that makes two results comparable: the preset, as JSON.
        budget_s: training seconds that the run was given.
        sandbox: what was enforced on the run, in words.
        log: absolute path of what the run printed. Untrusted.
    """

    run_id: str
    commit: str
    outcome: str
    reason: str = ""
    val_bpb: float | None = None
    alarm: str = ""
    probes: int = 0
    compressed_bpb: float = 0.0
    memory_gb: float = 0.0
    training_s: float = 0.0
    outside_s: float = 0.0
    evaluation_s: float = 0.0
    total_s: float = 0.0
    steps: int = 0
    tokens: int = 0
    params: int = 0
    clock: str = ""
    device: str = ""
    preset: str = ""
    corpus: str = ""
    seed: int = 0
    genome_sha256: str = ""
    genome_lines: int = 0
    taints: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    budget_s: float = 0.0
    sandbox: str = ""
    log: str = ""
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment(Record):
    """One experiment, as `experiments.jsonl` keeps it.

    Attributes:
        number: counts from 0, which is the baseline.
        commit: full hexadecimal id of the commit that ran.
        parent: full id of the incumbent that it was judged against; empty for the baseline.
        message: what was tried, one line.
        verdict: a value of `harness.verdict.Verdict`.
        reason: why, one line.
        val_bpb: the mean of its runs; None where they gave no number.
        delta: val_bpb less the incumbent's; None where either is missing.
        best: the incumbent's val_bpb after this verdict.
        submitted_at, started_at, ended_at: seconds since the epoch.
        result: the record of the run that decided: the last one without a taint, if there is one.
        runs: the records of all its runs, in order, `result` among them; empty in a ledger older than that.
        sigma: run-to-run standard deviation of val_bpb that it was judged with, in bits per byte; None: not known.
        confidence: that it is better than the incumbent, 0 to 1; None: not known.
        flags: what a person should know although it decided nothing, one line each.
        usage: what the agent used for it, a `sessions.usage.Usage` as JSON: from the verdict before to this one. Empty
            where its log says nothing.
        change: identity of the change of the genome, the same for two experiments that tried the same; empty where
            nobody looked.
    """

    number: int
    commit: str
    parent: str
    message: str
    verdict: str
    reason: str
    val_bpb: float | None
    delta: float | None
    best: float | None
    submitted_at: float
    started_at: float
    ended_at: float
    result: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    change: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    sigma: float | None = None
    confidence: float | None = None
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Replicate(Record):
    """One more run of a kept commit, with another seed, to measure the noise: a line of `replicates.jsonl`.

    Attributes:
        number: of the experiment whose commit it is.
        commit: full hexadecimal id.
        ended_at: seconds since the epoch.
        result: the run's own record.
    """

    number: int
    commit: str
    ended_at: float
    result: dict[str, Any] = field(default_factory=dict)
