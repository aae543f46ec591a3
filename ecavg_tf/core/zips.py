"""Zip files from elsewhere: what they say of themselves is bounded before it is believed."""

import zipfile
from typing import IO, cast

_LARGEST_DIRECTORY = 2**20  # bytes: about ten thousand members


class _Sips:
    """A stream that gives no more than some bytes at once.

    ``zipfile`` reads a zip's directory in one gulp, of a size that the zip states, and makes an
    object of every entry: a directory of 200 MB becomes gigabytes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.most: int | None = _LARGEST_DIRECTORY
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if self.most is None or 0 <= size <= self.most:
            return self._stream.read(size)
        content = self._stream.read(self.most + 1) if size < 0 else None
        if content is None or len(content) > self.most:
            raise ValueError(f"its directory is larger than {self.most} bytes")
        return content


def open_zip(stream: IO[bytes]) -> zipfile.ZipFile:
    """Opens a zip whose directory is of a sane size, for reading.

    Args:
        stream: the opened file, which stays the caller's to close.

    Raises:
        ValueError: the directory is too large.
        zipfile.BadZipFile: it is no zip.
    """
    sips = _Sips(stream)
    archive = zipfile.ZipFile(cast(IO[bytes], sips))  # it has what is used of one
    sips.most = None
    return archive
