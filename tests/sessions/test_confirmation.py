"""Numbers that are run again, by `verify` and by `confirm`: over a real lab, with a harness that is a function."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from harness.claim import Again, Answer, ClaimError
from harness.documents import offsets_file, tokens_file
from harness.ledger import append_line
from harness.manifest import MANIFEST_FILE, SPLITS, new_manifest
from harness.result import Experiment, Outcome, Replicate, RunProgress, RunRequest, RunResult
from harness.seal import Seal
from harness.settings import EMBEDDED
from harness.tokenizer import RANKS_FILE, SETTINGS_FILE
from sessions.confirmation import Confirmation, confirm
from sessions.confirming import CONFIRMATIONS, ConfirmationError, Plan, plan, read_confirmations
from sessions.lab import create_repository
from sessions.rerun import StoppedError
from sessions.spec import SessionSpec
from sessions.store import SessionDir
from sessions.verification import Wish, verify

DEVICE = "cpu: EPYC, 1 thread"


def manifest() -> str:
    names = [RANKS_FILE, SETTINGS_FILE, "shard_00000.parquet"]
    names += [name(split) for split in SPLITS for name in (tokens_file, offsets_file)]
    seals = {name: Seal(1, "0" * 64) for name in names}
    made = new_manifest(
        preset="embedded", vocab_size=1024, python="3.11", splits={}, seals=seals, source="library", origin={}
    )
    return made.to_json()


@dataclass
class FakeRun:
    """A harness that answers with the RATE in the genome, the seed's luck and less for a longer budget."""

    corpus: str
    requests: list[RunRequest] = field(default_factory=list)
    genomes: list[str] = field(default_factory=list)
    stop_at: int = 0
    change: Callable[[RunResult, int], RunResult] = lambda result, _count: result

    async def __call__(
        self, request: RunRequest, on_progress: Callable[[RunProgress], None], abort: asyncio.Event
    ) -> RunResult:
        assert list(Path(request.scratch).iterdir()) == []
        self.requests.append(request)
        genome = Path(request.genome).read_text()
        self.genomes.append(genome)
        on_progress(RunProgress(request.run_id, "training", 1.5, request.budget_s, 3))
        result = measured(float(genome.split("=")[1]) - request.budget_s / 1000, request.seed, self.corpus)
        result = replace(result, run_id=request.run_id, commit=request.commit, budget_s=request.budget_s)
        if len(self.requests) == self.stop_at:
            abort.set()
            return replace(result, outcome=Outcome.ABORTED, val_bpb=None, reason="stopped from outside")
        return self.change(result, len(self.requests))


def measured(bpb: float, seed: int, corpus: str, **changed: Any) -> RunResult:
    luck = (seed * 7919 % 11 - 5) * 0.0005
    result = RunResult(
        "r", "c", Outcome.OK, val_bpb=bpb + luck, seed=seed, device=DEVICE, corpus=corpus, preset="embedded",
        budget_s=20.0, settings=asdict(EMBEDDED), versions={"torch": version("torch")}, steps=100,
    )  # fmt: skip
    return replace(result, **changed)


