"""What an edge's data is, as it says in its first answer: nothing of any one example."""

from dataclasses import dataclass

from ecavg_tf.core.fields import DTYPES, Fields
from ecavg_tf.core.messages.inputs import Inputs


@dataclass(frozen=True)
class Description:
    """What an edge says of its data before the first round.

    Attributes:
        input_shape: of one example.
        inputs_dtype: numpy's name of the native dtype.
        value_range: lowest and highest value.
        declared: whether the data itself says its range; else it is what its dtype suggests.
        classes: names of the classes in label order, or their numbers.
        named: whether the data names its classes; numbers alone mean the task's.
    """

    input_shape: tuple[int, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    declared: bool
    classes: tuple[str, ...]
    named: bool

    @classmethod
    def field(cls, fields: Fields, name: str) -> "Description":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = fields.inner(name)
        bounds = inner.each("value_range", Fields.number)
        if len(bounds) != 2:
            raise inner.refuse("value_range", "two numbers")
        return cls(
            input_shape=inner.sizes("input_shape"),
            inputs_dtype=inner.choice("inputs_dtype", DTYPES),
            value_range=(bounds[0], bounds[1]),
            declared=inner.flag("declared"),
            classes=inner.texts("classes"),
            named=inner.flag("named"),
        )

    def as_inputs(self, name: str) -> Inputs:
        """The task that this data is of.

        Args:
            name: what to call the data set.
        """
        return Inputs(name, self.input_shape, self.inputs_dtype, self.value_range, self.classes)

    def disagreement(self, task: Inputs) -> str | None:
        """What of this data is not as the task has it; None: nothing.

        Sizes may differ, and classes may be missing.
        """
        mine, theirs = (f"{each.inputs_dtype}{each.input_shape}" for each in (self, task))
        if mine != theirs:
            return f"its inputs are {mine}, those of the run {theirs}"
        if self.declared and self.value_range != task.value_range:
            (low, high), (lowest, highest) = self.value_range, task.value_range
            return (
                f"it declares values from {low:g} to {high:g}, those of the run go from "
                f"{lowest:g} to {highest:g}"
            )
        if self.named:
            unknown = [each for each in self.classes if each not in task.classes]
            if unknown:
                return (
                    f"its class {unknown[0]!r} is none of the run's; valid: "
                    f"{', '.join(task.classes)}"
                )
        elif len(self.classes) > len(task.classes):
            return (
                f"its labels go up to {len(self.classes) - 1}, those of the run up to "
                f"{len(task.classes) - 1}"
            )
        return None
