"""What caches may do with an answer: one person's answer never becomes another's, wherever a cache stands.

Rules:

1. An answer of a backend is `private` unless its row says `public` (RFC 9111 5.2.2.7). What the backend says besides stays:
   `max-age`, `no-store` and so on are about the caller's own cache. What only shared caches read goes: `public`, `s-maxage`,
   `proxy-revalidate`, and `private="field"`, which would leave the rest shared.
2. `Vary` names the headers that identity is read from, merged with the backend's: a browser used by two people keeps two copies.
3. A `Cache-Control` that cannot be read is `private, no-store`.
4. A row's `public` holds for callers without a credential and answers without `Set-Cookie`; there the backend has the last word.
5. Headers by which a backend steers the proxy in front go. Those that name another file or address to serve
   (`X-Accel-Redirect`, `X-Sendfile`) would let it serve what nobody judged, so they go on public rows too. Those for
   caches (`X-Accel-Expires`, `Surrogate-Control`, RFC 9213's `CDN-Cache-Control`) overrule `Cache-Control`.
   `X-Accel-Buffering` stays: event streams need it.
6. Status and body are not looked at: a 206 and a 304 carry the same words as a 200 (RFC 9111 4.3.4: a 304 renews the
   stored headers).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gateway.by_name import ByName

Pair = tuple[bytes, bytes]

IDENTITY: Final = (b"Authorization", b"App-ID", b"Auth-Token")
"""Headers of a request that say who asks, as `gateway.identity` reads them."""
VARY: Final = (b"vary", b", ".join(IDENTITY))
"""The header for an answer of our own."""

_SERVES_ELSE: Final = frozenset(
    (
        b"x-accel-redirect",  # nginx
        b"x-accel-charset",  # nginx
        b"x-accel-limit-rate",  # nginx
        b"x-sendfile",  # Apache, lighttpd, Caddy
        b"x-sendfile2",  # lighttpd
        b"x-lighttpd-send-file",
        b"x-litespeed-location",
        b"x-reproxy-url",  # Perlbal
        b"x-reproxy-file",
    )
)
_STEERS_CACHES: Final = frozenset(
    (
        b"x-accel-expires",  # nginx: before Cache-Control
        b"surrogate-control",  # Edge Architecture 1.0
        b"edge-control",  # Akamai
        b"x-litespeed-vary",
    )
)
_TARGETED: Final = b"-cache-control"
"""End of the names of targeted fields (RFC 9213 2.2), `X-LiteSpeed-Cache-Control` included."""
_FOR_SHARED: Final = frozenset((b"public", b"s-maxage", b"proxy-revalidate", b"private"))
_DIRECTIVE: Final = re.compile(
    rb'[ \t,]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)(?:=([!#$%&\'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\]|\\.)*"))?[ \t]*(?=,|$)'
)
_PRIVATE: Final = (b"cache-control", b"private")


def for_caches(headers: Sequence[Pair], *, shared: bool = False) -> list[Pair]:
    """Returns the headers of a backend's answer with what caches may do with it.

    Args:
        headers: lower-case names with their values.
        shared: whether the row says `public` and the caller came without a credential.
    """
    if not (shared or any(map(_ABOUT.__getitem__, dict(headers)))):  # as most answers
        return [*headers, _PRIVATE, VARY]
    shared = shared and all(name != b"set-cookie" for name, _ in headers)
    passing: list[Pair] = []
    control: bytes | None = None
    vary: bytes | None = None
    for pair in headers:
        what = _ABOUT[pair[0]]
        if what is None:
            passing.append(pair)
        elif what == b"cache-control":
            control = pair[1] if control is None else control + b", " + pair[1]
        elif what == b"vary":
            vary = pair[1] if vary is None else vary + b", " + pair[1]
        elif shared and what == b"steers":
            passing.append(pair)
    if shared:
        return passing + _as_said(control, vary)
    passing.append(_PRIVATE if control is None else (b"cache-control", _private(control)))
    passing.append(VARY if vary is None else (b"vary", _varying(vary)))
    return passing


def _about_caches(name: bytes) -> bytes | None:
    """Returns what a header has to do with caches; `steers` for what only a public row keeps, `goes` for what none does."""
    if name in (b"cache-control", b"vary"):
        return name
    if name in _SERVES_ELSE:
        return b"goes"
    return b"steers" if name in _STEERS_CACHES or name.endswith(_TARGETED) else None


_ABOUT: Final = ByName(_about_caches)


def _as_said(control: bytes | None, vary: bytes | None) -> list[Pair]:
    said = ((b"cache-control", control), (b"vary", vary))
    return [(name, value) for name, value in said if value is not None]


@lru_cache(maxsize=1024)
def _private(control: bytes) -> bytes:
    """Merges rule 1 into a `Cache-Control`."""
    kept = [b"private"]
    at, end = 0, len(control.rstrip(b" \t,"))
    while at < end:
        found = _DIRECTIVE.match(control, at, end)
        if found is None:
            return b"private, no-store"  # rule 3
        name, value = found[1].lower(), found[2]
        if name not in _FOR_SHARED:
            kept.append(name if value is None else name + b"=" + value)
        at = found.end()
    return b", ".join(dict.fromkeys(kept))


@lru_cache(maxsize=1024)
def _varying(vary: bytes) -> bytes:
    """Merges rule 2 into a `Vary`; `*` says more than any list."""
    names = [name for part in vary.split(b",") if (name := part.strip())]
    if b"*" in names:
        return b"*"
    known = {name.lower() for name in names}
    return b", ".join([*names, *(name for name in IDENTITY if name.lower() not in known)])
