"""Writing the page's folder: whole, again, and never over what somebody else put there."""

import json
from pathlib import Path

import pytest

from ecavg_tf.core.errors import ExportError
from export.web.contents import ABOUT
from export.web.folder import check_place, write_page


def contents(*names: str) -> dict[str, bytes]:
    listed = {"about": ABOUT, "files": dict.fromkeys(names, "0" * 64)}
    return {**{name: name.encode() for name in names}, "web.json": json.dumps(listed).encode()}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_page_is_written_and_renewed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "page"
    write_page(folder, contents("index.html", "models/0/a", "models/1/a"))
    assert files(folder) == {"index.html", "models/0/a", "models/1/a", "web.json"}
    (folder / "mine.txt").write_text("kept")
    write_page(folder, contents("index.html", "models/0/a"))
    assert files(folder) == {"index.html", "models/0/a", "web.json", "mine.txt"}
    assert not (folder / "models/1").exists()
    assert (folder / "index.html").read_bytes() == b"index.html"


def test_foreign_files_are_never_overwritten(tmp_path: Path) -> None:
    write_page(tmp_path, contents("index.html"))
    (tmp_path / "page.css").write_text("mine")
    with pytest.raises(ExportError, match=r"page\.css is there, and no page"):
        write_page(tmp_path, contents("index.html", "page.css"))
    assert (tmp_path / "page.css").read_text() == "mine"


def test_other_folders_are_refused_before_the_work(tmp_path: Path) -> None:
    check_place(tmp_path / "none")
    check_place(tmp_path)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ExportError, match="is not empty and holds no page"):
        check_place(tmp_path)
    with pytest.raises(ExportError, match="is no folder"):
        check_place(tmp_path / "thesis.tex")
    (tmp_path / "web.json").write_text('{"about": "something else", "files": {}}')
    with pytest.raises(ExportError, match="holds no page"):
        check_place(tmp_path)


def test_a_list_of_files_leads_to_none_outside(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    folder = tmp_path / "page"
    write_page(folder, contents("index.html", "models/0/a"))
    names = ["../mine.txt", str(tmp_path / "mine.txt"), "index.html"]
    (folder / "web.json").write_bytes(contents(*names)["web.json"])
    (folder / "models/0/a").unlink()
    write_page(folder, contents("index.html"))
    assert (tmp_path / "mine.txt").read_text() == "mine"
