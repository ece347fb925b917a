"""From a trained decoder to one in integer arithmetic, after training and without retraining."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recvae.exact import (
    FRACTION_BITS,
    FixedPoint,
    IntegerDense,
    IntegerEmbedding,
    IntegerResidual,
    exact_arithmetic,
    quantise_dense,
    quantise_embedding,
)
from recvae.tensors import check_tensors
from recvae.vae.networks.decoder import Decoder, Spec
from recvae.vae.networks.layers import Dense, Embedding, Residual
from recvae.vae.networks.passes import Pass, Passes

# Latents reach 6.4 in magnitude, so they can be finer than the other activations.
LATENT_LIMIT_BITS = 3


class ExactDecoder(nn.Module):
    """A decoder whose `passes` are exact: takes latents as integers, yields integer logits.

    Args:
        decoder: a decoder whose layers have been replaced by integer ones.
        number: format of the activations and logits.

    Fields:
        kernel: codes pixels instead of passes, or None.
    """

    decoder: Decoder

    def __init__(self, decoder: Decoder, number: FixedPoint) -> None:
        super().__init__()
        self.decoder, self.number = decoder, number
        self.latent = latent_format(number)
        self.kernel = decoder.pixel_kernel(number)

    def maps(self, z: Tensor) -> NDArray[np.int16]:
        """The input of its kernel, from z (n, D), int64 in units of 2^-28."""
        there = next(self.buffers()).device
        with exact_arithmetic():
            maps = self.decoder.maps(self.latents(z.to(there)))
        return maps.to(torch.int16).cpu().numpy()

    def passes(self, z: Tensor) -> Passes:
        """z: (b, D) int64 in units of 2^-28. See `recvae.vae.networks.passes`."""
        return self.decoder.passes(self.latents(z))

    def known_passes(self, z: Tensor, pixels: Tensor) -> Iterator[tuple[Pass, Tensor]]:
        """The passes for known pixels (b, h, w); z as in `passes`."""
        return self.decoder.known_passes(self.latents(z), pixels)

    def latents(self, z: Tensor) -> Tensor:
        """Convert z (b, D), int64 in units of 2^-28, to the layers' format."""
        return self.latent.from_prior(z, FRACTION_BITS)


def latent_format(number: FixedPoint) -> FixedPoint:
    """The finest format with as many bits that holds every latent of the prior."""
    return FixedPoint(number.magnitude_bits - LATENT_LIMIT_BITS, number.magnitude_bits)


def quantise(decoder: Decoder, number: FixedPoint, chunk_inputs: int = 256) -> ExactDecoder:
    """Make a copy of a trained float decoder in integer arithmetic.

    Args:
        decoder: a decoder of any architecture.
        number: format of the activations and logits.
        chunk_inputs: inputs of one float32 product; see `quantise_dense`.

    Raises:
        ValueError: if the network does not fit integer arithmetic.
    """

    def convert(
        path: str, layer: Dense, input_format: FixedPoint, input_limit: int | Tensor
    ) -> IntegerDense:
        return quantise_dense(
            layer.weight, layer.bias, layer.relu, number, input_format, chunk_inputs, input_limit
        )

    def embed(path: str, layer: Embedding) -> IntegerEmbedding:
        return quantise_embedding(layer.table, number)

    exact = _with_integer_layers(copy.deepcopy(decoder).cpu(), number, convert, embed)
    exact.decoder.quantise_tables(number.one)
    return exact


def from_tensors(decoder: Decoder, number: FixedPoint, tensors: dict[str, Tensor]) -> ExactDecoder:
    """Build the exact decoder whose `state_dict` is `tensors`.

    Args:
        decoder: gives the architecture; may be on the meta device.
        number: format of the activations and logits.
        tensors: by name.

    Raises:
        ValueError: if a tensor is missing, superfluous or malformed, or fails its certificate.
    """
    check_tensors(
        {name: tensor_spec(tensor) for name, tensor in tensors.items()}, exact_specs(decoder)
    )

    def convert(
        path: str, layer: Dense, input_format: FixedPoint, input_limit: int | Tensor
    ) -> IntegerDense:
        weight, bias, shift = (
            tensors[f"decoder.{path}.{part}"] for part in ("weight", "bias", "shift")
        )
        return IntegerDense(weight, bias, shift, layer.relu, number.limit, input_limit)

    def embed(path: str, layer: Embedding) -> IntegerEmbedding:
        return IntegerEmbedding(tensors[f"decoder.{path}.table"], number.limit)

    exact = _with_integer_layers(copy.deepcopy(decoder), number, convert, embed)
    extra = decoder.extra_tensor_specs()
    exact.decoder.load_tables({name: tensors[f"decoder.{name}"] for name in extra})
    return exact


def tensor_spec(tensor: Tensor) -> Spec:
    """Type and shape of a tensor."""
    return tensor.dtype, tuple(tensor.shape)


def exact_specs(decoder: Decoder) -> dict[str, Spec]:
    """Specs of the `state_dict` of an exact decoder; `decoder` gives the architecture."""
    specs: dict[str, Spec] = {}
    for path, layer in decoder.named_modules():
        if isinstance(layer, Dense):
            outputs = tuple(layer.bias.shape)
            specs[f"decoder.{path}.weight"] = torch.int16, tuple(layer.weight.shape)
            specs[f"decoder.{path}.bias"] = torch.int32, outputs
            specs[f"decoder.{path}.shift"] = torch.uint8, outputs
        elif isinstance(layer, Embedding):
            specs[f"decoder.{path}.table"] = torch.int16, (layer.count, layer.columns)
    extra = decoder.extra_tensor_specs().items()
    return specs | {f"decoder.{name}": spec for name, spec in extra}


def _with_integer_layers(
    decoder: Decoder,
    number: FixedPoint,
    convert: Callable[[str, Dense, FixedPoint, int | Tensor], IntegerDense],
    embed: Callable[[str, Embedding], IntegerEmbedding],
) -> ExactDecoder:
    """Convert `decoder` in place."""
    for module in decoder.eval().modules():
        if isinstance(module, Decoder):
            module.one = number.one
    # The latents enter the first layer; everything else is in the common format.
    first = next(name for name, layer in decoder.named_modules() if isinstance(layer, Dense))

    def replace(parent: nn.Module, prefix: str) -> None:
        for name, child in parent.named_children():
            path = prefix + name
            if isinstance(child, Dense):
                source = latent_format(number) if path == first else number
                limit = decoder.input_limit(path, source.limit)
                setattr(parent, name, convert(path, child, source, limit))
            elif isinstance(child, Residual):
                inner = [
                    convert(f"{path}.{part}", getattr(child, part), number, number.limit)
                    for part in ("first", "second")
                ]
                setattr(parent, name, IntegerResidual(*inner))
            elif isinstance(child, Embedding):
                setattr(parent, name, embed(path, child))
            else:
                replace(child, path + ".")

    replace(decoder, "")
    return ExactDecoder(decoder, number)
