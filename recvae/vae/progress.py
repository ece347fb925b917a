"""How far a checkpoint is: between two epochs, or within one that is to be ended."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Of a training.

    Fields:
        epochs: that were ended.
        batches: trained with in the epoch that was not ended.
        steps: of the optimiser, in all.
    """

    epochs: int = 0
    batches: int = 0
    steps: int = 0

    def total_steps(self, max_epochs: int, steps_an_epoch: int, batches_a_step: int) -> int:
        """Steps after `max_epochs`, if those to come have `steps_an_epoch`."""
        begun = math.ceil(self.batches / batches_a_step)
        return self.steps - begun + (max_epochs - self.epochs) * steps_an_epoch


def correct_progress(checkpoint: dict[str, Any]) -> Progress:
    """Return how far it is; puts right in the checkpoint what Lightning's loops would go on from.

    They count an epoch that max_steps cut as one, and end with max_steps an epoch once more.
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
