"""The cheapest of the first finishers of a race."""

import pytest
import torch
from torch import Tensor

from recvae.exact import to_float
from recvae.rec import Code, DiagonalGaussian, IndexCode, Partition, PartitionedORC
from recvae.rec.finishers import cheapest_finishers
from recvae.rec.index_codes import to_frequencies

ITEMS, KEEP = 30, 8


@pytest.mark.parametrize("key", [(1 << 64) - 1, torch.arange(ITEMS)], ids=["one key", "own keys"])
def test_the_cheapest_finisher_is_sent(key: int | Tensor) -> None:
    """Of the first finishers, the one with the largest log2 q/p minus the bits of its rank."""
    coder = PartitionedORC(Partition((2, 3)), 1 << 8, block=2)
    noise = torch.Generator().manual_seed(5)
    mean = torch.randn((ITEMS, 2), generator=noise, dtype=torch.float64)
    target = DiagonalGaussian(mean, 0.05 + 0.9 * torch.rand(mean.shape, generator=noise).double())
    code = IndexCode(to_frequencies(2.0 ** -torch.arange(9).numpy()), tuple(range(9)))
    sent = cheapest_finishers(coder, code, target, key, KEEP)
    found, _ = coder.encode_best(target, key, torch.Generator(), KEEP)
    later = 0
    for item in range(ITEMS):
        gains = []
        for place in range(KEEP):
            one = Code(found.bins[item, place][None], found.ranks[item, place][None])
            own = coder.decode(one, key if isinstance(key, int) else key[item : item + 1])
            z = to_float(own, torch.float64)
            ratio = torch.distributions.Normal(target.mean[item], target.scale[item]).log_prob(z)
            ratio -= torch.distributions.Normal(0.0, 1.0).log_prob(z)
            bits = code.bits(found.ranks[item, place])
            gains.append(ratio.sum() / torch.log(torch.tensor(2.0)) - bits)
        best = int(torch.stack(gains).argmax())
        assert torch.equal(sent.bins[item], found.bins[item, best])
        assert sent.ranks[item] == found.ranks[item, best]
        later += best > 0
    assert later > 5  # it is not always the first
