"""The harness measures: data, clock, evaluation, verdict, ledger. A training script gets its batches from here.

What a number can be trusted for, as of this version:

- The clock: batches come from the harness and end when the budget is spent; the runner, outside, keeps a wall
  deadline of its own and kills the whole process tree.
- The metric: another process builds the model from the genome and loads the weights (safetensors); it answers
  token rows with logits. The scorer, harness code alone, holds the targets and computes the cross-entropy.
- The model: two processes answer, and what one is asked as a row the other may be asked with other later tokens and in
  other company; a model whose logits move is rejected. `harness.probes` says which leaks get through. A number that
  is implausibly low is held for a person.
- The result: a record over an inherited descriptor. What a run prints is never read as a result.
- The environment: scrubbed; no secret of the person's reaches a run.
- The corpus: checked against recorded SHA-256 sums before use. No pickle anywhere.

What it cannot be trusted for yet: the genome runs in the trainer's process and could meddle with the clock there
(the wall deadline still holds); there is no kernel sandbox, so a hostile genome could read files, use the network,
let the two processes of its model talk to each other, and, running as the same user, reach the runner's and the
scorer's descriptors through /proc and forge what they say. Every result says so in its `sandbox` field.
"""

from typing import Final

__version__: Final = "0.1.0"
