"""What the page's folder holds: the page, its runtime, and the parts of the bundles."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.bundles.archive import check_parts, identity, read_members
from ecavg_tf.core.bundles.bundle import (
    LARGEST,
    LARGEST_GOLDEN,
    MANIFEST,
    MODEL,
    PARTS,
    BundleInfo,
    read_bundle,
)
from ecavg_tf.core.bundles.training_bundle import is_training_bundle
from ecavg_tf.core.errors import ExportError
from export.web.runtime_files import runtime_files

INDEX = "index.html"
CATALOG = "web.json"
ABOUT = "Written by ecavg-tf: the models of this page, and the SHA-256 of its files"
ENDING = ".bundle.zip"
LOCALS = "exports-local"  # where an export puts the edges' local models

_SCHEMA_VERSION = 1
PAGE = Path(__file__).parent / "page"
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')


@dataclass(frozen=True)
class Offered:
    """A bundle that the page offers.

    Attributes:
        path: the bundle.
        group: whose models these are. People choose one group; what it holds in one format stands
            side by side.
        name: which of its models it is, such as ``local`` or ``accepted``.
    """

    path: Path
    group: str
    name: str


def bundles_in(given: Iterable[Path]) -> tuple[Path, ...]:
    """The bundles among files and folders, those of folders sorted; training bundles left out.

    Raises:
        ExportError: a folder holds none, or a file is a training bundle.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(path.rglob(f"*{ENDING}"))
            inside = [each for each in inside if not is_training_bundle(each)]
            if not inside:
                raise ExportError(f"{path} holds no *{ENDING}; give a folder that an export made")
            found += inside
        elif is_training_bundle(path):
            raise ExportError(
                f"{path} is a training bundle, which the page can't run; give one that predicts, "
                f"such as float32{ENDING}"
            )
        else:
            found.append(path)
    return tuple(found)


def offered(paths: Sequence[Path]) -> tuple[Offered, ...]:
    """Names bundles by the folders they lie in, as an export puts them there.

    Raises:
        ExportError: one is damaged, or no bundle.
    """
    tasks: dict[str, object] = {}  # what the models of a group must share to answer the same input
    taken: set[tuple[str, str, str]] = set()
    made: list[Offered] = []
    for path in paths:
        info, place = read_bundle(path).info, path.resolve().parent
        task = (info.classes, info.input.shape, info.value_range, info.columns)
        group = place.name
        if tasks.setdefault(group, task) != task:  # of a run on other data
            group = f"{group} in {path.parent}"
        name = "accepted" if info.origin.get("edge") is not None else "global"
        name = "local" if place.parent.name == LOCALS else name
        if (group, name, info.format) in taken:  # of another run
            name = f"{name} in {path.parent}"
        taken.add((group, name, info.format))
        made.append(Offered(path, group, name))
    return tuple(made)


def page_contents(models: Sequence[Offered]) -> dict[str, bytes]:
    """Every file of the page's folder by its path in it; same bundles, same bytes.

    Args:
        models: what the page offers, at least one.

    Raises:
        ExportError: a bundle is damaged, or browsers can't run its model.
        InstallationError: LiteRT.js, which comes with this package, is damaged.
    """
    files: dict[str, bytes] = {}
    catalog = []
    for number, model in enumerate(models):
        folder = f"models/{number}"
        info, parts = _parts(model.path)
        files |= {f"{folder}/{name}": content for name, content in parts.items()}
        catalog.append(
            {
                "group": model.group,
                "name": model.name,
                "format": info.format,
                "folder": folder,
                "manifest": identity(parts[MANIFEST]),
            }
        )
    files |= common_files()
    files[INDEX] = files.pop(f"page/{INDEX}")
    said = {
        "about": ABOUT,
        "schema_version": _SCHEMA_VERSION,
        "models": catalog,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    return {**files, CATALOG: (json.dumps(said, indent=1) + "\n").encode()}


def common_files() -> dict[str, bytes]:
    """The modules and styles that every page has, and its runtime, by their paths.

    Raises:
        InstallationError: LiteRT.js, which comes with this package, is damaged.
    """
    page = (path for path in sorted(PAGE.iterdir()) if path.is_file())
    files = {f"page/{path.name}": path.read_bytes() for path in page}
    return files | {f"runtime/{name}": content for name, content in runtime_files().items()}


def policy_of(index: bytes) -> str:
    """The content security policy that a page states itself."""
    found = _POLICY.search(index.decode())
    assert found is not None, "the page states no policy"
    return found[1]


def _parts(path: Path) -> tuple[BundleInfo, Mapping[str, bytes]]:
    """What a bundle says, and its members, each of them compared with its hash."""
    bundle = read_bundle(path)
    largest = {name: LARGEST.get(name, LARGEST_GOLDEN) for name in (MANIFEST, *PARTS)}
    members = read_members(path, largest)
    listed = json.loads(members[MANIFEST])["parts"]
    check_parts(path, {name: members[name] for name in PARTS}, listed)
    if members[MODEL] != bundle.model:
        raise ExportError(f"bundle {path} was changed while it was read; give it again")
    shape = bundle.info.input.shape
    if shape[0] != 1 or -1 in shape:
        raise ExportError(
            f"bundle {path}: its model takes inputs of shape {shape}, browsers run one example at "
            "a time; export it with --formats=float32"
        )
    return bundle.info, members
