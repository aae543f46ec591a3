"""A line between two ends of TCP that a test may cut."""

import selectors
import socket
import threading
import time
from types import TracebackType

_BLOCK = 65_536


class Link:
    """Listens on a port of this machine, and passes everything on to another, until it is cut.

    Args:
        port: where to.
        cut_after: it is cut, once, when a connection has carried so many bytes one way.
        upwards: the way that counts: towards ``port``, or from it.
        down_s: how long nothing passes then.

    Attributes:
        port: where it listens.
        cuts: how often it was cut.
    """

    def __init__(self, port: int, *, cut_after: int, upwards: bool, down_s: float = 10.0) -> None:
        self._to = port
        self._left = cut_after
        self._upwards = upwards
        self._down_s = down_s
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Link":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        pairs: dict[socket.socket, tuple[socket.socket, list[int]]] = {}
        with selectors.DefaultSelector() as ready, self._listener:
            ready.register(self._listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in ready.select(timeout=0.2):
                    if key.fileobj is self._listener:
                        self._accept(ready, pairs)
                    elif key.fileobj in pairs and self._pass_on(ready, pairs, key.fileobj):
                        for one in list(pairs):
                            self._close(ready, pairs, one)
                        time.sleep(self._down_s)
            for one in list(pairs):
                self._close(ready, pairs, one)

    def _accept(
        self,
        ready: selectors.BaseSelector,
        pairs: dict[socket.socket, tuple[socket.socket, list[int]]],
    ) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            near.close()
            return
        up, down = [0], [0]
        for one, other, count in ((near, far, up), (far, near, down)):
            pairs[one] = other, count if (count is up) == self._upwards else [-(2**60)]
            ready.register(one, selectors.EVENT_READ)

    def _pass_on(
        self,
        ready: selectors.BaseSelector,
        pairs: dict[socket.socket, tuple[socket.socket, list[int]]],
        one: socket.socket,
    ) -> bool:
        """Passes on what came; gives whether this is the moment to cut the line."""
        other, count = pairs[one]
        try:
            block = one.recv(_BLOCK)
            other.sendall(block)
        except OSError:
            block = b""
        if not block:
            self._close(ready, pairs, one)
            return False
        count[0] += len(block)
        if self.cuts or count[0] < self._left:
            return False
        self.cuts += 1
        return True

    def _close(
        self,
        ready: selectors.BaseSelector,
        pairs: dict[socket.socket, tuple[socket.socket, list[int]]],
        one: socket.socket,
    ) -> None:
        for each in (one, pairs[one][0]) if one in pairs else ():
            if pairs.pop(each, None) is not None:
                ready.unregister(each)
                each.close()
