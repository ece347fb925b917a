"""The published algorithms in plain Python, to compare ours with."""

from recvae.rec.philox import MASK


def philox_of_integers(counter, key):
    """The published algorithm in Python's integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            product1 >> 32 ^ c[1] ^ k[0],
            product1 & MASK,
            product0 >> 32 ^ c[3] ^ k[1],
            product0 & MASK,
        ]
        k = [k[0] + 0x9E3779B9 & MASK, k[1] + 0xBB67AE85 & MASK]
    return c
