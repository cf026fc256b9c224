# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Paged KV cache: reference-counted blocks, shared prefixes found by a chained hash, least recently used go first."""

from __future__ import annotations

import collections
import hashlib
import struct
import typing as t

BlockHash = bytes


def chain_hash(parent: BlockHash, tokens: t.Sequence[int]) -> BlockHash:
    return hashlib.blake2b(parent + struct.pack(f"<{len(tokens)}Q", *tokens), digest_size=16).digest()


def root_hash(salt: str) -> BlockHash:
    """Where a chain begins: sequences with another salt never share a block."""
    return hashlib.blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class BlockPool:
    """Blocks that nobody refers to keep their content until they are needed."""

    def __init__(self, total: int, block_size: int, *, share: bool = True) -> None:
        self.total = total
        self.block_size = block_size
        self.share = share
        self._references = [0] * total
        self._hash_of: dict[int, BlockHash] = {}
        self._block_of: dict[BlockHash, int] = {}
        self._free: collections.OrderedDict[int, None] = collections.OrderedDict.fromkeys(range(total))

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def usage(self) -> float:
        return 1.0 - len(self._free) / self.total

    def match(self, hashes: t.Sequence[BlockHash]) -> list[int]:
        """The blocks of the longest known prefix."""
        found: list[int] = []
        for block_hash in hashes:
            block = self._block_of.get(block_hash)
            if block is None:
                break
            found.append(block)
        return found

    def acquire(self, known: t.Sequence[int], fresh: int) -> list[int] | None:
        """Take `known` blocks and `fresh` empty ones together, or nothing when there is no room."""
        idle = sum(1 for block in known if self._references[block] == 0)
        if fresh > len(self._free) - idle:
            return None
        for block in known:
            self._references[block] += 1
            self._free.pop(block, None)
        taken = []
        for _index in range(fresh):
            block, _none = self._free.popitem(last=False)
            self._forget(block)
            self._references[block] = 1
            taken.append(block)
        return taken

    def publish(self, block: int, block_hash: BlockHash) -> None:
        """A block is full: others may use it. The first of two equal ones stays known."""
        if self.share and block not in self._hash_of and block_hash not in self._block_of:
            self._hash_of[block] = block_hash
            self._block_of[block_hash] = block

    def release(self, blocks: t.Sequence[int]) -> None:
        """Give back; the end of a sequence is forgotten before its beginning."""
        for block in reversed(blocks):
            self._references[block] -= 1
            if self._references[block] == 0:
                self._free[block] = None

    def _forget(self, block: int) -> None:
        block_hash = self._hash_of.pop(block, None)
        if block_hash is not None:
            del self._block_of[block_hash]
