"""The ClientApp: a process a message, so it loads nothing of what trains.

Its node says who it is: ``--node-config 'edge="north" state="/var/lib/ecavg"'``.
"""

from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from edge.carrying.mailroom import Mailroom


def answer(message: Message, context: Context) -> Message:
    """Answers one message. It never returns None: the node would hang."""
    config = context.node_config
    room = Mailroom(str(config["edge"]), Path(str(config["state"])))
    text = str(message.content["letter"]["json"])
    array = message.content["pieces"]["bytes"]
    told, data = room.answer(text, array.data)
    content = RecordDict(
        {
            "letter": ConfigRecord({"json": told}),
            "pieces": ArrayRecord({"bytes": Array("uint8", (len(data),), "ecavg.bytes", data)}),
        }
    )
    return Message(content, reply_to=message)


app = ClientApp()
app.query()(answer)
