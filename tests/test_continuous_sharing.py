"""Blocks of the cache are shared between requests only where tokens and edits agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")
if not hasattr(transformers, "ContinuousBatchingConfig"):
    pytest.skip("transformers has no continuous batching", allow_module_level=True)

from continuous_cases import (  # noqa: E402
    AT_END,
    LONG,
    NEW,
    OF_ALL,
    Spy,
    config,
    expected,
    place_of,
    tokens,
)

from pyvalue.models import continuous_hook  # noqa: E402
from pyvalue.models.continuous import generate_batch  # noqa: E402
from pyvalue.models.continuous_lists import RequestLists  # noqa: E402

# Blocks are shared between requests.

SHARED = (LONG, LONG, LONG, LONG)


def one_by_one(model, rows, monkeypatch):
    """Outputs of the same long prompt again and again, and how many of its tokens came out of the cache each time.

    Runs go in the order of what is hashed, so that those with edits at the beginning come first.
    """
    from transformers.generation.continuous_batching.cache import PagedAttentionCache

    spy = Spy(monkeypatch, PagedAttentionCache, "search_prefix_match")
    batching = config(max_requests_per_batch=1, max_batch_tokens=64)
    found = generate_batch(model, SHARED[: len(rows)], rows, max_new_tokens=NEW, batching=batching)
    monkeypatch.undo()
    return tokens(found), spy.results


@pytest.mark.filterwarnings("ignore:the edits acted on no token")  # one that leaks finds all of its prompt in the cache
@pytest.mark.parametrize("rows", [([], OF_ALL, []), (OF_ALL, [], OF_ALL), ([], AT_END, [])])
def test_blocks_are_not_shared_between_different_edits(tiny_model, monkeypatch, rows):
    wanted = expected(tiny_model, SHARED[:3], rows)
    found, _ = one_by_one(tiny_model, rows, monkeypatch)
    assert found == wanted
    # Without care, blocks are known by their tokens alone.
    monkeypatch.setattr(RequestLists, "salted", lambda self, request, ids: list(ids))
    leaked, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert all(matched[1:]) and leaked[0] == wanted[0]
    assert leaked[1] != wanted[1]


def test_blocks_are_shared_where_tokens_and_edits_agree(tiny_model, monkeypatch):
    length = len(tiny_model.tokenizer(LONG).input_ids)
    whole = (length - 1) // 4 * 4
    before, _ = place_of(tiny_model, LONG, "watching")
    rows = ([], OF_ALL, AT_END, OF_ALL)
    found, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert found == expected(tiny_model, SHARED, rows)
    # Both of OF_ALL, then AT_END, and no edits, which shares the blocks before the word that AT_END edits.
    assert matched == [0, whole, 0, before // 4 * 4]
    assert 4 < matched[-1] < whole


def test_unknown_sharing_is_switched_off(tiny_model, monkeypatch):
    monkeypatch.setattr(continuous_hook, "_MARKS", ("complete_blocks_of_another_version",))
    rows = ([], OF_ALL, [])
    found, matched = one_by_one(tiny_model, rows, monkeypatch)
    assert (found, matched) == (expected(tiny_model, SHARED[:3], rows), [])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_hashed_numbers_agree_exactly_where_tokens_and_lists_do(data):
    pair = st.tuples(st.integers(0, 4), st.integers(-1, 2))
    texts = [data.draw(st.lists(pair, min_size=1, max_size=6)) for _ in range(3)]
    prompts = {str(i): [number for _, number in text] for i, text in enumerate(texts)}
    requests = RequestLists(prompts, dict.fromkeys(prompts, -1))
    found = [requests.salted(str(i), [token for token, _ in text]) for i, text in enumerate(texts)]
    for a, numbers in zip(texts, found, strict=True):
        assert [n for n, (_, number) in zip(numbers, a, strict=True) if number == -1] == [t for t, n in a if n == -1]
        for b, others in zip(texts, found, strict=True):
            for x, n in zip(a, numbers, strict=True):
                assert [n == m for m in others] == [x == y for y in b]
    assert all(n >= -(2**31) for numbers in found for n in numbers)
