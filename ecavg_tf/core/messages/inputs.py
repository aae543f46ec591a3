"""What a run's model takes and tells apart, for edges that have data of their own."""

from dataclasses import dataclass

from ecavg_tf.core.fields import Fields

_LEFT_OUT = {
    "declared": True,
    "feature_ranges": [],
    "columns": None,
}  # by servers of older versions


@dataclass(frozen=True)
class Inputs:
    """What an edge must know of its data.

    Attributes:
        name: the data set's name.
        input_shape: of one input.
        inputs_dtype: numpy's name of the native dtype.
        value_range: lowest and highest value.
        classes: names of the classes, in label order.
        declared: whether values outside the range are refused.
        feature_ranges: of each feature or channel; empty: one range for all.
        columns: names of the inputs, in the model's order; None: they have none.
    """

    name: str
    input_shape: tuple[int, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    classes: tuple[str, ...]
    declared: bool = True
    feature_ranges: tuple[tuple[float, float], ...] = ()
    columns: tuple[str, ...] | None = None

    @classmethod
    def field(cls, fields: Fields, name: str) -> "Inputs":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = Fields(_LEFT_OUT | dict(fields.inner(name).values), f"{fields.prefix}{name}.")
        bounds = inner.each("value_range", Fields.number)
        if len(bounds) != 2:
            raise inner.refuse("value_range", "two numbers")
        return cls(
            name=inner.text("name"),
            input_shape=inner.sizes("input_shape"),
            inputs_dtype=inner.text("inputs_dtype"),
            value_range=(float(bounds[0]), float(bounds[1])),
            classes=inner.texts("classes"),
            declared=inner.flag("declared"),
            feature_ranges=inner.each("feature_ranges", Fields.value_range),
            columns=inner.maybe("columns", Fields.texts),
        )
