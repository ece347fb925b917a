"""Attention among the pixels of an image: where did similar pixels occur, and what followed?

Each pixel attends to those before it in raster order, with `heads` queries at once (Vaswani et al.,
NeurIPS 2017, section 3.2). A score is the product of query and key, without a scale. One more key,
before all others, stands for no pixel.
"""

import torch
from torch import Tensor, nn

from recvae.vae.networks.layers import Dense, Embedding, Residual

MAX_STRENGTH = 8  # of heads, in nats: how much more probable they make what they point at


class Attention(nn.Module):
    """Adds to a pixel's state what it learns from earlier pixels.

    Args:
        width: size of the vectors of pixels.
        value_columns: size of the vectors that represent grey values.
        place_columns: size of the vectors that represent rows and columns.
        heads: queries of each pixel; must divide `width`.
    """

    def __init__(self, width: int, value_columns: int, place_columns: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.known = Dense(width + value_columns, width)
        self.query = Dense(width + place_columns, width, relu=False)
        self.key = Dense(width + place_columns, width, relu=False)
        self.value = Dense(width, width, relu=False)
        self.none = Embedding(torch.zeros(1, 0), width)
        self.out = Dense(width, width, relu=False)
        self.block = Residual(width)
        with torch.no_grad():
            self.query.weight.mul_((heads / width) ** 0.5)
            self.out.weight.zero_()  # starts as the identity

    def queries(self, x: Tensor, places: Tensor) -> Tensor:
        """From (n, width) and (n, place columns) to (n, width)."""
        return self.query(torch.cat([x, places], dim=-1))

    def answers(self, x: Tensor, places: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and answers of pixels whose values are known, (n, width) each.

        Args:
            x: states from before their values were known, (n, width).
            places: (n, place columns).
            values: (n, value columns).
        """
        known = self.known(torch.cat([x, values], dim=-1))
        return self.key(torch.cat([known, places], dim=-1)), self.value(known)

    def learn(self, x: Tensor, answers: Tensor) -> Tensor:
        """Add mean answers (n, width) to states (n, width)."""
        return self.block(x + self.out(answers))

    def none_key(self, keys: Tensor) -> Tensor:
        """Return the key for no pixel, (b, 1, width), given keys (b, n, width)."""
        return self.none.table.to(keys.dtype).expand(len(keys), 1, -1)

    def shares(self, queries: Tensor, keys: Tensor, later: Tensor) -> Tensor:
        """Attention weights of queries (b, n, width) over keys (b, m, width).

        later: bool, broadcast to (b, heads, n, m): keys that queries must not see. Returns (b,
        heads, n, m), which sum to 1 over m.
        """
        scores = self._split(queries) @ self._split(keys).transpose(2, 3)
        return scores.masked_fill(later, -torch.inf).softmax(dim=-1)

    def attended(self, shares: Tensor, answers: Tensor) -> Tensor:
        """Mean of answers (b, m, width) weighted by shares (b, heads, n, m): (b, n, width)."""
        return (shares @ self._split(answers)).transpose(1, 2).flatten(2)

    def _split(self, x: Tensor) -> Tensor:
        """Split by head: (b, n, width) to (b, heads, n, width / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def behind(first: Tensor, x: Tensor) -> Tensor:
    """Put `first`, (b, 1, c), before x (b, n, c) and drop its last: what each pixel may see."""
    return torch.cat([first, x[:, :-1]], dim=1)
