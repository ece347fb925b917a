"""The codec model: everything that sender and receiver must share, as safetensors and JSON.

A model is a folder with `model.json` and `weights.safetensors`. Its hash covers both and stands in
every file made with it.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from recvae.codec.vae.latents import LATENT_CODECS, BlockLatents, LatentCodec
from recvae.codec.vae.model_files import (
    FORMAT,
    JSON_NAME,
    WEIGHTS_NAME,
    read_description,
    read_object,
    read_tensors,
)
from recvae.errors import InputError
from recvae.exact import FixedPoint
from recvae.files import translate_os_errors
from recvae.rec import Coder
from recvae.vae.architectures import Architecture
from recvae.vae.passes import Decoder
from recvae.vae.quantise import ExactDecoder, Spec, exact_specs, from_tensors

PRETRAINED = Path(__file__).parents[2] / "pretrained"
HASH_BYTES = 16  # of the SHA-256, in a file's header


@dataclass(frozen=True, eq=False)
class CodecModel:
    """A trained model ready to code with.

    Fields:
        name: for people.
        architecture: of encoder and decoder.
        number: fixed-point format of the exact decoder.
        latents: how latents are coded.
        encoder: float network, for the sender only.
        decoder: exact network.
        facts: what is known about the model; no bit depends on it.
    """

    name: str
    architecture: Architecture
    number: FixedPoint
    latents: LatentCodec
    encoder: nn.Module
    decoder: ExactDecoder
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError where the parts do not make a model."""
        if self.latents.latent_dim != self.architecture.latent_dim:
            raise ValueError(self.latents.incomplete_message)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.architecture.height, self.architecture.width

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.decoder.buffers()).device

    @property
    def coders(self) -> tuple[Coder, ...]:
        """The relative entropy coders, each of which codes some of the latents."""
        return self.latents.coders

    @cached_property
    def hash(self) -> str:
        """SHA-256 over description and tensors, as hexadecimal digits."""
        return content_hash(self.description(), self.tensors())

    @property
    def file_id(self) -> bytes:
        """The part of the hash that stands in a file's header."""
        return bytes.fromhex(self.hash)[:HASH_BYTES]

    def description(self) -> dict[str, Any]:
        """What `model.json` states, but for the hash."""
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": self.architecture.stated(),
            "number": asdict(self.number),
            "key": self.latents.key,
            **_stated_latents(self.latents),
            "facts": self.facts,
        }

    def tensors(self) -> dict[str, Tensor]:
        """What `weights.safetensors` holds: the encoder in float16, the decoder in integers."""
        # The encoder may differ between machines; half precision costs no measurable rate.
        encoder = {f"encoder.{k}": v.half() for k, v in self.encoder.state_dict().items()}
        decoder = {f"decoder.{k}": v for k, v in self.decoder.state_dict().items()}
        return {k: v.cpu().contiguous() for k, v in (encoder | decoder).items()}

    def save(self, folder: Path) -> None:
        """Write the two files into a folder that exists."""
        (folder / WEIGHTS_NAME).write_bytes(to_safetensors(self.tensors()))
        description = self.description() | {"hash": self.hash}
        (folder / JSON_NAME).write_text(json.dumps(description, indent=1) + "\n")

    def to(self, device: torch.device) -> "CodecModel":
        """Move the networks to a device; returns self."""
        self.encoder.to(device)
        self.decoder.to(device)
        return self


def content_hash(description: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a canonical form of both, as hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def load_model(name_or_folder: str | Path) -> CodecModel:
    """A model that ships, by name, or one in a folder. Raises InputError if it cannot be used.

    A model costs some times the bytes of its files, which may be no more than its architecture
    needs; one of a wrong hash costs less.
    """
    folder = _find(name_or_folder)
    try:
        text = read_description(folder)
        architecture = Architecture(**text["architecture"])
        encoder, decoder = architecture.build_empty()
        tensors = read_tensors(folder / WEIGHTS_NAME, _tensor_specs(encoder, decoder))
        stated_hash = text.pop("hash")
        if content_hash(text, tensors) != stated_hash:
            raise ValueError(
                "its contents do not match its hash: the files are damaged or mixed up"
            )
        model = _build(text, architecture, encoder, decoder, tensors)
        # What a model says of itself must be what its hash is of: a file names the hash.
        if model.description() != text:
            raise ValueError(f"{JSON_NAME}: states a field that a model of these parts leaves out")
        return model
    except OSError as error:
        raise InputError(f"model {folder}: cannot be read ({error.strerror or error})") from error
    except RecursionError as error:  # of json, which reads and writes it
        raise InputError(f"model {folder}: {JSON_NAME} is nested too deep") from error
    except ValueError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"model {folder}: {reason}") from error


