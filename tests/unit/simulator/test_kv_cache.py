# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of the KV cache."""

from __future__ import annotations

from model_simulator.kv_cache import BlockPool, chain_hash, root_hash


def hashes(count: int, salt: str = "") -> list[bytes]:
    found = [chain_hash(root_hash(salt), [0])]
    while len(found) < count:
        found.append(chain_hash(found[-1], [len(found)]))
    return found


def test_there_is_all_or_nothing() -> None:
    pool = BlockPool(4, 16)
    taken = pool.acquire((), 3)
    assert taken is not None
    assert pool.acquire((), 2) is None
    assert pool.free == 1
    assert pool.usage == 0.75


def test_a_freed_block_is_remembered_until_it_is_needed() -> None:
    pool = BlockPool(2, 16)
    names = hashes(2)
    taken = pool.acquire((), 2)
    assert taken is not None
    for block, name in zip(taken, names, strict=True):
        pool.publish(block, name)
    pool.release(taken)
    assert pool.match(names) == taken
    assert pool.acquire((), 1) == [taken[1]], "the end of a sequence goes first"
    assert pool.match(names) == [taken[0]]


def test_a_shared_block_is_free_when_its_last_user_leaves() -> None:
    pool = BlockPool(2, 16)
    taken = pool.acquire((), 1)
    assert taken is not None
    assert pool.acquire(taken, 0) == []
    pool.release(taken)
    assert pool.free == 1
    pool.release(taken)
    assert pool.free == 2


def test_known_blocks_that_are_idle_are_no_room_for_new_ones() -> None:
    pool = BlockPool(2, 16)
    taken = pool.acquire((), 1)
    assert taken is not None
    pool.release(taken)
    assert pool.acquire(taken, 2) is None
    assert pool.acquire(taken, 1) is not None


def test_the_chain_depends_on_all_that_came_before() -> None:
    assert chain_hash(root_hash(""), [1, 2]) != chain_hash(root_hash("x"), [1, 2])
    assert chain_hash(hashes(1)[0], [1]) != chain_hash(hashes(2)[1], [1])
