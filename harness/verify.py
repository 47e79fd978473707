"""What a check of a recorded number needs: the record, the genome, the corpus and this machine's own facts, compared.

It starts no run: `harness.claim` says which to make and what came of them, and whoever calls makes them.
"""

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from harness.claim import Answer, Claim, ClaimError, Conditions, Finding, claim_of, differences
from harness.genome_file import sha256_of
from harness.ledger import read_experiments, read_replicates
from harness.result import Experiment, RunRequest
from harness.settings import PRESETS
from harness.text import one_line

_REPLICATES: Final = "replicates.jsonl"

# What a script learns: the number holds, it does not, it could not be checked.
STATUS: Final = {Answer.HOLDS: 0, Answer.FAILS: 1, Answer.UNKNOWN: 2}


@dataclass(frozen=True)
class Check:
    """A check whose runs may begin.

    Attributes:
        claim: the recorded number.
        genome: the file that is run; its hash is the record's.
        corpus: directory of the prepared corpus, whose identity is the record's.
        preset: a name in `harness.settings.PRESETS`.
        budget_s: training seconds a run.
        device: "cpu", "cuda" or "auto".
    """

    claim: Claim
    genome: Path
    corpus: Path
    preset: str
    budget_s: float
    device: str

    def request(self, run_id: str, scratch: Path, seed: int) -> RunRequest:
        """The run of a seed."""
        return RunRequest(
            run_id=run_id,
            commit=self.claim.commit,
            genome=str(self.genome),
            scratch=str(scratch),
            corpus=str(self.corpus),
            preset=self.preset,
            budget_s=self.budget_s,
            seed=seed,
            device=self.device,
        )


def recorded_claim(ledger: Path, number: int, k: float) -> Claim:
    """The claim of an experiment in an `experiments.jsonl`; a `replicates.jsonl` beside it says which seeds it used.

    Raises:
        ClaimError: the file cannot be read or is no ledger, or holds no such experiment, or that has no number.
    """
    experiment = _experiment(ledger, number)
    return claim_of(experiment, k, _seeds_of_replicates(ledger.with_name(_REPLICATES), experiment.commit))


def _experiment(ledger: Path, number: int) -> Experiment:
    try:
        reading = read_experiments(ledger)
    except OSError as error:
        raise ClaimError(f"{ledger} cannot be read: {error.strerror}") from None
    found = [one for one in reading.records if one.number == number]
    if found:
        return found[-1]  # of a baseline that was stopped and ran again, the last
    if not reading.records:
        raise ClaimError(f"{ledger} holds no experiment; name a session's experiments.jsonl")
    numbers = sorted({one.number for one in reading.records})
    raise ClaimError(f"{ledger} holds no experiment {number}; it has {numbers[0]} to {numbers[-1]}")


def _seeds_of_replicates(file: Path, commit: str) -> frozenset[int]:
    found = (one.result.get("seed") for one in read_replicates(file).records if one.commit == commit)
    return frozenset(seed for seed in found if isinstance(seed, int))


def check_of(claim: Claim, genome: Path, corpus: Path, device: str = "", budget_s: float = 0.0) -> Check:
    """A check, after everything that can be compared before a run was compared.

    Args:
        claim: what is checked.
        genome: the file to run.
        corpus: directory of the prepared corpus.
        device: "cpu", "cuda" or "auto"; empty: as recorded.
        budget_s: training seconds, for a record that does not say them.

    Raises:
        ClaimError: genome, corpus, torch, preset or budget are not the recorded ones, or are not known.
        CorpusError: there is no corpus.
    """
    recorded = claim.conditions
    name = claim.runs[-1].preset
    if name not in PRESETS:
        raise ClaimError(
            f"experiment {claim.number} was measured with preset {one_line(name)!r}, which is not known here"
        )
    if not (recorded.budget_s or budget_s):
        raise ClaimError(f"the record of experiment {claim.number} does not say its budget; give it with --budget")
    try:
        digest = sha256_of(genome.read_bytes())
    except OSError as error:
        raise ClaimError(f"{genome} cannot be read: {error.strerror}") from None
    here = replace(conditions_here(corpus, name, budget_s), genome_sha256=digest)
    if apart := differences(recorded, here):
        raise ClaimError(f"experiment {claim.number} cannot be compared: {'; '.join(apart)}")
    chosen = device or ("auto" if not recorded.device else "cuda" if recorded.device.startswith("cuda") else "cpu")
    conditions = replace(recorded, budget_s=recorded.budget_s or budget_s)
    return Check(replace(claim, conditions=conditions), genome, corpus, name, conditions.budget_s, chosen)


def conditions_here(corpus: Path, preset: str, budget_s: float) -> Conditions:
    """What a run would be measured with, as far as that is known without one: no genome, no device.

    Raises:
        CorpusError: there is no corpus.
    """
    from harness.manifest import read_manifest  # brings numpy, for which no other verb should wait

    identity = read_manifest(corpus).identity
    return Conditions(corpus=identity, torch=version("torch"), preset=asdict(PRESETS[preset]), budget_s=budget_s)


def summary(claim: Claim, finding: Finding) -> str:
    """The finding as a `key: value` block, as runs and `try` print theirs."""
    rows: list[tuple[str, str]] = [
        ("experiment", str(claim.number)),
        ("commit", one_line(claim.commit[:7])),
        ("answer", finding.answer),
    ]
    if finding.recorded is not None and finding.again is not None:
        rows += [
            ("recorded", f"{finding.recorded:.6f} ({_runs(len(claim.runs))})"),
            (
                "again",
                f"{finding.again:.6f} ({_runs(len(finding.runs))}: {', '.join(f'{x:.6f}' for x in finding.runs)})",
            ),
        ]
    if finding.difference is not None:
        rows.append(("difference", f"{finding.difference:+.6f}"))
    if finding.allowed is not None:
        rows.append(("noise_explains", f"{finding.allowed:.6f}"))
    if finding.sigma is not None:
        rows.append(("sigma", f"{finding.sigma:.6f}"))
    rows += [("reason", finding.reason), *(("note", one) for one in finding.caveats)]
    return "\n".join(["---", *(f"{name + ':':<18}{value}" for name, value in rows)])


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"
