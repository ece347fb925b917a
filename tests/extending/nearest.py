"""An algorithm: of N candidates, send the one that is nearest to the target's mean."""

from dataclasses import dataclass

import torch

from recvae.exact import to_float
from recvae.rec import Algorithm, Code, Coder, SearchResult, Setting, register_algorithm
from recvae.rec.randomness import key_tensor, shared_key, shared_samples


@dataclass(frozen=True)
class Nearest(Coder):
    setting: Setting  # its partition is all ones, since the algorithm is not `partitioned`

    def search(self, target, key, generator):
        ranks = torch.arange(self.setting.num_candidates, device=target.mean.device)
        ranks = ranks.expand(target.batch, -1)
        z = to_float(self._draw(key, ranks), torch.float64)
        nearest = (z - target.mean[:, None]).square().sum(2).argmin(1)
        code = Code(nearest.new_zeros(target.batch, target.dim), nearest)
        return SearchResult(code, torch.full_like(nearest, ranks.shape[1]), capped=nearest < 0)

    def decode(self, code, key):
        if not bool(((code.ranks >= 0) & (code.ranks < self.setting.num_candidates)).all()):
            raise ValueError("ranks: got one that is no candidate")
        return self._draw(key, code.ranks[:, None])[:, 0]

    def bin_bits(self, code, key):
        return torch.zeros(len(code.ranks), dtype=torch.float64)

    def _draw(self, key, ranks):
        keys = key_tensor(key, len(ranks), ranks.device)
        bins = ranks.new_zeros(*ranks.shape, self.setting.partition.dim)
        block_key = shared_key(keys, self.setting.block)
        return shared_samples(block_key, self.setting.partition, bins, ranks)


register_algorithm(Algorithm("nearest", Nearest))
