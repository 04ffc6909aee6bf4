"""The open data over HTTP: GBFS files for anybody, whom nobody asks for a token.

    /gbfs/gbfs.json                      the one address to remember: what there is, in GBFS 3.0
    /gbfs/v3/{name}.json                 its files
    /gbfs/v3.1-RC3/{name}.json           the same of 3.1, with vehicle_availability

They are no part of the API's document: GBFS describes them.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.etags import names
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.scopes import open_to_all
from dispatcher.open_data.feeds import DISCOVERY, Version
from dispatcher.open_data.shelf import File

FOR_ANY_SITE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag",
    "cross-origin-resource-policy": "cross-origin",
}
PREFLIGHT = {
    **FOR_ANY_SITE,
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "if-none-match",
    "access-control-max-age": "86400",
}
"""For a browser that asks before a page of another site sends `If-None-Match`."""
METHODS = ["GET", "HEAD", "OPTIONS"]
MEDIA_TYPE = "application/json"
FOLDERS = {version.folder: version for version in Version}

router = APIRouter(prefix="/gbfs", include_in_schema=False, redirect_slashes=False, dependencies=[open_to_all()])


@router.api_route(f"/{DISCOVERY}.json", methods=METHODS)
async def read_discovery(request: Request, context: Context) -> Response:
    """What there is in the version that stays."""
    return await _answer(request, context, Version.V3_0, DISCOVERY)


@router.api_route("/{folder}/{name}.json", methods=METHODS)
async def read_feed(request: Request, context: Context, folder: str, name: str) -> Response:
    """One file of one version."""
    version = FOLDERS.get(folder)
    if version is None:
        raise _not_found(f"expected a version of {', '.join(FOLDERS)}")
    return await _answer(request, context, version, name)


async def _answer(request: Request, context: ApiContext, version: Version, name: str) -> Response:
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    if context.open_data is None:
        raise _not_found("expected a dispatcher that publishes open data: this one has no [open_data]")
    file = await context.open_data.file(version, name)
    if file is None:
        raise _not_found(f"expected a file that gbfs.json of {version} names")
    headers = {**FOR_ANY_SITE, "etag": file.tag, "cache-control": _kept(file)}
    known = request.headers.get("if-none-match")
    if known is not None and names(known, file.tag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        headers["content-length"] = str(len(file.body))
        return Response(headers=headers, media_type=MEDIA_TYPE)
    return Response(file.body, headers=headers, media_type=MEDIA_TYPE)


def _kept(file: File) -> str:
    """What is near real time is kept by a cache, and asked for again each time: the tag makes that cheap."""
    return f"public, max-age={file.ttl_s}" if file.ttl_s else "public, no-cache"


def _not_found(detail: str) -> Refusal:
    return Refusal(ApiReason.NOT_FOUND, detail, headers=FOR_ANY_SITE)
