"""Passes that remember: keys and values of what was read are kept, so that each token is read once.

A row of the cache is one reply under way; what it has read begins at its first place. Without
gradients, under one adapter or the bare base, and for known families only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain

import torch
from torch.nn.functional import scaled_dot_product_attention

from adaptation.learning.service.kernels.plain import turned
from adaptation.learning.service.places import Heads

KEYS = 32
"""Replies go on over keys in multiples of this: oneDNN compiles products in bf16 for each number of
them, which takes longer than the product of some that nobody sees."""


class Cache:
    """Keys and values of B rows, each (B, n_kv, room, D), a pair for every layer."""

    def __init__(self, lengths: torch.Tensor, room: int) -> None:
        self.lengths = lengths
        """(B,) int64: places that are taken of each row."""
        self.room = room
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    @property
    def longest(self) -> int:
        """Places that are taken of the fullest row."""
        return int(self.lengths.max())

    def layer(self, heads: Heads, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of a layer, made where they are asked for first."""
        while len(self._layers) <= heads.layer:
            shape = (len(self.lengths), heads.n_kv, self.room, heads.width)
            self._layers.append((like.new_zeros(shape), like.new_zeros(shape)))
        return self._layers[heads.layer]

    def rows(self, rows: Sequence[int], room: int) -> Cache:
        """Return a cache of some rows, one of them several times perhaps, with another room.

        This one is empty then: it gives its layers up one by one, so that none is held twice for
        longer than its copy takes.
        """
        chosen = torch.tensor(rows, device=self.lengths.device)
        found = Cache(self.lengths[chosen], room)
        while self._layers:
            keys, values = self._layers.pop(0)
            found._layers.append((_moved(keys, chosen, room), _moved(values, chosen, room)))
        return found


class Pass(ABC):
    """One pass over N rows of tokens, on stage where `Packed` is for training."""

    token_ids: torch.Tensor
    """(1, N)"""
    positions: torch.Tensor
    """(1, N)"""

    @abstractmethod
    def attend(self, qkv: torch.Tensor, heads: Heads) -> torch.Tensor:
        """(N, (n_q + 2 · n_kv) · D) → (N, n_q · D)."""


