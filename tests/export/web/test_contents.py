"""The page's folder: what it holds, that nothing of it leads elsewhere, and what is refused."""

import base64
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from bundles_for_tests import INFO, made, rewritten, trains
from paths_for_tests import ROOT

from ecavg_tf.core.bundles.bundle import write_bundle
from ecavg_tf.core.bundles.training_bundle import write_training_bundle
from ecavg_tf.core.errors import ExportError, InstallationError
from export.web.contents import (
    Offered,
    bundles_in,
    offered,
    page_contents,
    policy_of,
)
from export.web.runtime_files import FOLDER, runtime_files


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("web") / "int8.bundle.zip"
    write_bundle(path, made())
    return page_contents([Offered(path, "edge-00", "accepted")])


def scripts(contents: dict[str, bytes]) -> dict[str, str]:
    """The page's own modules."""
    return {
        name: content.decode()
        for name, content in contents.items()
        if name.startswith("page/") and name.endswith(".js")
    }


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_catalog_and_the_bundles_name_the_hash_of_every_file(
    contents: dict[str, bytes],
) -> None:
    said = json.loads(contents["web.json"])
    assert said["files"] == {
        name: sha256(content) for name, content in contents.items() if name != "web.json"
    }
    (model,) = said["models"]
    assert (model["group"], model["name"], model["format"]) == ("edge-00", "accepted", "int8")
    manifest = contents[f"{model['folder']}/bundle.json"]
    assert model["manifest"] == {"sha256": sha256(manifest), "bytes": len(manifest)}
    for name, part in json.loads(manifest)["parts"].items():
        content = contents[f"{model['folder']}/{name}"]
        assert part == {"sha256": sha256(content), "bytes": len(content)}


def test_the_runtime_is_what_npm_has(contents: dict[str, bytes]) -> None:
    listed = json.loads((FOLDER / "runtime.json").read_text())
    assert listed["version"] == "2.5.3"
    assert set(listed["packages"]) == {"@litertjs/core", "@litertjs/wasm-utils"}
    for name, expected in listed["files"].items():
        content = contents[f"runtime/{name}"]
        assert (sha256(content), len(content)) == (expected["sha256"], expected["bytes"])
    assert b"Apache License" in contents["runtime/LICENSE"]


def test_a_damaged_runtime_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "runtime"))
    listed = json.loads((folder / "runtime.json").read_text())
    listed["files"] = {"index.js": listed["files"]["index.js"] | {"sha256": "0" * 64}}
    (folder / "runtime.json").write_text(json.dumps(listed))
    with pytest.raises(InstallationError, match=r"index\.js has another SHA-256.*install"):
        runtime_files(folder)
    (folder / "index.js.xz").write_bytes(b"no xz")
    with pytest.raises(InstallationError, match="damaged"):
        runtime_files(folder)


