"""The progress of a checkpoint: between two epochs, or within one to be completed."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Progress of a training.

    Fields:
        epochs: number of completed epochs.
        batches: batches trained with in the incomplete epoch.
        steps: optimiser steps in total.
    """

    epochs: int = 0
    batches: int = 0
    steps: int = 0

    def total_steps(self, max_epochs: int, steps_an_epoch: int, batches_a_step: int) -> int:
        """Steps after `max_epochs`, if epochs to come have `steps_an_epoch` each."""
        begun = math.ceil(self.batches / batches_a_step)
        return self.steps - begun + (max_epochs - self.epochs) * steps_an_epoch


def correct_progress(checkpoint: dict[str, Any]) -> Progress:
    """Return the progress, and correct the counters in the checkpoint that Lightning resumes from.

    Lightning counts an epoch that max_steps cut short, and would end one that max_steps completed a
    second time.
    """
    loop = checkpoint["loops"]["fit_loop"]
    epochs, batches = loop["epoch_progress"], loop["epoch_loop.batch_progress"]
    for count in (epochs["total"], epochs["current"]):
        if count["processed"] == count["started"]:
            if batches["is_last_batch"]:
                count["completed"] = count["processed"]
            else:
                count["processed"] = count["started"] - 1
    within = epochs["current"]["processed"] < epochs["current"]["started"]
    begun = batches["current"]["processed"] if within else 0
    return Progress(epochs["current"]["processed"], begun, checkpoint["global_step"])
