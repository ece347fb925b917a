"""The fake GPU: it refuses what a GPU refuses, and counts waits."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foreign_device import CPU, FOREIGN, foreign_device

HERE = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "mix",
    [
        lambda there: there + HERE,
        lambda there: torch.cat([there, HERE]),
        lambda there: torch.where(HERE > 1, there, 0),
        lambda there: HERE[there.long()[:, :2]],
        lambda there: HERE.index_select(0, there[0].long()),
        lambda there: there.__setitem__(there > 1, HERE[0]),
        lambda there: nn.functional.linear(there, HERE),
        lambda there: nn.Linear(3, 1)(there),
        lambda there: torch.rand(3, device=FOREIGN, generator=torch.Generator()),
    ],
)
def test_tensors_of_two_devices_do_not_mix(mix: Callable[[Tensor], object]) -> None:
    with foreign_device(), pytest.raises(RuntimeError, match=r"same device|but found cpu"):
        mix(HERE.to(FOREIGN))


@pytest.mark.parametrize("convert", [np.asarray, Tensor.numpy, Tensor.data_ptr])
def test_no_numpy(convert: Callable[[Tensor], object]) -> None:
    with foreign_device():
        there = HERE.to(FOREIGN)
        with pytest.raises(TypeError, match="to numpy"):
            convert(there)
        assert np.array_equal(there.cpu().numpy(), HERE.numpy())
    with pytest.raises(TypeError, match="to numpy"):  # nor behind its back
        convert(there)


@pytest.mark.parametrize(
    ("wait", "reads", "uploads"),
    [
        (lambda there: there + 1 - torch.tensor(2.0), 0, 0),
        (lambda there: there[:, 1:].sum().to(FOREIGN), 0, 0),
        (lambda there: torch.zeros(3, device=there.device) + there.new_ones(3), 0, 0),
        (lambda there: there.sum().item(), 1, 0),
        (lambda there: [int(there[0, 0]), float(there[0, 1]), bool(there[0, 2])], 3, 0),
        (lambda there: there.tolist(), 1, 0),
        (lambda there: there.nonzero(), 1, 0),
        (lambda there: there[there > 1], 1, 0),
        (lambda there: there.masked_fill_(there > 1, 0), 0, 0),
        (lambda there: there.cpu(), 1, 0),
        (lambda there: HERE.clone().copy_(there), 1, 0),
        (lambda there: there.unique(), 1, 0),
        (lambda there: there.repeat_interleave(there[:, 0].long(), 0), 1, 0),
        (lambda there: HERE.to(there.device), 0, 1),
        (lambda there: HERE.to(there), 0, 1),
        (lambda there: torch.tensor([1, 2], device=FOREIGN), 0, 1),
        (lambda there: there[:, [0, 2]], 0, 1),
        (lambda there: there[HERE[0, :2].long()], 0, 1),
        (lambda there: there.__setitem__(slice(0, 2), HERE), 0, 1),
        (lambda there: there.copy_(HERE), 0, 1),
    ],
)
def test_waits_are_counted(wait: Callable[[Tensor], object], reads: int, uploads: int) -> None:
    with foreign_device() as device:
        there = HERE.to(FOREIGN)
        device.uploads = 0
        wait(there)
    assert (device.reads, device.uploads) == (reads, uploads)


def test_results_are_there_and_share_nothing_with_the_cpu() -> None:
    with foreign_device():
        here = HERE.clone()
        there = here.to(FOREIGN)
        there[0] += 1
        assert there.device == there.cummax(1).values.device == there.T[0].device == FOREIGN
        assert there.cpu().device == there.to("cpu").device == CPU
        assert torch.equal(there.cpu()[0], HERE[0] + 1)
        there.cpu()[0] = 7
        assert torch.equal(there.cpu()[0], HERE[0] + 1)
    assert torch.equal(here, HERE)


def test_networks_move_and_learn_there() -> None:
    with foreign_device():
        network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).to(FOREIGN)
        assert {tensor.device for tensor in network.state_dict().values()} == {FOREIGN}
        network(HERE.to(FOREIGN)).square().sum().backward()
        for parameter in network.parameters():
            assert parameter.grad.device == FOREIGN
        network.to("cpu")
        assert {tensor.device for tensor in network.state_dict().values()} == {CPU}
        assert network(HERE).device == CPU


def test_memory_ends() -> None:
    with foreign_device(most_elements=6):
        there = HERE.to(FOREIGN)
        assert len(torch.cat([HERE, HERE])) == 4
        with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
            torch.cat([there, there])
