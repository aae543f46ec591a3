"""The front as an ASGI application: an exchange folder by HTTP, and the page for it."""

import io
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import IO

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ecavg_tf.core.errors import ECAvgError, brief, one_line
from ecavg_tf.core.files import atomic_path
from ecavg_tf.core.messages.mail_files import LARGEST_REPLY
from server.web.counter import Counter, Refused
from server.web.keys import Keys
from server.web.site import Guard, Site, error

Tell = Callable[[str], None]
_Work = Callable[[Request, Counter], Awaitable[Response]]
_OCTETS = "application/octet-stream"


def web_app(
    counters: Mapping[str, Counter],
    keys: Keys,
    site: Site,
    origins: frozenset[str],
    tell: Tell,
) -> ASGIApp:
    """The application.

    Args:
        counters: of the edges, by name.
        keys: of the edges.
        site: the page.
        origins: addresses under which it may be asked, such as ``https://learn.example.org:8443``.
        tell: told of every reply, in one line.
    """
    works: tuple[tuple[str, str, _Work], ...] = (
        ("run", "GET", _run),
        ("request", "GET", _request),
        ("files/{file}", "GET", _file),
        ("reply/{id}", "PUT", _reply(tell)),
        ("reply/{id}/{file}", "PUT", _upload),
    )
    routes = [
        Route(f"/api/edges/{{edge}}/{path}", _known(work, counters, keys), methods=[method])
        for path, method, work in works
    ]
    routes.append(Route("/{path:path}", _page(site), methods=["GET"]))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
    app.router.redirect_slashes = False
    return Guard(app, origins, site.headers)


async def _http_error(request: Request, found: Exception) -> Response:
    del request
    assert isinstance(found, HTTPException)
    answer = error(found.status_code, one_line(found.detail))
    answer.headers.update(found.headers or {})
    return answer


def _known(
    work: _Work, counters: Mapping[str, Counter], keys: Keys
) -> Callable[[Request], Awaitable[Response]]:
    """Lets through whoever shows the key of the edge that the address names."""

    async def answered(request: Request) -> Response:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        edge = keys.edge_of(key.strip()) if kind.lower() == "bearer" else None
        if edge is None:
            return error(401, "no key came, or one that is not known; open the link again")
        if edge != request.path_params["edge"]:
            return error(403, f"this is the key of {edge}, which is another edge")
        try:
            return await work(request, counters[edge])
        except Refused as refused:
            return error(refused.status, one_line(str(refused)))
        except (ECAvgError, ValueError, OSError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else fault
            return error(503, f"the exchange folder can't be used: {brief(Exception(reason))}")

    return answered


async def _run(request: Request, counter: Counter) -> Response:
    del request
    return JSONResponse(await run_in_threadpool(counter.run))


async def _request(request: Request, counter: Counter) -> Response:
    del request
    waiting = await run_in_threadpool(counter.waiting)
    if waiting is None:
        return Response(status_code=204)
    files = await run_in_threadpool(counter.listed, waiting)
    return JSONResponse({"id": waiting.id, "files": files})


async def _file(request: Request, counter: Counter) -> Response:
    path = await run_in_threadpool(counter.file, request.path_params["file"])
    return FileResponse(path, media_type=_OCTETS)


async def _upload(request: Request, counter: Counter) -> Response:
    name = request.path_params["file"]
    waiting = await run_in_threadpool(counter.current, request.path_params["id"])
    largest = counter.largest(waiting, name)
    target = await run_in_threadpool(counter.upload, waiting, name)
    try:
        with atomic_path(target, synced=False) as temporary, temporary.open("wb") as stream:
            await _received(request, stream, largest)
    except ClientDisconnect:  # nobody hears the answer; nothing of it is kept
        return error(400, "the body was cut short")
    return Response(status_code=204)


async def _received(request: Request, stream: IO[bytes], largest: int) -> None:
    """Writes a body as it comes.

    Raises:
        Refused: it is larger than it may be; the rest is not read.
    """
    reason = f"the body has more than the {largest} bytes that are allowed"
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > largest:
        raise Refused(413, reason)
    left = largest
    async for chunk in request.stream():
        if (left := left - len(chunk)) < 0:
            raise Refused(413, reason)
        await run_in_threadpool(stream.write, chunk)


def _reply(tell: Tell) -> _Work:
    async def replied(request: Request, counter: Counter) -> Response:
        request_id = request.path_params["id"]
        await run_in_threadpool(counter.current, request_id)
        stream = io.BytesIO()
        await _received(request, stream, LARGEST_REPLY)
        await run_in_threadpool(counter.answer, request_id, stream.getvalue())
        tell(f"{counter.edge} answered {request_id}")
        return Response(status_code=204)

    return replied


def _page(site: Site) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        name = request.path_params["path"] or site.index
        content = site.contents.get(name)
        if content is None:
            return error(404, "there is no such file")
        kind = site.types.get(PurePosixPath(name).suffix, _OCTETS)
        return Response(content, headers={"Content-Type": kind})

    return page
