"""Flower's Grid as the courier's network."""

from collections.abc import Iterable
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from server.carrying.courier import Answer, Node


class GridPost:
    """Sends letters as Flower's messages; nothing of it waits.

    Args:
        grid: the ServerApp's.
    """

    def __init__(self, grid: Any) -> None:
        self._grid = grid

    def nodes(self) -> Iterable[Node]:
        """The nodes that are connected now."""
        return [
            Node(node.node_id, node.name, node.last_activated_at)
            for node in self._grid.get_nodes()
            if node.status in ("", "online")
        ]

    def send(self, node: int, text: str, data: bytes, ttl_s: float) -> str:
        """Sends a letter; ONE flat array, since many small ones cost Flower many seconds."""
        content = RecordDict(
            {
                "letter": ConfigRecord({"json": text}),
                "pieces": ArrayRecord({"bytes": Array("uint8", (len(data),), "ecavg.bytes", data)}),
            }
        )
        message = Message(content, node, "query", ttl=ttl_s)
        found = list(self._grid.push_messages([message]))
        if not found or not found[0]:
            raise OSError("Flower did not take a message; is the node's key still registered?")
        return str(found[0])

    def answers(self, ids: Iterable[str]) -> Iterable[Answer]:
        """What has come back."""
        for message in self._grid.pull_messages(list(ids)):
            of = str(message.metadata.reply_to_message_id)
            if message.has_error():
                why = message.error.reason or f"code {message.error.code}"
                yield Answer(of, error=f"its Flower node answers: {why}")
                continue
            try:
                text = str(message.content["letter"]["json"])
                data = bytes(message.content["pieces"]["bytes"].data)
            except (KeyError, TypeError, AttributeError) as error:
                yield Answer(of, error=f"its answer is no letter of ours ({error})")
                continue
            yield Answer(of, text, data)
