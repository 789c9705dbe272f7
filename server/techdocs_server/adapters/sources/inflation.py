"""Unpacking step by step, and stopping when it turns out to be a bomb."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from techdocs_server.adapters.sources.problems import refused
from techdocs_server.domain.errors import QuotaExceeded

_CHUNK_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
# Text of many equal lines is packed hundredfold, so a small archive may be all of that.
_FREE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class InflationLimits:
    """How much an archive may become, in bytes, and how many times its own size."""

    max_bytes: int
    max_ratio: int


@dataclass(slots=True)
class InflationMeter:
    """Counts what comes in packed and what comes out of it. Both raise `QuotaExceeded` beyond a limit."""

    limits: InflationLimits
    packed: int = 0
    inflated: int = 0

    def take_packed(self, size_bytes: int) -> None:
        """Count packed bytes. They have the same limit: a stream may go on for ever and hold nothing."""
        self.packed += size_bytes
        if self.packed > self.limits.max_bytes:
            raise QuotaExceeded(f"the archive is larger than {self.limits.max_bytes} bytes")

    def take_inflated(self, size_bytes: int) -> None:
        """Count bytes that came out."""
        self.inflated += size_bytes
        if self.inflated > self.limits.max_bytes:
            raise QuotaExceeded(f"the archive holds more than {self.limits.max_bytes} bytes")
        if self.inflated > _FREE_BYTES and self.inflated > self.packed * self.limits.max_ratio:
            raise QuotaExceeded(
                f"the archive becomes more than {self.limits.max_ratio} times as large when it is unpacked"
            )


class GzipStream:
    """The inflated bytes of a stream. Members that follow one another are one stream (RFC 1952)."""

    def __init__(self, read: Callable[[int], bytes], meter: InflationMeter) -> None:
        """``read`` returns at most so many bytes, none at the end."""
        self._read = read
        self._meter = meter
        self._inflater = zlib.decompressobj(_GZIP)
        self._packed = b""
        self._has_ended = False
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes, fewer only at the end. Raises `BuildStepFailed` and `QuotaExceeded`."""
        while len(self._ready) < size and self._inflate_more():
            pass
        chunk = bytes(self._ready[:size])
        del self._ready[:size]
        return chunk

    def _inflate_more(self) -> bool:
        if not self._packed and not self._receive():
            return False
        if self._inflater.eof:
            # Zeros may fill the stream up to the size of a block.
            self._packed = self._packed.lstrip(b"\0")
            if not self._packed:
                return True
            self._inflater = zlib.decompressobj(_GZIP)
        try:
            inflated = self._inflater.decompress(self._packed, _CHUNK_BYTES)
        except zlib.error as error:
            raise refused("the archive is broken: it is not gzip all through") from error
        self._packed = self._inflater.unconsumed_tail or self._inflater.unused_data
        self._meter.take_inflated(len(inflated))
        self._ready += inflated
        return True

    def _receive(self) -> bool:
        if self._has_ended:
            return False
        self._packed = self._read(_CHUNK_BYTES)
        self._meter.take_packed(len(self._packed))
        self._has_ended = not self._packed
        if self._has_ended and not self._inflater.eof:
            raise refused("the archive is broken: it ends early")
        return not self._has_ended
