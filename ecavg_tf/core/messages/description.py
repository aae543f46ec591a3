"""What an edge's data is, as it says in its first answer: nothing of any one example."""

from dataclasses import dataclass, replace

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.messages.inputs import Inputs


@dataclass(frozen=True)
class Description:
    """What an edge says of its data before the first round.

    Attributes:
        inputs: what the data is; its classes are their names in label order, or their numbers.
        ranged: whether the data itself says its range.
        named: whether the data names its classes; numbers alone mean the task's.
    """

    inputs: Inputs
    ranged: bool
    named: bool

    @classmethod
    def field(cls, fields: Fields, name: str) -> "Description":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = fields.inner(name)
        return cls(Inputs.field(inner, "inputs"), inner.flag("ranged"), inner.flag("named"))

    def as_inputs(self, name: str) -> Inputs:
        """The task that this data is of.

        Args:
            name: what to call the data set.
        """
        return replace(self.inputs, name=name)

    def disagreement(self, task: Inputs) -> str | None:
        """What of this data is not as the task has it; None: nothing.

        Sizes may differ, and classes may be missing. A range that was measured refuses nobody.
        """
        mine, theirs = (f"{each.inputs_dtype}{each.input_shape}" for each in (self.inputs, task))
        if mine != theirs:
            return f"its inputs are {mine}, those of the run {theirs}"
        columns, wanted = self.inputs.columns, task.columns
        if columns and wanted and (odd := sorted(set(columns) ^ set(wanted))):
            whose = "the run" if odd[0] in wanted else "the edge"
            return f"column {odd[0]!r} is in the data of {whose} alone"
        if self.ranged and task.declared and self.inputs.value_range != task.value_range:
            (low, high), (lowest, highest) = self.inputs.value_range, task.value_range
            return (
                f"it declares values from {low:g} to {high:g}, those of the run go from "
                f"{lowest:g} to {highest:g}"
            )
        classes = self.inputs.classes
        if self.named:
            unknown = [each for each in classes if each not in task.classes]
            if unknown:
                return (
                    f"its class {unknown[0]!r} is none of the run's; valid: "
                    f"{', '.join(task.classes)}"
                )
        elif len(classes) > len(task.classes):
            return (
                f"its labels go up to {len(classes) - 1}, those of the run up to "
                f"{len(task.classes) - 1}"
            )
        return None
