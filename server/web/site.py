"""Which pages may ask, and what every answer says to the browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OWN = ("same-origin", None)  # what browsers say of this page's requests; programs say nothing


@dataclass(frozen=True)
class Site:
    """The static page, which holds no secret.

    Attributes:
        contents: every file by its path.
        index: the path of the page itself.
        types: media types by the ends of names; the one of "" is for names without an end.
        headers: what every answer carries.
    """

    contents: Mapping[str, bytes]
    index: str
    types: Mapping[str, str]
    headers: Mapping[str, str]


def error(status: int, reason: str) -> JSONResponse:
    """An answer that says in one line what is wrong."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": reason}, status, headers)


class Guard:
    """Lets requests through that came for one of the addresses of this server.

    A name that leads here by DNS, but is none of the server's, may be another site's: its pages
    must not reach the server as if they were its own.

    Args:
        app: what answers them.
        origins: the addresses, as browsers write an origin.
        headers: what every answer carries.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str], headers: Mapping[str, str]) -> None:
        self._app = app
        self._origins = origins
        self._hosts = {urlsplit(origin).netloc for origin in origins}
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, as ASGI wants it."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        app = self._app
        if scope["type"] == "http" and (reason := self._refusal(scope)):
            app = error(403, reason)
        await app(scope, receive, sent)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return "this is none of the server's addresses; open the link that it printed"
        if not scope["path"].startswith("/api/"):
            return None  # a link on another page may lead here
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if (origin is not None and origin not in self._origins) or site not in _OWN:
            return "a page of another origin may not ask this"
        return None