class Prompts(Pass):
    """Reads prompts into an empty cache; what all of them begin with is computed once."""

    def __init__(self, prompts: Sequence[tuple[int, ...]], cache: Cache) -> None:
        self._cache, device = cache, cache.lengths.device
        shared, longest = shared_beginning(prompts), max(map(len, prompts))
        own = [prompt[shared:] for prompt in prompts]
        tokens = [*prompts[0][:shared], *chain.from_iterable(own)]
        rows = torch.zeros((len(prompts), longest), dtype=torch.int64)  # (B, T): who is where
        rows[:, :shared] = torch.arange(shared)
        row = shared
        for place, mine in enumerate(own):
            rows[place, shared : shared + len(mine)] = torch.arange(row, row + len(mine))
            row += len(mine)
        self.token_ids = torch.tensor([tokens], device=device)
        positions = [range(shared), *(range(shared, shared + len(mine)) for mine in own)]
        self.positions = torch.tensor([[*chain.from_iterable(positions)]], device=device)
        self.last = rows[range(len(prompts)), [len(each) - 1 for each in prompts]].to(device)
        """(B,): the rows that foretell what follows."""
        self._rows = rows.to(device)
        places = torch.zeros(len(tokens), dtype=torch.int64)
        for place, prompt in reversed([*enumerate(prompts)]):
            places[rows[place, : len(prompt)]] = torch.arange(len(prompt)) + place * longest
        self._places = places.to(device)  # (N,): where among the (B, T) each row is

    def attend(self, qkv: torch.Tensor, heads: Heads) -> torch.Tensor:
        """See `Pass`; causal, and padding comes after every query that counts."""
        q, k, v = (each[self._rows].transpose(1, 2) for each in turned(qkv, heads))
        longest = self._rows.shape[1]
        for kept, new in zip(self._cache.layer(heads, qkv), (k, v), strict=True):
            kept[:, :, :longest] = new
        mask = None
        if heads.window < longest:
            back = _back(longest, q.device)
            mask = (back >= 0) & (back < heads.window)
            # On CUDA no kernel has both a mask and shared heads but the one that holds all scores.
            k, v = (each.repeat_interleave(heads.n_q // heads.n_kv, 1) for each in (k, v))
        is_causal = mask is None
        found = scaled_dot_product_attention(
            q, k, v, mask, is_causal=is_causal, scale=heads.scale, enable_gqa=is_causal
        )
        return found.transpose(1, 2).reshape(-1, heads.n_q * heads.width)[self._places]


class Next(Pass):
    """Reads tokens (B, Q) that follow what was read; the cache does not count them yet."""

    def __init__(self, tokens: torch.Tensor, cache: Cache) -> None:
        self._cache, self._shape = cache, tokens.shape
        places = cache.lengths[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        self.token_ids, self.positions = tokens.reshape(1, -1), places.reshape(1, -1)
        self._rows = torch.arange(len(tokens), device=tokens.device)[:, None].expand_as(places)
        longest = cache.longest + tokens.shape[1]
        self._places = places
        self.longest = min(cache.room, -(-longest // KEYS) * KEYS)
        """Keys that each row is held to, those behind its own left unseen."""
        self._masks: dict[int, torch.Tensor] = {}

    def attend(self, qkv: torch.Tensor, heads: Heads) -> torch.Tensor:
        """See `Pass`. Queries that share a head of keys are one product."""
        (n_rows, n_tokens), groups = self._shape, heads.n_q // heads.n_kv
        q, k, v = (
            each.view(*self._shape, *each.shape[1:]) for each in turned(qkv, heads)
        )  # (B, Q, n, D)
        seen = []
        for kept, new in zip(self._cache.layer(heads, qkv), (k, v), strict=True):
            kept[self._rows, :, self._places] = new
            seen.append(_dense(kept[:, :, : self.longest].flatten(0, 1)))  # (B · n_kv, T, D)
        grouped = q.transpose(1, 2).reshape(n_rows * heads.n_kv, -1, heads.width)
        scores = torch.bmm(grouped, seen[0].mT).view(n_rows, -1, n_tokens, self.longest)
        p = (scores.float() * heads.scale + self._mask(heads.window)).softmax(-1).to(q.dtype)
        found = torch.bmm(p.view(-1, groups * n_tokens, self.longest), seen[1])
        by_head = found.view(n_rows, heads.n_q, n_tokens, heads.width)
        return by_head.transpose(1, 2).reshape(n_rows * n_tokens, -1)

    def _mask(self, window: int) -> torch.Tensor:
        """(B, 1, Q, T): −∞ for keys that a query does not see."""
        if window not in self._masks:
            keys = torch.arange(self.longest, device=self._places.device)
            back = self._places[..., None] - keys  # how far each key lies back
            mask = torch.zeros(back.shape, device=back.device)
            unseen = (back < 0) | (back >= window)
            self._masks[window] = mask.masked_fill_(unseen, float("-inf"))[:, None]
        return self._masks[window]


def _dense(seen: torch.Tensor) -> torch.Tensor:
    """Return keys or values as oneDNN multiplies them best: rows apart take it four times as long
    as they do with the copy."""
    return seen.contiguous() if seen.is_cpu and seen.dtype == torch.bfloat16 else seen


def _moved(kept: torch.Tensor, rows: torch.Tensor, room: int) -> torch.Tensor:
    taken = min(room, kept.shape[2])
    found = kept.new_zeros((len(rows), kept.shape[1], room, kept.shape[3]))
    found[:, :, :taken] = kept[rows, :, :taken]
    return found


def shared_beginning(prompts: Sequence[tuple[int, ...]]) -> int:
    """Return how many tokens all prompts begin with; each keeps one of its own at least."""
    if len(prompts) < 2:
        return 0
    shortest = max(0, min(map(len, prompts)) - 1)
    first, last = min(prompts), max(prompts)
    differing = (i for i in range(shortest) if first[i] != last[i])
    return next(differing, shortest)


def _back(n: int, device: torch.device) -> torch.Tensor:
    places = torch.arange(n, device=device)
    return places[:, None] - places
