"""Carrying a client's body to the backend, never faster than it is taken, and never ended cleanly unless it is whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from gateway.upstream.errors import UploadBrokenError


class Uploader(Protocol):
    """What an upload tells the exchange that it belongs to."""

    def uploaded(self) -> None:
        """The request is written whole."""

    def upload_failed(self, error: Exception) -> None:
        """The body broke off, or is not as long as it said."""


class Upload:
    """A task that writes the pieces of a body as they come; with `length` as they are, without it as chunks.

    Attributes:
        peak: the most bytes that ever waited in the process for the backend.
    """

    __slots__ = (
        "_body",
        "_drained",
        "_length",
        "_over",
        "_owner",
        "_stuck",
        "_task",
        "_transport",
        "_written",
        "peak",
    )

    def __init__(
        self, owner: Uploader, transport: asyncio.Transport, body: AsyncIterator[bytes], length: int | None
    ) -> None:
        self._owner = owner
        self._transport = transport
        self._body = body
        self._length = length
        self._written = 0
        self._stuck = False
        self._over = False
        self._drained: asyncio.Future[None] | None = None
        self.peak = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Writes no more; the connection is then of no use to another request unless `uploaded` was told."""
        if not self._over:
            self._over = True
            self._task.cancel()

    def pause(self) -> None:
        """Waits before the next piece."""
        self._stuck = True

    def resume(self) -> None:
        """Goes on."""
        self._stuck = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def _run(self) -> None:
        try:
            async for piece in self._body:
                if piece:
                    self._write(piece)
                if self._stuck:
                    self._drained = asyncio.get_running_loop().create_future()
                    await self._drained
            self._end()
            self._over = True
        except Exception as error:  # noqa: BLE001 - whatever broke the body, the exchange raises it
            self._over = True
            self._owner.upload_failed(error)
        finally:
            close = getattr(self._body, "aclose", None)
            if close is not None:
                await close()

    def _write(self, piece: bytes) -> None:
        if self._length is None:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self._written += len(piece)
            if self._written > self._length:
                raise UploadBrokenError(f"the body is longer than its {self._length} bytes")
            self._transport.write(piece)
            if self._written == self._length:
                self._owner.uploaded()
        self.peak = max(self.peak, self._transport.get_write_buffer_size())

    def _end(self) -> None:
        if self._length is None:
            self._transport.write(b"0\r\n\r\n")
            self._owner.uploaded()
        elif self._written < self._length:
            raise UploadBrokenError(f"the body ended after {self._written} of {self._length} bytes")
        elif not self._length:
            self._owner.uploaded()
