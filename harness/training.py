"""What a genome is given: the shape of the model that is asked for, and a run that hands out batches.

`train.py` defines

    build_model(spec: ModelSpec) -> torch.nn.Module     # forward(tokens (B, T) int64) -> logits (B, T, vocab)
    train(model: torch.nn.Module, run: TrainingRun) -> None

and nothing else of it is called. The harness seeds, moves the model to the device, ends the batches when the
budget is spent, saves the weights when `train` returns, and scores them in another process.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """The model that is asked for: it reads rows of `sequence_len` tokens out of `vocab_size`."""

    vocab_size: int
    sequence_len: int
