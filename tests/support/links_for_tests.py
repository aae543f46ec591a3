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
        down_s: how long nothing passes after a cut.

    Attributes:
        port: where it listens.
        cuts: how often it was cut.
    """

    def __init__(self, port: int, down_s: float = 5.0) -> None:
        self._to = port
        self._down_s = down_s
        self._left: list[int] = []
        self._upwards = False
        self._ends: dict[socket.socket, socket.socket] = {}
        self._above: set[socket.socket] = set()  # what comes from these goes down to the edge
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cut_after(self, size: int, *, upwards: bool) -> None:
        """Cuts all connections, once, when so many more bytes have passed one way.

        Args:
            size: how many.
            upwards: the way that counts: towards ``port``, or from it.
        """
        self._left, self._upwards = [size], upwards

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
        with selectors.DefaultSelector() as ready, self._listener:
            ready.register(self._listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in ready.select(timeout=0.2):
                    if key.fileobj is self._listener:
                        self._accept(ready)
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._ends:
                        self._pass_on(ready, key.fileobj)
                if self._left and self._left[0] <= 0:
                    self._close_all(ready)
                    self._left = []
                    self.cuts += 1
                    time.sleep(self._down_s)
            self._close_all(ready)

    def _accept(self, ready: selectors.BaseSelector) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            near.close()
            return
        self._above.add(far)
        for one, other in ((near, far), (far, near)):
            self._ends[one] = other
            ready.register(one, selectors.EVENT_READ)

    def _pass_on(self, ready: selectors.BaseSelector, one: socket.socket) -> None:
        try:
            block = one.recv(_BLOCK)
            self._ends[one].sendall(block)
        except OSError:
            block = b""
        if not block:
            self._close(ready, one)
        elif self._left and self._upwards == (one not in self._above):
            self._left[0] -= len(block)

    def _close(self, ready: selectors.BaseSelector, one: socket.socket) -> None:
        for each in (one, self._ends[one]):
            del self._ends[each]
            self._above.discard(each)
            ready.unregister(each)
            each.close()

    def _close_all(self, ready: selectors.BaseSelector) -> None:
        while self._ends:
            self._close(ready, next(iter(self._ends)))