class Night:
    """A session that has kept one change, and no supervisor."""

    def __init__(self, tmp_path: Path, gain: float = 0.1) -> None:
        lab = tmp_path / "lab"
        lab.mkdir()
        (lab / "train.py").write_text("RATE = 1.5\n")
        self.base = create_repository(lab, "Start")
        (lab / "train.py").write_text(f"RATE = {1.5 - gain}\n")
        mine = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *mine, "commit", "-qam", "better"], cwd=lab, check=True)
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=lab, check=True, capture_output=True, text=True)
        self.best = done.stdout.strip()
        corpus = tmp_path / "corpus"
        corpus.mkdir()
        (corpus / MANIFEST_FILE).write_text(manifest())
        self.identity = json.loads(manifest())["identity"]
        self.session = SessionDir(tmp_path / "nov23")
        self.session.path.mkdir()
        spec = SessionSpec(
            session="nov23", agent="demo", argv=["demo"], lab=str(lab), branch="autoresearch/nov23", base=self.base,
            corpus=str(corpus), preset="embedded", budget_s=20.0, device="cpu",
        )  # fmt: skip
        self.session.spec_file.write_text(spec.to_json() + "\n")
        self.run = FakeRun(self.identity)
        self.steps: list[str] = []
        self.record(0, self.base, "", 1.48)

    def record(self, number: int, commit: str, parent: str, bpb: float, verdict: str = "keep") -> None:
        """A verdict of one run at 20 s."""
        result = measured(bpb, 0, self.identity)
        one = Experiment(
            number=number, commit=commit, parent=parent, message="m", verdict=verdict, reason="r",
            val_bpb=result.val_bpb, delta=None, best=None, submitted_at=0.0, started_at=0.0, ended_at=0.0,
            result=asdict(result), runs=[asdict(result)], sigma=0.002,
        )  # fmt: skip
        append_line(self.session.experiments, one.to_json())

    def keep(self, bpb: float = 1.38) -> None:
        self.record(1, self.best, self.base, bpb)

    async def confirm(self, chosen: Plan) -> Confirmation:
        def on_step(index: int, total: int, one: Experiment, seed: int, progress: RunProgress | None) -> None:
            if progress is None:
                self.steps.append(f"{index}/{total} #{one.number} {seed}")

        return await confirm(self.session, chosen, self.run, on_step, asyncio.Event())

    async def verify(self, number: int = 1, **wish: Any) -> Any:
        def on_step(step: Again, progress: RunProgress | None) -> None:
            if progress is None:
                self.steps.append(f"{step.seed} {step.why}")

        facts = {"runs": 2, "k": 2.0} | wish
        return await verify(self.session, Wish(number, **facts), self.run, on_step, asyncio.Event())


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("AUTORESEARCH_TUI_HOME", str(tmp_path / "home"))
    return Night(tmp_path)


# Checking a number.


async def test_a_kept_commit_runs_again_as_it_was(night: Night) -> None:
    """The commit's own file, the session's corpus, preset and budget, two new seeds; nothing stays behind."""
    night.keep()
    claim, finding = await night.verify()
    assert (claim.number, finding.answer) == (1, Answer.HOLDS)
    assert night.run.genomes == ["RATE = 1.4\n"] * 2
    assert [(one.seed, one.budget_s, one.commit) for one in night.run.requests] == [
        (1, 20.0, night.best),
        (2, 20.0, night.best),
    ]
    assert night.steps == ["1 run 1 of 2", "2 run 2 of 2"]
    assert list((night.session.path / "checks").iterdir()) == []


async def test_a_number_that_was_luck_does_not_hold(night: Night) -> None:
    """A record far below what the commit gives is found out."""
    night.keep(1.3)
    _claim, finding = await night.verify()
    assert finding.answer == Answer.FAILS


async def test_another_corpus_is_refused_before_a_run(night: Night) -> None:
    """A corpus that was made anew since is named, and nothing runs."""
    night.identity = "f" * 16
    night.keep()
    with pytest.raises(ClaimError, match="the corpus differs"):
        await night.verify()
    assert night.run.requests == []


async def test_stopping_a_check_leaves_nothing(night: Night) -> None:
    """Its working copy is gone, and it is no answer."""
    night.keep()
    night.run.stop_at = 2
    with pytest.raises(StoppedError):
        await night.verify()
    assert list((night.session.path / "checks").iterdir()) == []


# Confirming a gain.


async def test_both_run_in_turns_at_three_times_the_budget(night: Night) -> None:
    """Baseline, incumbent, baseline, ..., each pair with one seed that decided nothing before."""
    night.keep()
    done = await night.confirm(plan(night.session, None, 2, 2.0))
    assert [(one.seed, one.commit == night.best, one.budget_s) for one in night.run.requests] == [
        (1000, False, 60.0),
        (1000, True, 60.0),
        (1001, False, 60.0),
        (1001, True, 60.0),
    ]
    assert night.steps == ["1/4 #0 1000", "2/4 #1 1000", "3/4 #0 1001", "4/4 #1 1001"]
    assert done.long["gain"] == pytest.approx(0.1)
    assert done.conclusion.startswith("The gain transfers: at 60 s the incumbent is 0.100000 below the baseline")
    assert list((night.session.path / "checks").iterdir()) == []


