"""Relays connections inside a node to a port of the host."""

import asyncio
import contextlib
import logging

_LOG = logging.getLogger(__name__)
_PIECE = 1 << 16


async def relay_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> None:
    """Join an accepted connection with 127.0.0.1:`port` of the host until both are closed."""
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as problem:
        _LOG.debug("outside port %s: %s", port, problem)
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    except OSError:
        # As a router would do, reset the other end too.
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        for each in (writer, far_writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then close this direction only."""
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
    if target.can_write_eof() and not target.is_closing():
        target.write_eof()
