"""Lays what a letter brings into an edge's mailbox, and answers with what came out of it."""

import time
from collections.abc import Mapping
from pathlib import Path

from ecavg_tf.core.errors import ECAvgError, disk_fault
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.messages.letters import Letter, Shelf, decode_letter, encode_letter, parts_told
from ecavg_tf.core.messages.mailbox import POLL_S
from edge.carrying.places import Places

LONGEST_WAIT_S = 600.0


class Mailroom:
    """Answers letters for one edge, whose process serves the mailbox; see ``Places``.

    Args:
        edge: the edge's name.
        state: the folder of ``ecavg join --state``.
    """

    def __init__(self, edge: str, state: Path) -> None:
        self._edge = edge
        self._places = Places(edge, state)

    def answer(self, text: str, data: bytes) -> tuple[str, bytes]:
        """Answers a letter; whatever is wrong with it is said in the answer.

        Args:
            text: its JSON.
            data: its bytes.
        """
        try:
            answer = self._answered(decode_letter(text, data))
        except OSError as error:
            answer = Letter({"error": str(disk_fault(error, "the edge's --state"))})
        except (ECAvgError, ValueError) as error:
            answer = Letter({"error": str(error)})
        return encode_letter(
            Letter({"error": None, **answer.told, "edge": self._edge}, answer.pieces)
        )

    def _answered(self, letter: Letter) -> Letter:
        fields = Fields(letter.told)
        run = fields.get("run")
        if run is None:  # only who is there
            return Letter({})
        place = self._places.place_of(dict(fields.inner("run").values))
        box = self._places.mailbox(place)
        inbox, outbox = Shelf(box.inbox), Shelf(box.outbox)
        outbox.forget({str(name): str(sha) for name, sha in fields.inner("forget").values.items()})
        for piece in letter.pieces:
            inbox.take(piece)
        if not box.over():
            self._places.serve(place)
        there = parts_told(fields.inner("there"))
        wait_s = min(fields.number("wait_s", 0), LONGEST_WAIT_S)
        names = _waited(outbox, there, wait_s)
        pieces, left = outbox.cut(names, there)
        told = {"have": inbox.files(), "parts": inbox.parts(), "left": left}
        return Letter(told, pieces)


def _waited(outbox: Shelf, there: Mapping[str, tuple[str, int]], wait_s: float) -> list[str]:
    """Names of the files that the server lacks, once there are some or the time is up."""
    deadline = time.monotonic() + wait_s
    while True:
        lacking = [
            name
            for name, sha256 in outbox.files().items()
            if there.get(name) != (sha256, (outbox.folder / name).stat().st_size)
        ]
        # The small reply names the large files: it is the last to arrive.
        lacking.sort(key=lambda name: (name.endswith(".json"), name))
        if lacking or time.monotonic() >= deadline:
            return lacking
        time.sleep(POLL_S)
