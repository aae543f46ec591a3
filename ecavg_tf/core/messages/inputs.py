"""What a run's model takes and tells apart, for edges that have data of their own."""

from dataclasses import dataclass

from ecavg_tf.core.fields import Fields


@dataclass(frozen=True)
class Inputs:
    """What an edge must know of its data.

    Attributes:
        name: the data set's name.
        input_shape: of one input.
        inputs_dtype: numpy's name of the native dtype.
        value_range: lowest and highest value.
        classes: names of the classes, in label order.
    """

    name: str
    input_shape: tuple[int, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    classes: tuple[str, ...]

    @classmethod
    def field(cls, fields: Fields, name: str) -> "Inputs":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = fields.inner(name)
        bounds = inner.each("value_range", Fields.number)
        if len(bounds) != 2:
            raise inner.refuse("value_range", "two numbers")
        return cls(
            name=inner.text("name"),
            input_shape=inner.sizes("input_shape"),
            inputs_dtype=inner.text("inputs_dtype"),
            value_range=(float(bounds[0]), float(bounds[1])),
            classes=inner.texts("classes"),
        )
