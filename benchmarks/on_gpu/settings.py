"""Settings of the kernels to compare."""

from recvae.rec.search.triton.backend import PROGRAMS_A_PROCESSOR
from recvae.rec.search.triton.launch import Settings

# Block, warps, registers, programs a processor: the current setting, then single changes.
SWEPT = (
    (64, 2, 128, PROGRAMS_A_PROCESSOR),
    (64, 2, 128, 16),
    (64, 2, 96, 16),
    (32, 1, 128, 16),
    (64, 2, 128, 32),
    (64, 2, 168, 16),
    (64, 1, 168, 16),
    (64, 1, 255, 8),
    (64, 1, 128, 16),
    (32, 1, 96, 32),
    (32, 1, 128, 32),
    (64, 2, 112, 16),
)

QUICK_SWEEP = 4


def swept(processors: int) -> list[Settings]:
    """Settings for a GPU with this many processors."""
    return [
        Settings(block=block, warps=warps, registers=registers, programs=programs * processors)
        for block, warps, registers, programs in SWEPT
    ]
