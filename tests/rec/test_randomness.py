import pytest
import torch
from scipy import stats

from recvae.exact.gaussian import quantile, to_float
from recvae.rec import Partition
from recvae.rec.randomness import (
    key_tensor,
    private_key,
    private_uniforms,
    shared_key,
    shared_keys,
    shared_samples,
    shared_uniforms,
)

CPU = torch.device("cpu")


def uniforms(key, block, flat_bin, rank, dim):
    keys = key_tensor(key, 1, CPU)
    draw = shared_uniforms(
        shared_key(keys, block), torch.tensor([[flat_bin]]), torch.tensor([[rank]]), dim
    )
    return draw[0, 0].tolist()


def test_golden_draws():
    """These numbers are the format: every file ever written depends on them."""
    assert uniforms(0, 0, 0, 0, 5) == [3568036438, 3714396419, 81935143, 1952804616, 3701889506]
    last_bin = (1 << 62) - 1
    draw = uniforms((1 << 64) - 1, 3, last_bin, 12345, 3)
    assert draw == [368282781, 2212173908, 3869884174]
    draw = uniforms(0x0123456789ABCDEF, 1, 77, (1 << 24) - 1, 4)
    assert draw == [3392959519, 2747636829, 1304164881, 1281791387]


def test_golden_samples():
    keys = torch.tensor([1, -1])
    bins = torch.tensor([[[0, 4, 2]], [[6, 0, 0]]])
    ranks = torch.tensor([[0], [9]])
    z = shared_samples(shared_key(keys, 2), Partition((7, 5, 3)), bins, ranks)
    assert z[0, 0].tolist() == [-492682024, 631741410, 135448162]
    assert z[1, 0].tolist() == [367825803, -346936808, -129456002]


def test_every_name_has_its_own_draw():
    names = [
        (1, 0, 0, 0),
        (2, 0, 0, 0),
        (1, 1, 0, 0),
        (1, 0, 1, 0),
        (1, 0, 0, 1),
        (1 << 40, 0, 0, 0),
    ]
    names += [(1, 0, 1 << 33, 0), (1, 0, 0, 1 << 20)]
    words = [word for name in names for word in uniforms(*name, dim=9)]
    assert len(set(words)) == len(words)


def test_draws_do_not_depend_on_what_is_drawn_beside_them():
    keys = torch.arange(50) * 31 - 7
    bins, ranks = torch.arange(50)[:, None] % 4, torch.arange(50)[:, None] % 3
    together = shared_uniforms(shared_key(keys, 0), bins, ranks, 6)
    for i in range(50):
        assert together[i, 0].tolist() == uniforms(
            int(keys[i]) % (1 << 64), 0, int(bins[i]), int(ranks[i]), 6
        )


def test_samples_lie_in_their_bins_and_fill_them():
    partition = Partition((1, 3, 10))
    n = 20_000
    bins = torch.stack([torch.zeros(n).long(), torch.arange(n) % 3, torch.arange(n) % 10], -1)
    keys = key_tensor(5, 1, CPU)
    z = shared_samples(shared_key(keys, 0), partition, bins[None], torch.arange(n)[None])[0]
    for d, intervals in enumerate(partition.intervals):
        v = stats.norm.cdf(to_float(z[:, d], torch.float64)) * intervals - bins[:, d].numpy()
        # Significance 1e-4 a dimension, on a fixed key.
        assert stats.kstest(v, "uniform").pvalue > 1e-4
        assert (v > -1e-5).all()
        assert (v < 1 + 1e-5).all()


def test_offsets_combine_with_bins_in_integers():
    partition = Partition((7,))
    keys = key_tensor(5, 1, CPU)
    for b in range(7):
        bins, ranks = torch.tensor([[[b]]]), torch.tensor([[3]])
        u = shared_uniforms(shared_key(keys, 0), bins[..., 0], ranks, 1).item()
        z = shared_samples(shared_key(keys, 0), partition, bins, ranks)
        assert z.item() == quantile(torch.tensor((b * 2**32 + u) // 7)).item()


def test_keys_of_all_kinds_agree():
    assert key_tensor((1 << 64) - 5, 2, CPU).tolist() == [-5, -5]
    keys = torch.tensor([3, -4])
    assert key_tensor(keys, 2, CPU).tolist() == [3, -4]


@pytest.mark.parametrize("key", [-1, 1 << 64, torch.zeros(3).long(), torch.zeros(2)])
def test_bad_keys(key):
    with pytest.raises(ValueError, match=r"key: got .*, need"):
        key_tensor(key, 2, CPU)


def test_private_key_takes_one_seed_and_depends_on_all():
    def drawn(key, block, seed):
        generator = torch.Generator().manual_seed(seed)
        words = private_key(torch.tensor([key]), block, generator)
        return words[0].item(), words[1].item(), torch.randint(1 << 32, (), generator=generator)

    assert drawn(1, 0, 0) == drawn(1, 0, 0)
    assert len({drawn(*name)[:2] for name in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]}) == 4
    assert drawn(1, 0, 0)[2] == drawn(2, 5, 0)[2]


def test_private_uniforms_come_in_any_chunks():
    words = private_key(torch.tensor([1, 2]), 0, torch.Generator().manual_seed(0))
    whole = private_uniforms(words, 0, 100, 6)
    assert torch.equal(whole[:, 37:64], private_uniforms(words, 37, 64, 6))
    assert len(whole.unique()) == whole.numel()


@pytest.mark.parametrize("key", [5, (1 << 64) - 5, torch.tensor([3, -4])], ids=str)
def test_one_key_for_all_items_is_that_of_each(key: int | torch.Tensor) -> None:
    for batch in (2, 2) if isinstance(key, torch.Tensor) else (2, 0, 3):
        for block in (0, 7):
            expected = shared_key(key_tensor(key, batch, CPU), block)
            for found, wanted in zip(shared_keys(key, batch, CPU, block), expected, strict=True):
                assert torch.equal(found, wanted)
                assert found.is_contiguous()
