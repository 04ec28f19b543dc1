"""Threads for numpy work that releases the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: More threads than this wait for memory rather than compute.
_MOST_THREADS = 4


def thread_map(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Apply ``function`` to each item, in order; in threads if there is more than one item and core."""
    items = list(items)
    threads = min(_MOST_THREADS, os.cpu_count() or 1, len(items))
    if threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as executor:
        return list(executor.map(function, items))


def blocks(count: int, size: int) -> list[slice]:
    """Slices of at most ``size`` that cover ``range(count)``."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
