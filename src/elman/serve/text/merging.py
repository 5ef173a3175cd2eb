"""Several streams as one, each item as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")


async def merged(streams: Sequence[AsyncIterator[T]]) -> AsyncGenerator[tuple[int, T], None]:
    """The items of all, each with the number of its stream. Left early, or where one raises, all
    are cancelled."""
    if len(streams) == 1:
        async for only in streams[0]:
            yield 0, only
        return
    arrived: asyncio.Queue[tuple[int, T] | None] = asyncio.Queue()

    async def read(number: int, stream: AsyncIterator[T]) -> None:
        try:
            async for item in stream:
                arrived.put_nowait((number, item))
        finally:
            arrived.put_nowait(None)

    reading = [asyncio.create_task(read(k, stream)) for k, stream in enumerate(streams)]
    try:
        left = len(streams)
        while left:
            item = await arrived.get()
            if item is not None:
                yield item
                continue
            left -= 1
            for task in reading:
                if task.done():
                    task.result()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
