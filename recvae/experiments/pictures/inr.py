"""Everything this experiment needs of the codec of implicit neural representations (INR)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import recvae
from recvae.codec import Codec
from recvae.codec.image_coder import Pixels
from recvae.codec.inr.calibrate import CalibrationOptions, with_layout
from recvae.codec.inr.ideal import ideal_point
from recvae.codec.inr.model import InrModel
from recvae.errors import InputError
from recvae.experiments.pictures import inr_rows
from recvae.experiments.pictures.classical import RGB
from recvae.experiments.pictures.images import (
    fingerprint,
    load_images,
    load_training,
    mean_psnr_db,
    num_pixels,
)
from recvae.experiments.pictures.inr_rows import INR_DATA, InrRow, Measurable
from recvae.experiments.pictures.ours import PartitionPoint
from recvae.experiments.pictures.rows import to_slug
from recvae.experiments.pictures.table import COLUMNS, PARTITION_COLUMNS
from recvae.experiments.running import timed


@dataclass(frozen=True, eq=False)
class Models:
    """Models, and the pictures they are measured on.

    Fields:
        models: by name, by ascending rate.
        images: test pictures of one size.
        calibration: training pictures, which codes of ranks are fitted to.
    """

    models: dict[str, InrModel]
    images: list[RGB]
    calibration: Pixels

    @property
    def measurable(self) -> list[Measurable]:
        """The models as rows name them."""
        prints = fingerprint(self.images), fingerprint(self.calibration)
        return [
            Measurable(name, model.hash, round(model.bits_per_pixel, 2), *prints)
            for name, model in self.models.items()
        ]


def load(folders: Sequence[str], root: str, quick: bool) -> Models:
    """Load models and pictures.

    Args:
        folders: of the models; none is allowed.
        root: folder with CIFAR10/test.npy and, if there are models, CIFAR10/train.npy.
        quick: few pictures.

    Raises:
        InputError: if a folder holds no such model, two have one name, or pictures are missing or
            do not fit.
    """
    if not folders:
        return Models({}, [], np.zeros((0, 0, 0, 3), np.uint8))
    models: dict[str, InrModel] = {}
    for folder in folders:
        model = recvae.load(folder).model
        if not isinstance(model, InrModel):
            raise InputError(f"--inr {folder}: {model.name!r} is no model of a PictureINR")
        if to_slug(model.name) in map(to_slug, models):
            raise InputError(
                f"--inr {folder}: two models are named {model.name!r}, which names their rows: "
                "export one of them by another --name"
            )
        models[model.name] = model
    images = load_images(root, INR_DATA, inr_rows.QUICK_IMAGES if quick else inr_rows.IMAGES)
    count = inr_rows.QUICK_CALIBRATION_IMAGES if quick else inr_rows.CALIBRATION_IMAGES
    calibration = load_training(root, count)
    for model in models.values():
        for shape in (images[0].shape, calibration.shape[1:]):
            if shape != model.spec.shape:
                raise InputError(
                    f"--inr: model {model.name!r} codes pictures of "
                    f"{' x '.join(map(str, model.spec.shape))}, CIFAR-10's here have "
                    f"{' x '.join(map(str, shape))}"
                )
    by_rate = sorted(models.items(), key=lambda item: item[1].bits_per_pixel)
    return Models(dict(by_rate), images, calibration)


def measure(row: InrRow, found: Models) -> dict[str, Any]:
    """Measure all cells of a row, by column, and how its model was trained; see `table`."""
    model = found.models[row.measured.name]
    images = found.images[: row.images]
    cells = {
        "kind": row.kind,
        "codec": row.codec,
        "data": INR_DATA,
        "images": len(images),
        "setting": row.measured.bits_per_pixel,
        "training": training(model),
    }
    if row.blocks is None:
        bits_per_pixel, psnr_db = ideal_point(model.as_sender(row.effort), np.stack(images))
        measured = {"bits_per_pixel": bits_per_pixel, "psnr_db": psnr_db}
        return dict.fromkeys(COLUMNS) | cells | measured
    options = CalibrationOptions(row.blocks.block_bits, strategy=row.blocks.strategy)
    variant = with_layout(model, found.calibration, options, row.effort)
    if row.kind == "coded":
        return dict.fromkeys(COLUMNS) | cells | _coded(variant, images)
    return dict.fromkeys(PARTITION_COLUMNS) | cells | _partitioned(variant, images, row)


def training(model: InrModel) -> str:
    """How long a model was trained, from its metadata."""
    facts = {name: model.metadata.get(name) for name in ("epochs", "steps")}
    told = [f"{count:,} {name}" for name, count in facts.items() if isinstance(count, int)]
    return ", ".join(told) or "unknown training"


def _coded(model: InrModel, images: list[RGB]) -> dict[str, Any]:
    """The cells of one file of all images, in the coder's groups."""
    codec = Codec(model)
    file, encode_seconds = timed(lambda: codec.compress(np.stack(images), channels=3))
    decoded, decode_seconds = timed(lambda: list(codec.decompress(file)))
    return {
        "files": 1,
        "file_bytes": len(file),
        "bits_per_pixel": 8 * len(file) / num_pixels(images),
        "psnr_db": mean_psnr_db(images, decoded),
        "encode_seconds": encode_seconds / len(images),
        "decode_seconds": decode_seconds / len(images),
    }


def _partitioned(model: InrModel, images: list[RGB], row: InrRow) -> dict[str, Any]:
    """The cells of bins and ranks alone, without a file."""
    assert row.blocks is not None
    groups, bits = model.encode(np.stack(images), model.group_size)
    sent_bits = float((bits["bins"] + bits["ranks"]).sum())
    blocks = len(images) * len(model.shared.layout.lengths)
    point = PartitionPoint(
        (sent_bits - float(bits["kl"].sum())) / blocks,
        sent_bits / num_pixels(images),
        mean_psnr_db(images, list(model.decode(groups))),
    )
    return {
        "strategy": row.blocks.strategy,
        "block_bits": row.blocks.block_bits,
        "log2_candidates": row.effort.max_log2_candidates,
    } | vars(point)
