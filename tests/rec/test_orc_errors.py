import pytest
import torch

from recvae.rec import Code, DiagonalGaussian, Partition, PartitionedORC


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_candidates": 0}, "num_candidates: got 0, need 1 to 2\\^24"),
        ({"num_candidates": (1 << 24) + 1}, "num_candidates: got"),
        ({"block": -1}, "block: got -1"),
        ({"block": 1 << 32}, "block: got"),
        ({"chunk_elements": 0}, "chunk_elements: got 0"),
        ({"implementation": "cuda"}, "implementation: got 'cuda'"),
    ],
)
def test_bad_coders(arguments, message):
    with pytest.raises(ValueError, match=message):
        PartitionedORC(**{"partition": Partition((2,)), "num_candidates": 10, **arguments})


def unit_target(dim: int) -> DiagonalGaussian:
    return DiagonalGaussian(torch.zeros(1, dim), torch.ones(1, dim))


def test_bad_calls():
    coder = PartitionedORC(Partition((2, 1)), 10)
    with pytest.raises(ValueError, match="target: got dim 3, need the partition's, 2"):
        coder.encode(unit_target(3), 0, torch.Generator())
    for keep in (0, 11):
        with pytest.raises(ValueError, match=f"keep: got {keep}, need 1 to num_candidates = 10"):
            coder.encode_best(unit_target(2), 0, torch.Generator(), keep)
    with pytest.raises(ValueError, match="key: got -1"):
        coder.encode(unit_target(2), -1, torch.Generator())


@pytest.mark.parametrize(
    ("bins", "ranks", "message"),
    [
        ([[2, 0]], [0], "bins: got one out of range"),
        ([[0, -1]], [0], "bins: got one out of range"),
        ([[1, 0]], [10], "ranks: got one out of range, need \\[0, 10\\)"),
        ([[1, 0]], [-1], "ranks: got one out of range"),
        ([[1, 0, 0]], [0], "code: got dim 3"),
        ([[1, 0]], [0, 0], "bins: got shape \\(1, 2\\) with ranks \\(2,\\)"),
        ([[1.0, 0.0]], [0], "bins: got torch.float32, need torch.int64"),
    ],
)
def test_bad_codes(bins, ranks, message):
    coder = PartitionedORC(Partition((2, 1)), 10)
    with pytest.raises(ValueError, match=message):
        coder.decode(Code(torch.tensor(bins), torch.tensor(ranks)), 0)
