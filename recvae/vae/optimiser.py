"""AdamW on a one-cycle schedule; both use the resuming run's options."""

from typing import Any

from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR


class ResumableAdamW(AdamW):
    """Loads the moments of a checkpoint, but not its options, such as the weight decay."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the moments."""
        groups = [
            ours | {"params": theirs["params"]}
            for ours, theirs in zip(self.param_groups, state_dict["param_groups"], strict=True)
        ]
        super().load_state_dict(state_dict | {"param_groups": groups})


class ResumableOneCycle(OneCycleLR):
    """Loads the step of a checkpoint, but neither its peak nor its length."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Move to the step and set its learning rate."""
        position = {name: state_dict[name] for name in ("last_epoch", "_step_count")}
        super().load_state_dict(position | {"last_epoch": position["last_epoch"] - 1})
        self.step()
