"""What a server of the page says to the browser beside the files themselves."""

from collections.abc import Mapping

from export.web.contents import policy_of

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",  # with it the page gets finer timers
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self)",
    "Cache-Control": "no-store",
}


def headers_for(index: bytes) -> Mapping[str, str]:
    """The headers of every answer.

    Args:
        index: the page, which states its content security policy.
    """
    policy = f"{policy_of(index)}; frame-ancestors 'none'"
    return {"Content-Security-Policy": policy, **_HEADERS}
