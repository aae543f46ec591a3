"""Brings the pages that live beside ``docs`` onto the site, and leads links to them.

mkdocs calls these functions; see https://www.mkdocs.org/user-guide/configuration/#hooks.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "edge/README.md": "edge.md",
    "edge/PHONES.md": "phones.md",
}
_LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages, and every file that a page links to."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    texts = {**PAGES, **{f"docs/{file.src_uri}": file.src_uri for file in files}}
    for source in [name for name in texts if name.endswith(".md") and (ROOT / name).is_file()]:
        for _, target in _LINK.findall((ROOT / source).read_text(encoding="utf-8")):
            linked = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
            known = linked in PAGES or linked.startswith("docs/")
            if not known and (ROOT / linked).is_file() and linked not in files.src_uris:
                files.append(File.generated(config, linked, abs_src_path=str(ROOT / linked)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links to where the linked file is on the site."""
    here = {site: source for source, site in PAGES.items()}
    source = here.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def led(found: re.Match[str]) -> str:
        linked = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[2]))
        site = PAGES.get(linked, linked.removeprefix("docs/"))
        return found[1] + posixpath.relpath(site, posixpath.dirname(page.file.src_uri) or ".")

    return _LINK.sub(led, markdown)