async def test_the_gain_at_the_sessions_budget_is_from_all_its_runs(night: Night) -> None:
    """The experiments' runs and the replicates of both commits, of no other."""
    night.keep()
    for commit, bpb in ((night.base, 1.47), (night.best, 1.37), ("f" * 40, 9.0)):
        one = Replicate(1, commit, 0.0, asdict(measured(bpb, 5, night.identity)))
        append_line(night.session.replicates, one.to_json())
    done = await night.confirm(plan(night.session, 40.0, 1, 2.0))
    assert (len(done.short["baseline"]), len(done.short["incumbent"])) == (2, 2)
    assert done.short["gain"] == pytest.approx(0.1)


async def test_a_stopped_confirmation_goes_on(night: Night) -> None:
    """Finished runs are on disk at once; the next one makes only those that are missing; `again` makes all."""
    night.keep()
    night.run.stop_at = 3
    with pytest.raises(StoppedError):
        await night.confirm(plan(night.session, None, 2, 2.0))
    assert [(one.number, one.seed) for one in read_confirmations(night.session)] == [(0, 1000), (1, 1000)]
    with (night.session.path / CONFIRMATIONS).open("a") as stream:
        stream.write('{"torn')
    left = plan(night.session, None, 2, 2.0)
    assert [(one.number, seed) for one, seed in left.missing] == [(0, 1001), (1, 1001)]
    done = await night.confirm(left)
    assert len(done.runs) == 4
    assert len(plan(night.session, None, 2, 2.0, again=True).missing) == 4
    assert len(plan(night.session, None, 3, 2.0).missing) == 2
    assert len(plan(night.session, 50.0, 2, 2.0).missing) == 4


async def test_runs_of_another_torch_are_made_anew(night: Night) -> None:
    """What an earlier confirmation measured under other conditions is not mixed in."""
    night.keep()
    night.run.change = lambda result, _count: replace(result, versions={"torch": "1.0"})
    await night.confirm(plan(night.session, None, 1, 2.0))
    assert len(plan(night.session, None, 1, 2.0).missing) == 2


async def test_runs_on_two_devices_conclude_nothing(night: Night) -> None:
    """Half on one machine, half on another: the sentence says so."""
    night.keep()
    night.run.change = lambda result, count: replace(result, device=f"cuda: {count}")
    done = await night.confirm(plan(night.session, None, 1, 2.0))
    assert done.conclusion.startswith("Nothing can be said: the runs were made on cuda: 1 and on cuda: 2")


async def test_a_tainted_run_is_made_once_more(night: Night) -> None:
    """And only the second one is recorded, tainted or not."""
    night.keep()
    night.run.change = lambda result, count: replace(result, taints=["throttled: hot"] if count != 2 else [])
    done = await night.confirm(plan(night.session, None, 1, 2.0))
    assert [one.seed for one in night.run.requests] == [1000] * 4
    assert [run["result"]["taints"] for run in done.runs] == [[], ["throttled: hot"]]


async def test_a_crash_at_the_longer_budget_is_a_result(night: Night) -> None:
    """It is recorded and told; it does not end the others."""
    night.keep()

    def change(result: RunResult, count: int) -> RunResult:
        crash = replace(result, outcome=Outcome.CRASH, val_bpb=None, reason="out of memory")
        return crash if count % 2 == 0 else result

    night.run.change = change
    done = await night.confirm(plan(night.session, None, 2, 2.0))
    assert len(done.runs) == 4
    assert done.conclusion == "Nothing can be said: the incumbent gave no number at 60 s."


async def test_a_run_that_the_harness_could_not_make_ends_it(night: Night) -> None:
    """An abort that nobody asked for says nothing of a commit and is not recorded."""
    night.keep()
    night.run.change = lambda result, _count: replace(result, outcome=Outcome.ABORTED, reason="no space")
    with pytest.raises(ConfirmationError, match="#0 could not run: no space"):
        await night.confirm(plan(night.session, None, 1, 2.0))
    assert read_confirmations(night.session) == []


def test_without_a_kept_change_there_is_nothing_to_confirm(night: Night) -> None:
    """The baseline against itself is refused, as is a session without one."""
    with pytest.raises(ConfirmationError, match="has kept nothing yet"):
        plan(night.session, None, 1, 2.0)
    night.session.experiments.unlink()
    with pytest.raises(ConfirmationError, match="no baseline with a number yet"):
        plan(night.session, None, 1, 2.0)
