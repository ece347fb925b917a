"""Computes the constants of a model from a trained network and its training pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.image_coder import Pixels
from recvae.codec.inr.coder import to_network
from recvae.codec.inr.fit import Fit, guess
from recvae.codec.inr.layout import (
    MAX_LOG2_CANDIDATES,
    STRATEGIES,
    Integers,
    Layout,
    plan_layout,
)
from recvae.codec.inr.model import GROUP_SIZE, MAX_BLOCKS, MAX_LATENTS, InrModel, as_stored
from recvae.codec.inr.sender import FIRST_RATE, Effort, Shared, send
from recvae.errors import InputError
from recvae.inr.encoder import Encoder
from recvae.inr.lightning import PictureINR
from recvae.inr.network import Inr
from recvae.rec import IndexCode, fit_bucket_code
from recvae.rec.index_codes import halving_code
from recvae.vae.objective import NATS_PER_BIT, kl_nats

KEY = 1
MEASURED, CODED = 256, 32  # training pictures to estimate the information and the ranks with
MEASURED_AT_ONCE = 64


@dataclass(frozen=True)
class CalibrationOptions:
    """Options for the blocks.

    Fields:
        block_bits: the most information of a block.
        bins_per_information: log2 J of a block over its information.
        strategy: how bins are shared among a block's latents; see `layout.STRATEGIES`.
        seed: of the permutation of the latents.

    Raises:
        InputError: if an option is out of range.
    """

    block_bits: float = 48.0
    bins_per_information: float = 1.0
    strategy: str = "mutual information"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.block_bits <= 1024:
            raise InputError(f"block_bits is {self.block_bits}: it must lie between 1 and 1024")
        if not 0 <= self.bins_per_information <= 2:
            raise InputError(
                f"bins_per_information is {self.bins_per_information}: it must lie between 0 and 2"
            )
        if self.strategy not in STRATEGIES:
            raise InputError(f"strategy is {self.strategy!r}: allowed: {', '.join(STRATEGIES)}")
        if type(self.seed) is not int or self.seed < 0:
            raise InputError(f"seed is {self.seed!r}: it must be an integer of at least 0")


def calibrate_inr(
    module: PictureINR,
    pictures: Pixels,
    name: str,
    options: CalibrationOptions,
    metadata: dict[str, Any],
    tell: Callable[[str], None] = lambda line: None,
) -> InrModel:
    """Make the codec's model.

    Args:
        module: as trained; its weights are rounded to what the model stores.
        pictures: training pictures, (n, side, side, 3) uint8; the first 256 are used.
        name: of the model.
        options: for the blocks.
        metadata: facts about the training.
        tell: called with a line for the user after each stage.

    Raises:
        ValueError: if no latent carries information, or a model cannot hold the blocks.
    """
    network, encoder = module.network.float(), module.encoder
    if module.table is not None:
        module.table.refit_prior(network.mean, network.log_scale)
    as_stored(network)
    if encoder is not None:
        as_stored(encoder.float())
    log_beta = round(float(module.log_beta), 4)
    budget_bits = module.bits_per_pixel * network.arguments.side**2
    information = (
        _information_bits(network, encoder, to_network(pictures[:MEASURED]), budget_bits, log_beta)
        if module.table is None
        else _mean_bits(kl_nats(module.table.mean, module.table.log_scale))
    )
    layout = plan_layout(
        information, options.block_bits, options.bins_per_information, options.strategy,
        options.seed,
    )  # fmt: skip
    if len(layout.lengths) > MAX_BLOCKS or len(layout.dimensions) > MAX_LATENTS:
        raise ValueError(
            f"{len(layout.lengths)} blocks of {len(layout.dimensions)} latents: a model holds at "
            f"most {MAX_BLOCKS} of {MAX_LATENTS}; pass a larger --block-bits or train for less rate"
        )
    tell(
        f"{len(layout.lengths)} blocks of {len(layout.dimensions)} latents, "
        f"{information.sum() / network.arguments.side**2:.3f} bits per pixel"
    )
    shared = Shared(network, layout, unfitted_code(), KEY, encoder, information, log_beta)
    sizes = (
        None
        if encoder is None
        else (module.hparams["encoder_width"], module.hparams["encoder_blocks"])
    )
    model = InrModel(name=name, shared=shared, encoder_sizes=sizes, metadata=metadata)
    return with_fitted_code(model, pictures[:CODED], tell)


def with_layout(
    model: InrModel, pictures: Pixels, options: CalibrationOptions, effort: Effort
) -> InrModel:
    """A copy with other blocks, its code of ranks fitted to what the effort sends of pictures."""
    layout = plan_layout(
        model.shared.information_bits, options.block_bits, options.bins_per_information,
        options.strategy, options.seed,
    )  # fmt: skip
    shared = replace(model.shared, layout=layout, rank_code=unfitted_code())
    return with_fitted_code(replace(model, shared=shared, effort=effort), pictures)


def with_fitted_code(
    model: InrModel, pictures: Pixels, tell: Callable[[str], None] = lambda line: None
) -> InrModel:
    """A copy whose code of ranks is fitted to what it sends of pictures (n, side, side, 3)."""
    shared, ranks, kl_bits = model.shared, [], 0.0
    for start in range(0, len(pictures), GROUP_SIZE):
        some = pictures[start : start + GROUP_SIZE]
        sent = send(shared, to_network(some).to(shared.network.mean.device), model.effort)
        ranks.append(sent.codes.ranks)
        kl_bits += float(sent.kl_bits.sum())
    every = np.concatenate(ranks)
    code = _rank_code(every)
    bits = shared.layout.log2_bins + float(code.bits(torch.from_numpy(every)).sum(1).mean())
    pixels = shared.network.arguments.side**2
    tell(
        f"coded {len(every)} training pictures: {bits / pixels:.3f} bits per pixel, "
        f"KL {kl_bits / len(every) / pixels:.3f}"
    )
    return replace(model, shared=replace(shared, rank_code=code))


def _information_bits(
    network: Inr, encoder: Encoder | None, pixels: Tensor, budget_bits: float, log_beta: float
) -> NDArray[np.float32]:
    """Mean KL of each latent over pictures (n, side^2, 3), all fitted to one budget, (dim,)."""
    dim = network.arguments.dim
    one_block = Layout(np.array([dim]), np.arange(dim), np.ones(dim, np.int64))
    found = []
    for some in pixels.split(MEASURED_AT_ONCE):
        start = guess(encoder, torch.zeros(dim), some)
        fit = Fit(network, some, one_block, torch.tensor([budget_bits]), *start, log_beta)
        fit.run(Effort().first_steps, FIRST_RATE)
        found.append(kl_nats(fit.mean, fit.log_scale))
    return _mean_bits(torch.cat(found))


def _mean_bits(kl: Tensor) -> NDArray[np.float32]:
    """Mean KL of each latent, (dim,) in bits, of KL (n, dim) in nats; rounded as it is stored."""
    return (kl.double().mean(0) / NATS_PER_BIT).half().float().numpy()


def unfitted_code() -> IndexCode:
    """An initial code of ranks."""
    return halving_code(MAX_LOG2_CANDIDATES + 1)


def _rank_code(ranks: Integers) -> IndexCode:
    flat = torch.from_numpy(ranks.flatten())
    return fit_bucket_code(flat, (1 << MAX_LOG2_CANDIDATES + 1) - 1)
