"""A fake device: its tensors live in CPU memory but refuse what a GPU's tensors refuse.

    with foreign_device() as device:
        code = coder.encode(on(FOREIGN, target), key, generator)
    assert device.reads <= 12

Mixing them with CPU tensors raises, except for scalars, (), and so does numpy. Operations that make
a program wait for a GPU are counted. The CPU computes, on the same numbers by the same operations:
results must be bit-identical to its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

# A name that torch reserves for external devices, so that no backend claims it.
FOREIGN, CPU = torch.device("privateuseone", 0), torch.device("cpu")

TO_NUMPY = {"numpy", "__array__", "__dlpack__", "data_ptr", "untyped_storage"}
READING = {  # a program waits for these: numbers, or shapes that depend on numbers
    "item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__contains__", "equal",
    "allclose", "nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount",
}  # fmt: skip
FROM_DATA = {"tensor", "as_tensor", "asarray", "new_tensor"}
PROPERTIES = {
    Tensor.device.__get__: FOREIGN,
    Tensor.is_cpu.__get__: False,
    Tensor.is_cuda.__get__: False,
}


@dataclass
class Device:
    """What happened on the device.

    Fields:
        reads: how many times a program waited for results of the device.
        uploads: how many times it waited for numbers to be copied there; an index that is a list or
            a CPU tensor is copied, too.
        most_elements: larger tensors do not fit its memory.
    """

    reads: int = 0
    uploads: int = 0
    most_elements: int | None = None


class ForeignTensor(Tensor):
    """A tensor on the device."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Fail in threads outside `foreign_device`."""
        return _run(Device(), func, args, kwargs or {})


class _Mode(TorchFunctionMode):
    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return _run(self.device, func, args, kwargs or {})


@contextmanager
def foreign_device(most_elements: int | None = None) -> Iterator[Device]:
    """Allows tensors on `FOREIGN` in this thread, and counts waits."""
    device = Device(most_elements=most_elements)
    with _Mode(device):
        yield device


def _run(device: Device, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Check and count an operation, run it on the CPU, and place its results."""
    name = func.__name__
    moved = args[:1] if name in ("to", "type_as") else (args, kwargs)
    tensors = [leaf for leaf in tree_leaves(moved) if isinstance(leaf, Tensor)]
    place = FOREIGN if any(map(_is_foreign, tensors)) else CPU
    if place == FOREIGN:
        if name == "__get__" and func in PROPERTIES:
            return PROPERTIES[func]
        if name == "_has_compatible_shallow_copy_type":
            return all(map(_is_foreign, tensors))
        if name in TO_NUMPY:
            raise TypeError(f"can't convert {FOREIGN} device type tensor to numpy: {name}")
    target = _target(name, args, kwargs, place)
    transfer = name in ("to", "cpu", "copy_", "type_as", *FROM_DATA)
    if FOREIGN in (place, target) and not transfer:
        _check_alike(name, args, kwargs, tensors)
    device.reads += _reads(name, args, kwargs, place, target)
    device.uploads += _uploads(name, args, place, target)
    with torch._C.DisableTorchFunctionSubclass():
        if kwargs.get("device") is not None or name == "to":
            args, kwargs = tree_map(_as_cpu, (args, kwargs))
        result = func(*args, **kwargs)
        if transfer and place != target and name != "copy_":
            result = result.clone()  # nothing is shared across devices
        return tree_map(lambda leaf: _at(device, target, leaf), result)


def _is_foreign(value: object) -> bool:
    return isinstance(value, ForeignTensor)


def _is_plain(value: object) -> bool:
    """Whether it is a CPU tensor that kernels of another device do not accept."""
    return isinstance(value, Tensor) and not _is_foreign(value) and value.dim() > 0


def _names_foreign(value: object) -> bool:
    return value == FOREIGN if isinstance(value, torch.device) else value == str(FOREIGN)


def _as_cpu(value: object) -> object:
    return CPU if _names_foreign(value) else value


def _target(name: str, args: tuple, kwargs: dict[str, Any], place: torch.device) -> torch.device:
    """The device of the results."""
    if name == "cpu":
        return CPU
    if name == "copy_":
        return FOREIGN if _is_foreign(args[0]) else CPU
    named = [kwargs["device"]] if kwargs.get("device") is not None else []
    if name in ("to", "type_as"):
        named += [value for value in args[1:] if isinstance(value, torch.device | str | Tensor)]
    if not named:
        return place
    (value,) = named
    return FOREIGN if _is_foreign(value) or _names_foreign(value) else CPU


def _check_alike(name: str, args: tuple, kwargs: dict[str, Any], tensors: list[Tensor]) -> None:
    """Raise RuntimeError as CUDA does for mixed devices, or a generator of another one."""
    generator = kwargs.get("generator")
    if generator is not None and generator.device != FOREIGN:
        raise RuntimeError(f"Expected a {FOREIGN} generator but found {generator.device}: {name}")
    if name in ("__getitem__", "__setitem__") and _is_foreign(args[0]):
        indices = [leaf for leaf in tree_leaves(args[1]) if not isinstance(leaf, slice)]
        if name == "__getitem__" or not any(isinstance(leaf, Tensor) for leaf in indices):
            return  # indices may come from the CPU; values assigned to slices are copied
        tensors = list(args[2:])
    if any(map(_is_plain, tensors)) and name != "__set__":
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{FOREIGN} and cpu: {name}"
        )


def _reads(
    name: str, args: tuple, kwargs: dict[str, Any], place: torch.device, target: torch.device
) -> bool:
    if place == CPU:
        return False
    if name in ("__getitem__", "__setitem__"):
        by_mask = any(_is_foreign(leaf) and leaf.dtype == torch.bool for leaf in _indices(args))
        return by_mask and (name == "__getitem__" or isinstance(args[2], Tensor))
    if name == "repeat_interleave":
        return any(map(_is_foreign, args[1:])) and "output_size" not in kwargs
    return name in READING or (target == CPU and name in ("to", "cpu", "copy_", "type_as"))


def _uploads(name: str, args: tuple, place: torch.device, target: torch.device) -> bool:
    if target == CPU:
        return False
    if name in ("__getitem__", "__setitem__"):
        copied = name == "__setitem__" and _is_plain(args[2])
        return copied or any(isinstance(i, list) or _is_plain(i) for i in _indices(args))
    if name == "copy_":
        return _is_plain(args[1])
    return name in FROM_DATA or (place == CPU and name in ("to", "type_as"))


def _indices(args: tuple) -> tuple:
    return args[1] if isinstance(args[1], tuple) else (args[1],)


def _at(device: Device, place: torch.device, value: Any) -> Any:
    """Place a result; only the memory of the device is limited."""
    if not isinstance(value, Tensor):
        return value
    if place == CPU:
        return value.as_subclass(Tensor) if _is_foreign(value) else value
    if device.most_elements is not None and value.numel() > device.most_elements:
        raise torch.OutOfMemoryError(f"{FOREIGN} out of memory. Tried to allocate {value.shape}")
    return value if _is_foreign(value) else value.as_subclass(ForeignTensor)
