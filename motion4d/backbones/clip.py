"""CLIP RN50 (Radford et al. 2021), seen and read position by position: image -> three maps, sentence -> words.

`ClipTowers` has the keys of CLIP's own file. `ClipBackbone` is what networks hold: it owns the tokenizer, runs the text
tower only as far as the longest sentence of a batch (exact: its attention is causal), and each sentence once while
the tower is frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.clip_text import TextTransformer
from motion4d.backbones.clip_tokenizer import MERGES, PAD, ClipTokenizer
from motion4d.backbones.clip_visual import VisualTower
from motion4d.io.torch_archive import read_published
from motion4d.io.weights import load_strict

_SCALARS = ("input_resolution", "context_length", "vocab_size")  # of CLIP's file: sizes, not weights
_CONNECT = "visual.attnpool.connect."  # ours alone
_REMEMBERED = 1024  # sentences, about 40 kB each


class ClipTowers(nn.Module):
    """The two towers. channels_out: of the coarse map and of a sentence; context: most tokens of a sentence."""

    def __init__(
        self,
        visual: VisualTower,
        *,
        vocabulary: int = 49408,
        context: int = 77,
        text_width: int = 512,
        text_heads: int = 8,
        text_layers: int = 12,
    ) -> None:
        super().__init__()
        self.visual = visual
        self.transformer = TextTransformer(text_width, text_heads, text_layers)
        self.token_embedding = nn.Embedding(vocabulary, text_width)
        self.positional_embedding = nn.Parameter(torch.randn(context, text_width) * 0.01)
        self.ln_final = nn.LayerNorm(text_width)
        self.text_projection = nn.Parameter(torch.randn(text_width, visual.channels[-1]) * text_width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log(), requires_grad=False)  # has no part in this
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_text(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Ids [B, L] -> words [B, L, text_width], not projected, and the sentence [B, channels_out]."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        words = self.ln_final(self.transformer(x))
        ends = words[torch.arange(len(tokens), device=tokens.device), tokens.argmax(1)]  # the end has the largest id
        return words, ends @ self.text_projection


class ClipBackbone(nn.Module):
    """Images and sentences -> maps and words. merges: of the tokenizer; word_length: tokens of a sentence at most."""

    def __init__(self, clip: ClipTowers, *, word_length: int = 77, merges: int = MERGES) -> None:
        super().__init__()
        self.clip = clip
        self.tokenizer = ClipTokenizer(merges)
        self.word_length = word_length
        self._remembered: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        self._remembered_of: Any = None
        if self.tokenizer.size != clip.token_embedding.num_embeddings:
            raise ValueError(
                f"merges={merges} makes {self.tokenizer.size} tokens, but the text tower has a vocabulary of "
                f"{clip.token_embedding.num_embeddings}"
            )
        if word_length > len(clip.positional_embedding):
            raise ValueError(
                f"word_length={word_length}, but the text tower knows {len(clip.positional_embedding)} positions"
            )

    @property
    def stride(self) -> int:
        """Pixels per position of the finest map; the other two have twice and four times as many."""
        return self.clip.visual.stride

    @property
    def channels(self) -> tuple[int, int, int]:
        """Of the three maps."""
        return self.clip.visual.channels

    @property
    def word_width(self) -> int:
        """Channels of a word."""
        return self.clip.token_embedding.embedding_dim

    @property
    def sentence_width(self) -> int:
        """Channels of a sentence."""
        return self.clip.text_projection.shape[1]

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """[B, word_length] ids."""
        return self.tokenizer(texts, self.word_length)

    def encode_image(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, H, W], normalised -> maps at 1, 1/2 and 1/4 of H / stride."""
        return self.clip.visual(images)

    def encode_text(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ids [B, L] -> words [B, l, word_width], the sentence [B, sentence_width], which words there are [B, l] bool.

        l: of the longest sentence; what stands beyond a sentence's end means nothing.
        """
        tokens = tokens[:, : _longest(tokens)]
        words, sentences = self._each_once(tokens) if self._is_fixed() else self.clip.encode_text(tokens)
        return words, sentences, tokens != PAD

    def load_weights(self, path: str | Path) -> None:
        """Load CLIP's own file (RN50.pt, or its tensors in any form); only `attnpool.connect` may be missing there."""
        state = {name: value for name, value in read_published(path).items() if name not in _SCALARS}
        if not any(name.startswith(_CONNECT) for name in state):
            state |= {name: value for name, value in self.clip.state_dict().items() if name.startswith(_CONNECT)}
        load_strict(self.clip, state, source=path)

    def train(self, mode: bool = True) -> ClipBackbone:
        """As of any module; forgets sentences."""
        self._remembered.clear()
        return super().train(mode)

    def _is_fixed(self) -> bool:
        """Whether the text tower cannot change by training."""
        return not any(parameter.requires_grad for parameter in self._text())

    def _text(self) -> list[nn.Parameter]:
        return [p for name, p in self.clip.named_parameters() if not name.startswith("visual.")]

    @torch.inference_mode(False)
    @torch.no_grad()
    def _each_once(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """encode_text, of sentences that were not met before."""
        autocast = torch.is_autocast_enabled(tokens.device.type) and torch.get_autocast_dtype(tokens.device.type)
        now = (autocast, [(p.data_ptr(), p._version, p.dtype) for p in self._text()])  # moved, loaded or written to
        if now != self._remembered_of:
            self._remembered.clear()
            self._remembered_of = now
        keys = [tuple(row[: _longest(row)]) for row in tokens.tolist()]
        new = list(dict.fromkeys(key for key in keys if key not in self._remembered))
        if new:
            longest = max(map(len, new))
            rows = [[*key, *[PAD] * (longest - len(key))] for key in new]
            words, sentences = self.clip.encode_text(torch.tensor(rows, device=tokens.device))
            while self._remembered and len(self._remembered) + len(new) > _REMEMBERED + len(keys):
                self._remembered.pop(next(key for key in self._remembered))
            known = zip(new, words, sentences, strict=True)
            self._remembered |= {key: (w[: len(key)].clone(), s.clone()) for key, w, s in known}
        found = [self._remembered[key] for key in keys]
        length = tokens.shape[1]
        padded = [F.pad(words, (0, 0, 0, length - len(words))) for words, _ in found]
        return torch.stack(padded), torch.stack([sentence for _, sentence in found])


def _longest(tokens: Any) -> int:
    """Tokens up to the last one that is no padding, of ids [B, L] or of one list."""
    if isinstance(tokens, list):
        return max((k + 1 for k, token in enumerate(tokens) if token != PAD), default=0)
    return int((tokens != PAD).any(0).nonzero().max()) + 1
