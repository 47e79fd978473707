"""The harness measures: data, clock, evaluation, verdict, ledger. A training script gets its batches from here.

What a number can be trusted for, as of this version:

- The clock: batches come from the harness and end when the budget is spent. The runner, outside, counts for itself
  what training and all that it started have used, ends a run that is past its bounds, and keeps a wall deadline.
- The metric: another process builds the model from the genome and loads the weights (safetensors); it answers
  token rows with logits. The scorer, harness code alone, holds the targets and computes the cross-entropy.
- The model: two processes answer, and what one is asked as a row the other may be asked with other later tokens and in
  other company; a model whose logits move is rejected. `harness.probes` says which leaks get through. So is a model
  that works on before it answers. A number that is implausibly low is held for a person.
- The noise: `harness.verdict` weighs a gain against the spread between runs of one commit.
- The machine: a witness in a process of its own says what GPU and CPU did meanwhile; `harness.taint` says what speaks
  against a number.
- The result: a record over an inherited descriptor. What a run prints is never read as a result.
- The environment: scrubbed; no secret of the person's reaches a run.
- The sandbox: each process that runs the genome has confined itself before. It reads Python, the system's libraries,
  the genome, and in the model's processes the weights; it writes to its scratch alone; it has no network, no way to
  the runner, the scorer or any other process, no privileges, and bounds on memory, processes and file sizes. What a
  machine cannot enforce, every result says in its `sandbox` field. `harness.sandbox` says what is open all the same.
- The corpus: checked against recorded SHA-256 sums before use. No pickle anywhere.

What it cannot be trusted for: the genome runs in the trainer's process and can meddle with the clock there, within the
bounds that the runner sees to (`harness.bounds`: a tenth of the budget, the untimed warm-up, a second or two).
"""

from typing import Final

__version__: Final = "0.1.0"
