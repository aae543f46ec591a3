"""The head that is averaged class by class, by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from updates_for_tests import INFO

from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec
from server.class_head import by_class

TEMPLATE = Template(
    (
        WeightSpec("hidden", (2, 2), "float32", Role.TRAINABLE),
        WeightSpec("kernel", (2, 3), "float32", Role.TRAINABLE),
        WeightSpec("bias", (3,), "float32", Role.TRAINABLE),
    )
)


def update(folder: Path, edge: str, counts: tuple[int, ...], value: float) -> Update:
    path = folder / f"{edge}.safetensors"
    weights = {spec.key: np.full(spec.shape, value, np.float32) for spec in TEMPLATE.weights}
    info = replace(INFO, edge=edge, examples=sum(counts), class_counts=counts)
    write_update(path, info, weights)
    return Update(path)


def test_a_class_is_averaged_over_those_who_have_it(tmp_path: Path) -> None:
    updates = [update(tmp_path, "a", (3, 4, 0), 1.0), update(tmp_path, "b", (1, 0, 0), 5.0)]
    averaged = [np.full(spec.shape, 1.5, np.float32) for spec in TEMPLATE.weights]
    made = by_class(averaged, updates, TEMPLATE, head=(1, 2))
    # Class 0: (3 * 1 + 1 * 5) / 4; class 1: a alone; class 2: nobody's, so the average.
    np.testing.assert_array_equal(made[2], np.array([2.0, 1.0, 1.5], np.float32))
    np.testing.assert_array_equal(made[1], np.tile(made[2], (2, 1)))
    assert made[0] is averaged[0]
    assert made[1].dtype == np.float32
    np.testing.assert_array_equal(averaged[2], np.full(3, 1.5, np.float32))


def test_a_head_of_one_output_for_two_classes_stays(tmp_path: Path) -> None:
    updates = [update(tmp_path, "a", (3, 4), 1.0)]
    averaged = [np.full(spec.shape, 1.5, np.float32) for spec in TEMPLATE.weights]
    assert by_class(averaged, updates, TEMPLATE, head=(1, 2)) == averaged
