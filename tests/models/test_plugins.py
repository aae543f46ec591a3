"""Functions by their name, ``pkg.module:function``."""

from pathlib import Path

import pytest

from ecavg_tf.core.errors import ConfigError
from ecavg_tf.plugins import load_function


def test_a_folder_in_a_modules_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after ``ecavg init folder_of_mine``, typed beside that folder."""
    (tmp_path / "folder_of_mine").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_function("data.name", "folder_of_mine:data")
    assert str(caught.value) == (
        "data.name='folder_of_mine:data': 'data' is not there; folder_of_mine is "
        f"{tmp_path / 'folder_of_mine'}"
    )
