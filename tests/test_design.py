"""A fraction of a design is balanced, nested, and does not depend on where an item stands in its file."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.measurement.design import ORDERS, Design
from pyvalue.measurement.inventory import Inventory, load_inventory
from pyvalue.measurement.items import Item

BOTH = tuple(ORDERS)


def keys(cells):
    return [(cell.item.id, cell.wording, cell.order, cell.repeat) for cell in cells]


@st.composite
def studies(draw) -> tuple[Inventory, Design]:
    """An inventory of some values with any number of items of each sign, and a design that fits it."""
    wordings = draw(st.integers(1, 4))
    items = []
    for value in range(draw(st.integers(1, 3))):
        for keying in (1, -1):
            for number in range(draw(st.integers(1, 5))):
                name = f"{value} {keying} {number}"
                items.append(Item(name, f"v{value}", keying, f"Is it {name}?", tuple(f"{i} {name}?" for i in range(3))))
    for number in range(draw(st.integers(0, 4))):
        paraphrases = tuple(f"free {i}?" for i in range(draw(st.integers(0, 3))))
        items.append(Item(f"free {number}", "", 0, f"Free {number}?", paraphrases, draw(st.booleans())))
    orders = draw(st.sampled_from([("yes-no",), ("no-yes",), BOTH]))
    fraction = draw(st.floats(0.001, 1))
    return Inventory("q", tuple(items)), Design(
        wordings, orders, draw(st.integers(1, 3)), fraction, draw(st.integers())
    )


def changed(design: Design, **changes) -> Design:
    return Design(**{**{f: getattr(design, f) for f in design.__dataclass_fields__}, **changes})


def test_a_full_design_crosses_everything_in_order():
    items = (Item("a", "Power", 1, "A?", ("A2?", "A3?")), Item("f", "", 0, "F?"))
    cells = Design(wordings=2, orders=BOTH, repeats=2).cells(Inventory("q", items))
    expected = [("a", w, o, r) for w in range(2) for o in BOTH for r in range(2)]
    assert keys(cells) == expected + [("f", 0, o, r) for o in BOTH for r in range(2)]
    assert [cell.question for cell in cells[::4]] == ["A?", "A2?", "F?"]


@given(studies())
@settings(max_examples=200, deadline=None)
def test_a_fraction_keeps_its_share_of_every_value_and_sign(study):
    inventory, design = study
    whole, part = changed(design, fraction=1.0).cells(inventory), design.cells(inventory)
    all_of = Counter((cell.item.group, cell.item.keying) for cell in whole if not cell.repeat)
    kept = Counter((cell.item.group, cell.item.keying) for cell in part if not cell.repeat)
    assert kept.keys() == all_of.keys()
    assert all(kept[s] == 1 or abs(kept[s] - design.fraction * all_of[s]) <= 0.5 for s in kept)


@given(studies())
@settings(max_examples=200, deadline=None)
def test_a_fraction_is_a_part_of_the_full_design_in_its_order_with_all_repeats(study):
    inventory, design = study
    whole, part = changed(design, fraction=1.0).cells(inventory), design.cells(inventory)
    chosen = {key[:3] for key in keys(part)}
    assert keys(part) == [key for key in keys(whole) if key[:3] in chosen]


@given(studies(), st.floats(0.001, 1))
@settings(max_examples=200, deadline=None)
def test_a_smaller_fraction_is_part_of_a_larger_one(study, other):
    inventory, design = study
    small, large = sorted((design.fraction, other))
    parts = [set(keys(changed(design, fraction=fraction).cells(inventory))) for fraction in (small, large)]
    assert parts[0] <= parts[1]


@given(studies(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_the_choice_does_not_depend_on_the_order_of_the_items(study, shuffle: random.Random):
    inventory, design = study
    items = list(inventory.items)
    shuffle.shuffle(items)
    assert set(keys(design.cells(Inventory("q", tuple(items))))) == set(keys(design.cells(inventory)))


@given(studies())
@settings(max_examples=200, deadline=None)
def test_the_choice_of_one_value_does_not_depend_on_the_others(study):
    inventory, design = study
    alone = design.cells(inventory.only("v0"))
    assert [k for k in keys(design.cells(inventory)) if k[0][0] in "0f"] == keys(alone)


@given(studies())
@settings(max_examples=200, deadline=None)
def test_items_go_last(study):
    inventory, design = study
    asked = Counter((c.item.group, c.item.keying, c.item.id) for c in design.cells(inventory) if not c.repeat)
    for item in inventory.items:
        stratum = [n for (group, sign, _), n in asked.items() if (group, sign) == (item.group, item.keying)]
        if (item.group, item.keying, item.id) not in asked:
            assert max(stratum) == 1
        elif item.keying:
            assert max(stratum) - asked[item.group, item.keying, item.id] <= 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fraction", [0.125, 0.25, 0.5])
def test_wordings_and_orders_of_a_bundled_value_are_used_alike(seed, fraction):
    cells = Design(4, BOTH, fraction=fraction, seed=seed).cells(load_inventory())
    for value in load_inventory().values:
        for keying in (1, -1):
            mine = [c for c in cells if (c.item.value, c.item.keying) == (value, keying)]
            assert len(mine) == 32 * fraction
            assert set(Counter(c.order for c in mine).values()) == {16 * fraction}
            if fraction < 0.5:
                assert len({c.wording for c in mine}) == 4
            assert set(Counter(c.item.id for c in mine).values()) == {math.ceil(8 * fraction)}


def test_seeds_choose_differently():
    chosen = {tuple(keys(Design(4, BOTH, fraction=0.25, seed=seed).cells(load_inventory()))) for seed in range(30)}
    assert len(chosen) == 30


def test_every_cell_is_chosen_about_equally_often_over_seeds():
    inventory = load_inventory().only("Power")
    seeds = 800
    count = Counter(
        k for seed in range(seeds) for k in keys(Design(4, BOTH, fraction=0.25, seed=seed).cells(inventory))
    )
    keyed = [n for (name, *_), n in count.items() if name.startswith("power")]
    assert len(keyed) == 8 * 8
    expected, spread = seeds * 0.25, math.sqrt(seeds * 0.25 * 0.75)
    assert max(abs(n - expected) for n in keyed) < 4.5 * spread


def test_a_manifest_tells_the_fraction_and_no_seed_that_does_nothing():
    assert Design().to_dict() == Design(seed=3).to_dict() == {"wordings": 1, "orders": ["yes-no"], "repeats": 1}
    assert Design(fraction=0.5, seed=3).to_dict().items() >= {"fraction": 0.5, "seed": 3}.items()


@pytest.mark.parametrize(
    ("arguments", "fault", "message"),
    [
        ({"wordings": 0}, ValueError, "wordings: expected at least 1, got 0"),
        ({"repeats": True}, TypeError, "repeats: expected an integer"),
        ({"seed": 0.5}, TypeError, "seed: expected an integer"),
        ({"orders": ()}, ValueError, "orders: expected some of"),
        ({"orders": ("yes-no", "yes-no")}, ValueError, "orders: .* each once"),
        ({"orders": "maybe"}, ValueError, "orders"),
        ({"fraction": 0}, ValueError, "fraction: expected more than 0 and at most 1, got 0"),
        ({"fraction": 1.01}, ValueError, "fraction"),
        ({"fraction": math.nan}, ValueError, "fraction"),
        ({"fraction": "all"}, TypeError, "fraction: expected a number"),
        ({"fraction": True}, TypeError, "fraction"),
    ],
)
def test_an_impossible_design_is_refused(arguments, fault, message):
    with pytest.raises(fault, match=message):
        Design(**arguments)


def test_too_many_wordings_name_the_item():
    inventory = Inventory("q", (Item("a", "Power", 1, "A?", ("A2?",)), Item("f", "", 0, "F?")))
    with pytest.raises(ValueError, match="at most the 2 of item 'a', got 3; add paraphrases"):
        Design(wordings=3).cells(inventory)