def save_model(model: CodecModel, folder: Path) -> None:
    """Write a model to a folder, which holds the old or the new one at any time.

    Raises InputError if it cannot be written, or if what was written does not load.
    """
    temporary = folder.parent / f".{folder.name}.{os.getpid()}.part"
    try:
        with translate_os_errors(folder):
            temporary.mkdir()
            model.save(temporary)
            load_model(temporary)
            folder.mkdir(exist_ok=True)
            for name in (WEIGHTS_NAME, JSON_NAME):
                (temporary / name).replace(folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def shipped_models() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(PRETRAINED.glob(f"*/{JSON_NAME}"))}


def shipped_model_name(file_id: bytes) -> str | None:
    """The name of the shipped model with this hash, None if there is none."""
    for name, folder in shipped_models().items():
        if str(read_object(folder / JSON_NAME).get("hash", "")).startswith(file_id.hex()):
            return name
    return None


def _find(name_or_folder: str | Path) -> Path:
    shipped = shipped_models()
    folder = shipped.get(str(name_or_folder), Path(name_or_folder))
    if not os.path.isfile(folder / JSON_NAME):  # False for names that no file can have
        raise InputError(
            f"no model {str(name_or_folder)!r}: pass one of {', '.join(shipped)} "
            f"or a folder that holds {JSON_NAME} and {WEIGHTS_NAME}"
        )
    return folder


def _tensor_specs(encoder: nn.Module, decoder: Decoder) -> dict[str, Spec]:
    """What `weights.safetensors` must hold for these networks; see `CodecModel.tensors`."""
    encoder_tensors = encoder.state_dict().items()
    specs: dict[str, Spec] = {
        f"encoder.{name}": (torch.float16, tuple(tensor.shape)) for name, tensor in encoder_tensors
    }
    return specs | {f"decoder.{name}": spec for name, spec in exact_specs(decoder).items()}


def _build(
    text: dict[str, Any],
    architecture: Architecture,
    encoder: nn.Module,
    decoder: Decoder,
    tensors: dict[str, Tensor],
) -> CodecModel:
    """The model that keeps to the schema in `text` and has the tensors it needs."""
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
        latents=_latents_of(text),
        encoder=encoder.eval().requires_grad_(False),
        decoder=from_tensors(decoder, number, parts["decoder"]),
        facts=text["facts"],
    )


def _stated_latents(latents: LatentCodec) -> dict[str, Any]:
    """Fields of `model.json`: blocks stand for themselves, other codecs say their name."""
    fields = latents.to_json()
    if type(latents) is BlockLatents:
        return fields
    return {"latents": {"codec": latents.name} | fields}


def _latents_of(text: dict[str, Any]) -> LatentCodec:
    """Inverse of `_stated_latents`, with the key. ValueError where there is no such codec."""
    if "latents" in text and "blocks" in text:
        raise ValueError("blocks: stand beside latents, where one of the two must be")
    fields = text.get("latents") or {"codec": BlockLatents.name, "blocks": text.get("blocks")}
    constants = {field: value for field, value in fields.items() if field != "codec"}
    if (name := fields["codec"]) not in LATENT_CODECS:
        raise ValueError(f"latents: codec is {name!r}; allowed: {', '.join(LATENT_CODECS)}")
    try:
        return LATENT_CODECS[name].from_json(text["key"], constants)
    except (KeyError, TypeError) as error:  # the schema knows only the codecs that ship
        raise ValueError(f"latents: no {name!r}: {type(error).__name__}: {error}") from error
