"""The codec model: everything that sender and receiver must share, as safetensors and JSON.

A model is a folder with `model.json` and `weights.safetensors`. Its hash covers both and is stored
in every file made with it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recvae.codec.container import Group
from recvae.codec.image_coder import Bits, ImageCoder, Pixels
from recvae.codec.model_folder import (
    WEIGHTS_NAME,
    FolderModel,
    Spec,
    Tensors,
    content_hash,
    read_tensors,
)
from recvae.codec.models import JSON_NAME, load_model
from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.codec.vae.groups import decode_groups, encode_groups
from recvae.codec.vae.latents import LATENT_CODECS, BlockLatents, LatentCodec
from recvae.codec.vae.min_cost import MinCostSender, can_choose
from recvae.codec.vae.model_files import FORMAT, read_description
from recvae.codec.vae.parts import VaeParts
from recvae.codec.vae.pixel_cost import PixelCost, make_pixel_cost
from recvae.codec.vae.trace import Trace
from recvae.codec.vae.written import are_written
from recvae.errors import InputError
from recvae.exact import FixedPoint
from recvae.images.spec import ImageSpec
from recvae.threads import usable_cpus
from recvae.vae.networks import Architecture, Decoder
from recvae.vae.quantise import exact_specs, from_tensors

PARTS = ("bins", "ranks", "pixels", "stored", "kl")  # of `Bits`


@dataclass(frozen=True, eq=False, kw_only=True)
class CodecModel(VaeParts, FolderModel, ImageCoder):  # type: ignore[misc, override]
    """A trained VAE that is ready to code: an image coder.

    Fields, besides those of `VaeParts`:
        name: for display.
        metadata: facts about the model; no coded bit depends on them.
    """

    name: str
    metadata: dict[str, Any] = field(default_factory=dict)

    parts = PARTS

    @property
    def groups_at_once(self) -> int:
        """See `ImageCoder.groups_at_once`."""
        return 1 if self.decoder.kernel is None else usable_cpus()

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """See `ImageCoder.encode`, and `encode_groups`."""
        payloads, bits = encode_groups(self, np.array(pixels), group_size)
        spec = ImageSpec.from_shape(pixels.shape)
        counts = [len(pixels) - start for start in range(0, len(pixels), group_size)]
        groups = [
            Group(min(group_size, count), spec, (payload,))
            for payload, count in zip(payloads, counts, strict=True)
        ]
        return groups, {part: getattr(bits, part) for part in PARTS}

    def decode(self, groups: Sequence[Group]) -> Pixels:
        """See `ImageCoder.decode`, and `decode_groups`."""
        self._check_groups(groups)
        payloads = [group.streams[0] for group in groups]
        return decode_groups(self, payloads, [group.num_images for group in groups])

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """See `ImageCoder.written`, and `are_written`."""
        self._check_groups(groups)
        return are_written(self, [(group.streams[0], group.num_images) for group in groups])

    def with_effort(self, effort: int) -> "CodecModel":
        """A copy whose sender tries `effort` candidates of each block with the decoder."""
        if effort == 1:
            return self
        latents = self.latents
        if not isinstance(latents, BlockLatents) or not can_choose(latents):
            raise InputError(
                f"effort is {effort}: model {self.name!r} codes its latents in a way that "
                "leaves no candidates to choose from; leave effort at 1"
            )
        sender = MinCostSender(self._pixel_cost, effort)
        return replace(self, latents=replace(latents, sender=sender))

    def traced(self, trace: Trace) -> "CodecModel":
        """A copy that calls `trace` with each step of coding."""
        return replace(self, trace=trace)

    def negative_elbo_bits(
        self, pixels: Pixels, batch_size: int, generator: torch.Generator
    ) -> NDArray[np.float64]:
        """See `ImageCoder.negative_elbo_bits`."""
        return negative_elbo_bits(self, torch.from_numpy(np.array(pixels)), batch_size, generator)

    @cached_property
    def _pixel_cost(self) -> PixelCost:
        return make_pixel_cost(self)

    def _check_groups(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self.check(group.spec, group.num_images)
            if len(group.streams) != 1:
                raise InputError(f"a group of {len(group.streams)} streams where there is one")

    def description(self) -> dict[str, Any]:
        """The contents of `model.json` without the hash."""
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": self.architecture.description(),
            "number": asdict(self.number),
            "key": self.latents.key,
            **_latents_description(self.latents),
            "facts": self.metadata,
        }

    def tensors(self) -> Tensors:
        """The contents of `weights.safetensors`: encoder in float16, decoder in integers."""
        # The encoder may differ between machines; half precision costs no measurable rate.
        encoder = {f"encoder.{k}": v.half() for k, v in self.encoder.state_dict().items()}
        decoder = {f"decoder.{k}": v for k, v in self.decoder.state_dict().items()}
        return {k: v.cpu().numpy() for k, v in (encoder | decoder).items()}

    def to(self, device: torch.device) -> "CodecModel":
        """Move the networks to a device; returns self."""
        self.encoder.to(device)
        self.decoder.to(device)
        return self


def load_vae(name_or_folder: str | PathLike[str]) -> CodecModel:
    """Load a VAE as `load_model` does; InputError for another kind of model."""
    model = load_model(name_or_folder)
    if not isinstance(model, CodecModel):
        raise InputError(f"model {name_or_folder}: is not a VAE, which is needed here")
    return model


def load(folder: Path) -> CodecModel:
    """Load the model in a folder; ValueError if it cannot be used.

    Memory is a small multiple of the size of its files, which may not exceed what its architecture
    needs; a model whose hash is wrong takes less.
    """
    text = read_description(folder)
    architecture = Architecture(**text["architecture"])
    encoder, decoder = architecture.build_empty()
    arrays = read_tensors(folder / WEIGHTS_NAME, _tensor_specs(encoder, decoder))
    stated_hash = text.pop("hash")
    if content_hash(text, arrays) != stated_hash:
        raise ValueError("its contents do not match its hash: the files are damaged or mixed up")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    model = build_model(text, architecture, encoder, decoder, tensors)
    # Files name the hash, so the description must be exactly what it was computed from.
    if model.description() != text:
        raise ValueError(f"{JSON_NAME}: states a field that a model with these parts leaves out")
    return model


def _tensor_specs(encoder: nn.Module, decoder: Decoder) -> dict[str, Spec]:
    """Specs of the tensors in `weights.safetensors`; see `CodecModel.tensors`."""
    specs: dict[str, Spec] = {
        f"encoder.{name}": (np.float16, tuple(tensor.shape))
        for name, tensor in encoder.state_dict().items()
    }
    for name, (dtype, shape) in exact_specs(decoder).items():
        specs[f"decoder.{name}"] = str(dtype).removeprefix("torch."), shape
    return specs


def build_model(
    text: dict[str, Any],
    architecture: Architecture,
    encoder: nn.Module,
    decoder: Decoder,
    tensors: dict[str, Tensor],
) -> CodecModel:
    """Build the model from a `text` that keeps to the schema and the tensors it needs."""
    number = FixedPoint(**text["number"])
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
    for name, tensor in tensors.items():
        role, _, rest = name.partition(".")
        parts[role][rest] = tensor
    for name, tensor in parts["encoder"].items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"tensor encoder.{name}: a weight is not finite")
    weights = {name: tensor.float() for name, tensor in parts["encoder"].items()}
    encoder.load_state_dict(weights, assign=True)
    return CodecModel(
        name=text["name"],
        architecture=architecture,
        number=number,
        latents=_latents_from(text),
        encoder=encoder.eval().requires_grad_(False),
        decoder=from_tensors(decoder, number, parts["decoder"]),
        metadata=text["facts"],
    )


def _latents_description(latents: LatentCodec) -> dict[str, Any]:
    """Fields of `model.json`: those of blocks directly, other codecs under their name."""
    fields = latents.to_json()
    if type(latents) is BlockLatents:
        return fields
    return {"latents": {"codec": latents.name} | fields}


def _latents_from(text: dict[str, Any]) -> LatentCodec:
    """Inverse of `_latents_description`, with the key. ValueError for an unknown codec."""
    if "latents" in text and "blocks" in text:
        raise ValueError("blocks: given as well as latents; need exactly one of the two")
    fields = text.get("latents") or {"codec": BlockLatents.name, "blocks": text.get("blocks")}
    constants = {field: value for field, value in fields.items() if field != "codec"}
    if (name := fields["codec"]) not in LATENT_CODECS:
        raise ValueError(f"latents: codec is {name!r}; allowed: {', '.join(LATENT_CODECS)}")
    try:
        return LATENT_CODECS[name].from_json(text["key"], constants)
    except (KeyError, TypeError) as error:  # the schema covers only the codecs that ship
        raise ValueError(f"latents: bad {name!r}: {type(error).__name__}: {error}") from error
