"""What tests read reports with."""

from html.parser import HTMLParser
from typing import Any

from rich.console import Console

from ecavg_tf.core.exports import Cost, Exported, Latency, Parity, Proportion

REFERENCES = ("src", "href", "srcset", "xlink:href")


class Page(HTMLParser):
    """The text of a page, and what it refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.cells: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in REFERENCES]

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        self.cells.append(data.strip())


def exported(model: str, keras_ms: float) -> Exported:
    share = Proportion(0.9, 0.8, 1.0)
    parity = Parity(
        f"examples of {model}", 9, 0.1, 0.1, 1, 1, 0, 0.1, "nats", share, share, 0, -0.1, 0.1
    )
    spent = tuple(
        Latency(what, ms, ms, 9)
        for what, ms in (
            ("file, 1 thread", 0.002),
            ("file, 2 threads", 0.001),
            ("Keras predict", keras_ms),
        )
    )
    cost = Cost(1, 1, 1, "1.5.0", (), spent)
    return Exported(model, 1, "ab", "int8", "passed", size_bytes=9, parity=parity, cost=cost)


def printed(what: Any, width: int = 160) -> str:
    console = Console(record=True, width=width)
    console.print(what)
    return console.export_text()
