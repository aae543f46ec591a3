"""A page with the modules by which a tab learns, and nothing else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from web_for_tests import running

import export.web.contents
from export.web.contents import INDEX
from export.web.runtime_files import runtime_files

_PAGE = Path(export.web.contents.__file__).parent / "page"


@contextmanager
def served_modules(**files: bytes) -> Iterator[str]:
    """The address of a page with all modules and some files, under ``files/NAME``."""
    page = {path.relative_to(_PAGE.parent).as_posix(): path for path in _PAGE.rglob("*")}
    contents = {name: path.read_bytes() for name, path in page.items() if path.is_file()}
    index = contents[f"page/{INDEX}"].decode()
    contents[INDEX] = re.sub(r'<script type="module".*</script>', "", index).encode()
    contents |= {f"runtime/{name}": content for name, content in runtime_files().items()}
    contents |= {f"files/{name}": content for name, content in files.items()}
    with running(contents) as address:
        yield address


def evaluated(browser: Any, body: str, *given: Any) -> Any:
    """What an asynchronous function returns, whose body may use ``load(module)`` and ``given``."""
    script = """
    const done = arguments[arguments.length - 1], given = arguments;
    const load = (name) => import(`/page/learning/${name}.js`);
    const fetched = async (name) =>
        new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer());
    (async () => { BODY })().then((value) => done({ value }), (error) =>
        done({ error: String(error.stack ?? error) }));
    """
    answer = browser.execute_async_script(script.replace("BODY", body), *given)
    assert "error" not in answer, answer["error"]
    return answer["value"]


STORE = """
const kept = new Map();
const store = {
    get: async (key) => structuredClone(kept.get(key)),
    put: async (key, value) => void kept.set(key, structuredClone(value)),
    delete: async (key) => void kept.delete(key),
    keys: async (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)),
};
"""
