"""Decoders whose arithmetic torch.compile has compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from recvae.bitmaps.network.decoder import BitmapDecoder
from recvae.bitmaps.network.ink import InkDecoder
from recvae.vae.networks.betabinomial import BetaBinomialDecoder
from recvae.vae.networks.causal import CausalDecoder
from recvae.vae.networks.decoder import Decoder
from recvae.vae.networks.pointer import PointerDecoder
from recvae.vae.networks.staged import StagedDecoder


@dataclass
class Compiled:
    """A function compiled by torch.compile, and its number of calls."""

    function: Callable[..., Any]
    calls: int = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.function(*arguments)


# All arithmetic between two passes, of each kind of decoder: methods, layers and lists of layers.
ARITHMETIC: dict[type, tuple[str, ...]] = {
    BetaBinomialDecoder: ("log_parameters",),
    StagedDecoder: ("features", "zero_logits", "spike_logits", "grey_logits"),
    CausalDecoder: ("upsample", "hidden", "zero", "value"),
    PointerDecoder: ("upsample",),  # its pixels are a kernel's
    InkDecoder: ("bit_logits",),
    BitmapDecoder: ("seed", "frame", "known", "nudge"),
}


def compile_network(decoder: Decoder) -> list[Compiled]:
    """Let torch.compile compile all arithmetic of a decoder, each function as one graph."""
    torch._dynamo.config.recompile_limit = 64  # layers of one kind share their code
    compiled = []
    for module in list(decoder.modules()):
        if not isinstance(module, (Decoder, InkDecoder)):
            continue
        for name in ARITHMETIC[type(module)]:
            if name == "value" and module.levels == 2:  # it has no such layer
                continue
            part = getattr(module, name)
            for layer in part if isinstance(part, nn.ModuleList) else [part]:
                is_layer = isinstance(layer, nn.Module)
                owner, method = (layer, "forward") if is_layer else (module, name)
                function = torch.compile(getattr(owner, method), fullgraph=True, dynamic=True)
                compiled.append(Compiled(function))
                setattr(owner, method, compiled[-1])
    return compiled
