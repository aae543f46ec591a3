"""Texts in numpy's files, which may be any numbers there."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays


@pytest.mark.parametrize("kind", ["<U2", ">U2"])
def test_numbers_that_are_no_letters(tmp_path: Path, kind: str) -> None:
    numbers = np.array([ord("a"), 0x110000], kind[0] + "u4")
    np.savez(tmp_path / "x.npz", x_train=np.zeros(2), columns=numbers.view(kind))
    with pytest.raises(DataError, match="columns holds numbers that are no letters; save texts"):
        read_arrays(tmp_path / "x.npz")


def test_texts_of_any_language_and_length_are_read(tmp_path: Path) -> None:
    texts = {"a": np.array(["ä", "日本", "👩‍🚀"]), "b": np.array([], "U"), "c": np.array("x")}
    texts["d"] = texts["a"].astype(">U4")[::2]
    np.savez(tmp_path / "x.npz", **texts)  # type: ignore[arg-type]
    for name, found in read_arrays(tmp_path / "x.npz").items():
        assert found.tolist() == texts[name].tolist()
