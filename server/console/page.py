"""The console's files as they are sent: read once, compressed once, named by their content.

Knows nothing of what the page shows. Only what was found in the folder at the start is served, so
that no path leads out of it.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from server.refusals.errors import ApiError

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
KINDS: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
PACKED = frozenset({".css", ".html", ".js", ".json", ".svg", ".txt"})
"""Files that compression makes smaller."""
SECURITY: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
ASK_AGAIN = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"
"""For an address that names the content: other content has another address."""
_REFERENCE = re.compile(r'(?P<before>\b(?:src|href)=")(?:/?console/)?(?P<name>[\w./-]+)(?P<end>")')
_VERSIONED = re.compile(r"(?P<version>[0-9a-f]{16})/(?P<name>.+)")
"""An address that names the content; what modules import of each other, they find beside them."""


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    kind: str
    """Content type of the file."""
    is_packed: bool
    """Whether it may be sent compressed."""

    @cached_property
    def version(self) -> str:
        """What names its content."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes:
        """Content of the file, compressed by gzip."""
        return gzip.compress(self.body, 9, mtime=0)


class Page:
    """The files of a folder, by their paths in it."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.suffix in KINDS
        }
        self._version = _version_of(self._assets)
        index = self._assets[INDEX]
        text = _REFERENCE.sub(self._versioned, index.body.decode())
        # Every module at once: each would be asked for when the one that imports it has come.
        text = text.replace("</head>", f"{self._preloads()}</head>")
        self._assets[INDEX] = Asset(text.encode(), index.kind, index.is_packed)

    def _versioned(self, reference: re.Match[str]) -> str:
        """Name the content of a file that the page refers to, relative to `/console`."""
        if reference["name"] not in self._assets:
            return reference[0]
        return f"{reference['before']}{self._address(reference['name'])}{reference['end']}"

    def _preloads(self) -> str:
        modules = (name for name in self._assets if name.endswith(".js"))
        links = (f'<link rel="modulepreload" href="{self._address(name)}">' for name in modules)
        return "".join(f"{link}\n" for link in links)

    def _address(self, name: str) -> str:
        return f"console/{self._version}/{name}"

    def response(self, name: str, request: Request) -> Response:
        """Return a file as a browser asks for it; raises `ApiError` (404).

        Behind one address there may be servers of two releases: what names other content is found
        all the same, and not kept.
        """
        named = _VERSIONED.fullmatch(name)
        asset = self._assets.get(named["name"] if named else name)
        if asset is None:
            raise ApiError(404, "the console has no such file")
        packs = asset.is_packed and _takes_gzip(request)
        tag = f'"{asset.version}-gzip"' if packs else f'"{asset.version}"'
        is_named = named is not None and named["version"] == self._version
        headers = {
            **SECURITY,
            "cache-control": FOR_EVER if is_named else ASK_AGAIN,
            "etag": tag,
            "vary": "accept-encoding",
        }
        if tag in _tags(request):
            return Response(status_code=304, headers=headers)
        if packs:
            headers["content-encoding"] = "gzip"
        body = asset.packed if packs else asset.body
        return Response(body, headers=headers, media_type=asset.kind)


def _read(path: Path) -> Asset:
    return Asset(path.read_bytes(), KINDS[path.suffix], path.suffix in PACKED)


def _version_of(assets: Mapping[str, Asset]) -> str:
    """Return what names the content of all files together."""
    told = (f"{name} {asset.version}\n" for name, asset in sorted(assets.items()))
    return hashlib.sha256("".join(told).encode()).hexdigest()[:16]


def _takes_gzip(request: Request) -> bool:
    given = request.headers.get("accept-encoding", "").split(",")
    accepted = (each.replace(" ", "").lower() for each in given)
    return any(each == "gzip" or each.startswith("gzip;q=1") for each in accepted)


def _tags(request: Request) -> list[str]:
    """Return the tags that a browser has; a weak one is as good."""
    given = request.headers.get("if-none-match", "").split(",")
    return [each.strip().removeprefix("W/") for each in given]
