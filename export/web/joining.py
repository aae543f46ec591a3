"""What the page holds by which a browser tab becomes an edge."""

import hashlib
import json

from export.web.contents import INDEX, PAGE, common_files

WORKER = "worker.js"
FILES = "files.js"
_FOLDERS = ("joining", "learning")
_HTML = "page/joining/join.html"


def joining_contents() -> dict[str, bytes]:
    """Every file of the page by its path; it holds no model and no secret.

    The worker that keeps the page for later stands beside it, because it may look after nothing
    above itself. It reads in ``files.js`` what belongs to the page, and is renewed with it.

    Raises:
        InstallationError: LiteRT.js, which comes with this package, is damaged.
    """
    files = common_files()
    for folder in _FOLDERS:
        paths = (path for path in sorted((PAGE / folder).rglob("*")) if path.is_file())
        files |= {f"page/{path.relative_to(PAGE).as_posix()}": path.read_bytes() for path in paths}
    files[INDEX] = files.pop(_HTML)
    worker = files.pop(f"page/joining/{WORKER}")
    version = hashlib.sha256()
    for name in sorted(files):
        version.update(hashlib.sha256(files[name]).digest())
    listed = {"version": version.hexdigest(), "files": sorted(files)}
    return {**files, WORKER: worker, FILES: f"self.PAGE = {json.dumps(listed)};\n".encode()}
