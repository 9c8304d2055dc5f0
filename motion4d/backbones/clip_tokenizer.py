"""CLIP's words: sentences -> numbers, by byte pairs (Radford et al. 2021), with the vocabulary that ships here (MIT).

The published code first repairs text with ftfy. Here only what does not guess is repaired: composed letters, straight
quotes, plain widths and ligatures, HTML entities.
"""

from __future__ import annotations

import gzip
import html
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

VOCABULARY = Path(__file__).parent / "clip_vocabulary" / "bpe_simple_vocab_16e6.txt.gz"
MERGES = 49152 - 256 - 2  # of the file, that the published networks know
PAD = 0

_START, _END = "<|startoftext|>", "<|endoftext|>"
_LAST = "</w>"  # marks the last symbol of a piece
_WHOLE = (_START, _END, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_QUOTES = str.maketrans("\u2018\u2019\u201a\u201b\u02bc\u201c\u201d\u201e\u201f", "'''''\"\"\"\"")


class ClipTokenizer:
    """Sentences -> ids. merges: how many of the published merges are known; fewer make a small vocabulary."""

    def __init__(self, merges: int = MERGES) -> None:
        if not 0 <= merges <= MERGES:
            raise ValueError(f"the vocabulary has {MERGES} merges, so merges={merges} is not possible")
        pairs = _merges()[:merges]
        symbols = list(_byte_symbols().values())
        symbols += [symbol + _LAST for symbol in symbols]
        symbols += ["".join(pair) for pair in pairs] + [_START, _END]
        self._ids = {symbol: index for index, symbol in enumerate(symbols)}
        self._ranks = {pair: rank for rank, pair in enumerate(pairs)}
        self._pieces: dict[str, list[int]] = {}

    @property
    def size(self) -> int:
        """How many ids there are; the last one ends every sentence."""
        return len(self._ids)

    def __call__(self, texts: Sequence[str], length: int) -> Tensor:
        """[B, length] int64: start, words, end, then zeros; a longer sentence is cut, and ends with the end too."""
        if length < 2:
            raise ValueError(f"a sentence needs room for its start and its end, but the word length is {length}")
        tokens = torch.full((len(texts), length), PAD)
        for row, text in zip(tokens, texts, strict=True):
            ids = [self._ids[_START], *self.ids(text), self._ids[_END]]
            if len(ids) > length:
                ids = [*ids[: length - 1], self._ids[_END]]
            row[: len(ids)] = torch.tensor(ids)
        return tokens

    def ids(self, text: str) -> list[int]:
        """The ids of a sentence, without start and end."""
        return [index for piece in _pieces(_tidy(text)) for index in self._piece(piece)]

    def _piece(self, piece: str) -> list[int]:
        if piece in (_START, _END):
            return [self._ids[piece]]
        if piece not in self._pieces:
            if len(self._pieces) > 100_000:
                self._pieces.clear()
            letters = [_byte_symbols()[byte] for byte in piece.encode()]
            self._pieces[piece] = [self._ids[symbol] for symbol in self._merged(letters)]
        return self._pieces[piece]

    def _merged(self, letters: list[str]) -> list[str]:
        """Join the neighbours that come first in the list of merges, everywhere, until none is left."""
        symbols = [*letters[:-1], letters[-1] + _LAST]
        while len(symbols) > 1:
            known = [pair for pair in zip(symbols, symbols[1:], strict=False) if pair in self._ranks]
            if not known:
                break
            best, joined = min(known, key=self._ranks.__getitem__), []
            while symbols:
                if tuple(symbols[:2]) == best:
                    joined.append("".join(best))
                    del symbols[:2]
                else:
                    joined.append(symbols.pop(0))
            symbols = joined
        return symbols


def _tidy(text: str) -> str:
    """Lower case, single spaces, no HTML entities."""
    text = html.unescape(html.unescape(text)).translate(_QUOTES)
    text = "".join(
        unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uffef" or "\ufb00" <= c <= "\ufb06" else c for c in text
    )
    return " ".join(unicodedata.normalize("NFC", text).split()).lower()


def _pieces(text: str) -> Iterator[str]:
    """Words, single digits, runs of signs, and the endings of English contractions."""
    start = 0
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        piece = next((whole for whole in _WHOLE if text.startswith(whole, start)), None)
        if piece is None:
            kind, stop = _kind(text[start]), start + 1
            while kind != "N" and stop < len(text) and _kind(text[stop]) == kind:
                stop += 1
            piece = text[start:stop]
        yield piece
        start += len(piece)


def _kind(character: str) -> str:
    """L letter, N number, Z space, S any other sign."""
    if character.isspace():
        return "Z"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "S"


@lru_cache
def _byte_symbols() -> dict[int, str]:
    """Byte -> a printable character for it, in the vocabulary's order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + k) for k, byte in enumerate(others)}


@lru_cache
def _merges() -> list[tuple[str, str]]:
    lines = gzip.decompress(VOCABULARY.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    return [(first, second) for first, second in (line.split() for line in lines)]
