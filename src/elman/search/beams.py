"""The hypotheses that are still being written, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elman.search.pick import NEVER, Picked

# Options are listed in milliseconds: what needs PyTorch loads it when it is called.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Beams:
    """G groups of W hypotheses, t tokens each, on the CPU.

    group int64 [G]: which of the groups that began each of them is. tokens int64 [G, W]: the
    newest, at first `start`. totals float64 [G, W]: log probability in nats, -inf where there is
    no hypothesis. history int64 [G W, t]: all tokens after `start`.
    """

    def __init__(self, groups: int, start: int) -> None:
        import torch

        self.group = torch.arange(groups)
        self.tokens = torch.full((groups, 1), start)
        self.totals = torch.zeros(groups, 1, dtype=torch.float64)
        self.history = torch.empty(groups, 0, dtype=torch.int64)
        # Of each token: the rows that it continued, and the attention of these, [N, S]. No tensors:
        # they are read row by row, for each sequence that is found.
        self._came: list[list[int]] = []
        self._attention: list[NDArray[np.float32]] = []

    @property
    def t(self) -> int:
        """The tokens that each has."""
        return self.history.shape[1]

    @property
    def rows(self) -> Tensor:
        """Where the hypotheses stand in whatever has a row for each: int64 [G, W]."""
        import torch

        return torch.arange(self.totals.numel()).view(self.totals.shape)

    def attend(self, attention: Tensor) -> None:
        """Keep the attention [G W, S] of the step that chooses the next tokens."""
        self._attention.append(attention.cpu().numpy())

    def attention(self, row: int) -> Tensor | None:
        """What was kept for the tokens of a row: [t, S]."""
        import numpy as np
        import torch

        if not self._attention:
            return None
        kept = np.empty((self.t, self._attention[0].shape[1]), self._attention[0].dtype)
        for k in range(self.t - 1, -1, -1):
            row = self._came[k][row]
            kept[k] = self._attention[k][row]
        return torch.from_numpy(kept)

    def grow(self, picked: Picked, live: Tensor, stay: Tensor) -> Tensor:
        """Continue as `picked` in the groups `stay`, bool [G], alone.

        Of what is picked only `live`, bool [G, W], has a future; the rest holds its place.
        Returns the rows of before, int64 [N], that are continued.
        """
        import torch

        rows = self.rows.gather(1, picked.parents)[stay].flatten()
        self.group = self.group[stay]
        self.tokens = picked.tokens[stay]
        self.totals = picked.totals.where(live, NEVER)[stay]
        self.history = torch.cat((self.history[rows], self.tokens.view(-1, 1)), 1)
        if self._attention:
            self._came.append(rows.tolist())
        return rows
