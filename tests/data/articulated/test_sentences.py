"""Sentences: read from the picture alone, they mean the asked part and no other, and no word is spare."""

import numpy as np
import pytest
import torch

from motion4d.data.articulated import scenes
from motion4d.data.articulated.dataset import ProceduralParts
from motion4d.data.articulated.sentences import NOUNS
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural import render

SIZE = (96, 120)
ROWS = {"top": 0, "upper": 0, "middle": 1, "bottom": 2, "lower": 2}
COLUMNS = {"left": 0, "middle": 1, "right": 2}


def places(room: scenes.Room) -> dict[int, tuple[float, float]]:
    """Where the middle of each movable's body is in the picture: (column, row), as if nothing hid it."""
    scenery = room.scenery
    found = {}
    for index, movable in enumerate(room.furniture.movables):
        centre = movable.pieces[0].place[:3, 3]  # closed: what counts is where the part belongs
        x, y, z = np.linalg.inv(scenery.camera_to_world[0])[:3] @ [*centre, 1]
        found[index] = (x / z, y / z)
    return found


def meant(room: scenes.Room, words: list[str], noun: str) -> set[int]:
    """The movables that the words can mean, by their neighbours in the picture."""
    where = {index: at for index, at in places(room).items() if room.furniture.movables[index].noun == noun}
    parts = room.furniture.movables
    rows = sorted({parts[index].row for index in where})
    columns = sorted({parts[index].column for index in where})
    if words == ["center"]:
        words = ["middle", "middle"]
    chosen = set(where)
    for position, word in enumerate(words):
        is_row = word not in ("left", "right") and position == 0 and len(rows) > 1
        order, key = (rows, 1) if is_row else (columns, 0)
        wanted = ROWS[word] if is_row else COLUMNS[word]
        rank = {0: 0, 1: 1, 2: len(order) - 1}[wanted]
        groups = [{i for i in where if (parts[i].row if is_row else parts[i].column) == value} for value in order]
        for before, after in zip(groups, groups[1:], strict=False):
            for i in before:
                same = [
                    j for j in after if (parts[j].column == parts[i].column if is_row else parts[j].row == parts[i].row)
                ]
                assert all(where[i][key] < where[j][key] for j in same)  # true in the picture
        chosen &= groups[rank]
    return chosen


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sentence_means_exactly_one_part_and_has_no_spare_word(seed):
    dataset = ProceduralParts(24, *SIZE, seed=seed)
    seen_words = set()
    for index in range(24):
        query = dataset[index]
        room, target = again(dataset, index, query.truth.mask[0])
        noun = next(noun for noun in sorted(NOUNS, key=len, reverse=True) if query.texts[0].endswith(f" {noun}"))
        verb, rest = query.texts[0].split(" the ")
        words = rest.removesuffix(noun).split()
        assert verb
        assert meant(room, words, noun) == {target}, query.texts
        if "middle" not in words and "center" not in words:  # which of two things it names depends on the other word
            for spare in range(len(words)):
                assert len(meant(room, words[:spare] + words[spare + 1 :], noun)) > 1
        seen_words.update(words)
    assert {"left", "right"} <= seen_words


def again(dataset: ProceduralParts, index: int, mask: torch.Tensor) -> tuple[scenes.Room, int]:
    """(the scene of a sample, which movable has this mask)."""
    for attempt in range(10):
        room = scenes.sample(np.random.default_rng([dataset.seed, index, attempt]), dataset.variety, *SIZE)
        part = render.cast(room.scenery, *SIZE, torch.device("cpu")).part[0].numpy()
        for target, rows in enumerate(room.rows):
            if np.array_equal(np.isin(part, rows), mask.numpy()):
                return room, target
    raise AssertionError("the scene of the sample was not found")


def test_plain_sentences_have_one_verb_for_each_noun():
    dataset = ProceduralParts(24, 48, 60, seed=4, variety=Variety(synonym_share=0))
    verbs: dict[str, set[str]] = {}
    for index in range(24):
        verb, rest = dataset[index].texts[0].split(" the ")
        verbs.setdefault(rest.split()[-1], set()).add(verb)
    assert all(len(found) == 1 for found in verbs.values())


def test_the_category_is_the_noun():
    dataset = ProceduralParts(8, 48, 60, seed=6)
    for index in range(8):
        query = dataset[index]
        assert query.texts[0].endswith(NOUNS[query.sources[0].category])
