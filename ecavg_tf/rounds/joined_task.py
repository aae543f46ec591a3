"""What an edge that joined a run keeps of its task, so that its model can be exported later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.own_data import data_place

_FILE = "task.json"


@dataclass(frozen=True)
class JoinedTask:
    """A run's task as an edge was told it, and where the edge's data lies.

    Attributes:
        config: the run's config, fields by dotted names.
        inputs: what the model takes and tells apart.
        data: the place of the edge's data, or the name of the function that returns it.
        label_column: of a table: the name of the column with the labels.
    """

    config: Mapping[str, Any]
    inputs: Inputs
    data: Path | str
    label_column: str

    def save(self, folder: Path) -> None:
        """Writes it into an edge's own folder."""
        write_json(
            folder / _FILE,
            {
                "config": dict(self.config),
                "inputs": asdict(self.inputs),
                "data": self.data if isinstance(self.data, str) else str(self.data.absolute()),
                "label_column": self.label_column,
            },
        )

    @classmethod
    def load(cls, folder: Path) -> "JoinedTask":
        """Reads what ``save`` wrote.

        Raises:
            WorkdirError: it is missing or damaged.
        """
        path = folder / _FILE
        if not path.is_file():
            raise WorkdirError(
                f"{folder} does not say what its model is: only 'ecavg edge --edge=NAME --data=…' "
                "leaves it there, once it has answered the server"
            )
        fields = Fields(read_json(path))
        try:
            return cls(
                config=fields.inner("config").values,
                inputs=Inputs.field(fields, "inputs"),
                data=data_place(fields.text("data")),
                label_column=fields.text("label_column"),
            )
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}; restore it from a copy") from error


def joined_edges(state: Path) -> tuple[str, ...]:
    """The edges whose task a state folder holds, by name."""
    if not state.is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in state.glob(f"*/{_FILE}")))
