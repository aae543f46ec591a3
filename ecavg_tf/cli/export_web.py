"""``ecavg export --target=web``: a page that runs the models, as a folder for any web server."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.errors import ConfigError, ExportError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from export.web.contents import ENDING, LOCALS, offered, page_contents
from export.web.folder import check_place, write_page


def page_folder(out: str) -> Path:
    """Where the page goes, checked before minutes of work.

    Raises:
        ConfigError: no folder is given.
        ExportError: other files lie there.
    """
    if not out:
        raise ConfigError("--target=web needs --out=DIR, the folder that the page is written into")
    folder = user_path(out)
    check_place(folder)
    return folder


def for_web(exports: Sequence[Exported], source: Path, exported: Path, folder: Path) -> None:
    """Writes the page with the bundles that were delivered, and prints how to look at it.

    Args:
        exports: what was exported.
        source: the run directory, or what else was exported.
        exported: the folder with the bundles.
        folder: where the page goes.

    Raises:
        ExportError: no file was delivered, or a file that no page has lies in ``folder``.
    """
    paths = [exported / row.bundle for row in exports if row.bundle is not None]
    if not paths:
        raise ExportError("--target=web needs a file that passed its gate; there is none")
    wanted = {(row.model, row.variant) for row in exports}
    for path in sorted((source / LOCALS).rglob(f"*{ENDING}")):
        if (path.parent.name, path.name.removesuffix(ENDING)) in wanted:
            paths.append(path)
    with disk_errors(folder):
        write_page(folder, page_contents(offered(paths)))
    print(f"The page with {len(paths)} bundles is in {folder}. To look at it on this machine:")
    print(f"  python3 -m http.server --bind 127.0.0.1 --directory {folder}")