def test_the_policy_lets_nothing_in_but_this_origin(contents: dict[str, bytes]) -> None:
    index = contents["index.html"].decode()
    rules = {
        name: values
        for name, *values in (rule.split() for rule in policy_of(contents["index.html"]).split(";"))
    }
    (inline,) = re.findall(r"<script[^>]*>([^<]+)</script>", index)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert json.loads(inline) == {"imports": {"@litertjs/wasm-utils": "./runtime/wasm_utils.js"}}
    assert rules == {
        "default-src": ["'none'"],
        "script-src": ["'self'", "'wasm-unsafe-eval'", f"'sha256-{digest}'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    assert not re.search(r"\son\w+=|\sstyle=|<style", index)


def test_no_file_of_the_page_names_another_place(contents: dict[str, bytes]) -> None:
    texts = {**scripts(contents), "index.html": contents["index.html"].decode()}
    texts["page/style.css"] = contents["page/style.css"].decode()
    for name, text in texts.items():
        assert not re.search(r"https?://(?!\s)[\w]|innerHTML|\beval\(|new Function", text), name


def test_every_file_that_the_page_asks_for_is_there(contents: dict[str, bytes]) -> None:
    index = contents["index.html"].decode()
    wanted = set(re.findall(r'(?:href|src)="([^"]+)"', index))
    for name, text in scripts(contents).items():
        for path in re.findall(r'(?:from|import\(|= )\s*"(\.\.?/[^"]+)"', text):
            parts: list[str] = []
            for part in (*PurePosixPath(name).parent.parts, *PurePosixPath(path).parts):
                parts = parts[:-1] if part == ".." else [*parts, *([] if part == "." else [part])]
            wanted.add("/".join(parts))
    assert {"page/main.js", "runtime/index.js", "page/style.css"} < wanted
    assert wanted <= set(contents)
    asked = wanted | {name for name in contents if name.startswith(("models/", "runtime/"))}
    assert set(contents) == asked | {"index.html", "web.json"}  # and nothing else is carried


def test_modules_are_small(contents: dict[str, bytes]) -> None:
    assert {n: t.count("\n") for n, t in scripts(contents).items() if t.count("\n") > 300} == {}


def test_the_wheel_carries_every_file() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    globs = settings["options.package_data"]["export"].split(",")
    carried = {path for glob in globs for path in (ROOT / "export").glob(glob.strip())}
    there = {path for path in (ROOT / "export/web").rglob("*") if path.is_file()}
    assert {path for path in there if path.suffix not in (".py", ".pyc")} <= carried


@pytest.mark.slow
def test_the_built_wheel_lists_every_file(tmp_path: Path) -> None:
    command = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        listed = {name for name in archive.namelist() if name.startswith("export/web/")}
        for name, expected in json.loads((FOLDER / "runtime.json").read_text())["files"].items():
            content = lzma.decompress(archive.read(f"export/web/runtime/{name}.xz"))
            assert sha256(content) == expected["sha256"]
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "export/web").rglob("*.*")}
    there = {name for name in there if not name.endswith(".pyc")} | {"export/web/runtime/LICENSE"}
    assert listed == there


def test_bundles_are_named_by_the_folders_of_an_export(tmp_path: Path) -> None:
    of_global = replace(made(), info=replace(INFO, origin={**INFO.origin, "edge": None}))
    for place, bundle in (
        ("run/exports/edge-00", made()),
        ("run/exports/global", of_global),
        ("run/exports-local/edge-00", made()),
        ("other/exports/edge-00", made()),
    ):
        write_bundle(tmp_path / place / "int8.bundle.zip", bundle)
    paths = bundles_in([tmp_path / "run/exports", tmp_path / "run/exports-local"])
    assert [(each.group, each.name) for each in offered(paths)] == [
        ("edge-00", "accepted"),
        ("global", "global"),
        ("edge-00", "local"),
    ]
    twice = [tmp_path / name / "exports/edge-00/int8.bundle.zip" for name in ("run", "other")]
    names = [each.name for each in offered(twice)]
    assert names == ["accepted", f"accepted in {tmp_path / 'other/exports/edge-00'}"]


def test_models_of_other_data_do_not_stand_side_by_side(tmp_path: Path) -> None:
    of_birds = replace(made(), info=replace(INFO, classes=("wren", "tit")))
    paths = [tmp_path / name / "exports/edge-00/int8.bundle.zip" for name in ("run", "birds")]
    for path, bundle in zip(paths, (made(), of_birds), strict=True):
        write_bundle(path, bundle)
    assert [(each.group, each.name) for each in offered(paths)] == [
        ("edge-00", "accepted"),
        (f"edge-00 in {paths[1].parent}", "accepted"),
    ]


def test_what_the_page_can_not_run_is_refused(tmp_path: Path) -> None:
    training = tmp_path / "training-head.bundle.zip"
    write_training_bundle(training, trains())
    with pytest.raises(ExportError, match="is a training bundle"):
        bundles_in([training])
    with pytest.raises(ExportError, match=r"holds no \*\.bundle\.zip"):
        bundles_in([tmp_path])  # what trains is passed over
    batch = replace(made(), info=replace(INFO, input=replace(INFO.input, shape=(-1, 2, 2, 1))))
    write_bundle(tmp_path / "batch.bundle.zip", batch)
    with pytest.raises(ExportError, match=r"one example at a time.*--formats=float32"):
        page_contents([Offered(tmp_path / "batch.bundle.zip", "a", "b")])


def test_a_damaged_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "int8.bundle.zip"
    write_bundle(path, made())
    rewritten(path, **{"model.tflite": b"TFL3" * 99})
    with pytest.raises(ExportError, match=r"model\.tflite is not what bundle\.json lists"):
        page_contents([Offered(path, "a", "b")])
    with pytest.raises(ExportError, match="is not there"):
        offered([tmp_path / "none.bundle.zip"])
