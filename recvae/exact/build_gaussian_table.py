"""Writes gaussian_table.npy; needs mpmath, as libm's floats would differ between machines."""

import numpy as np
from mpmath import mp

from recvae.exact import gaussian

NUM_ENTRIES = (gaussian.POSITION_BITS << gaussian.MANTISSA_BITS) + 1


def entry_value(entry: int) -> int:
    """|z| in units of 2^-28 at table entry `entry`, rounded to nearest.

    Entry i stands for t + 1/2 = 2^(i // 256 - 1) * (1 + (i % 256) / 256), that is, the tail
    probability (t + 1/2) / 2^32.
    """
    octave, mantissa = divmod(entry, 1 << gaussian.MANTISSA_BITS)
    with mp.workdps(50):
        scaled = mp.ldexp(1 + mp.mpf(mantissa) / (1 << gaussian.MANTISSA_BITS), octave - 1)
        tail_probability = mp.ldexp(scaled, -gaussian.POSITION_BITS)
        z = mp.sqrt(2) * mp.erfinv(1 - 2 * tail_probability)
        return int(mp.nint(mp.ldexp(z, gaussian.FRACTION_BITS)))


def main() -> None:
    """Compute all entries and write the file next to this one."""
    table = np.array([entry_value(entry) for entry in range(NUM_ENTRIES)], dtype="<i4")
    np.save(gaussian._TABLE_PATH, table)


if __name__ == "__main__":
    main()
