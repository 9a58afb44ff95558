"""Conditional changes: who has not seen the current state does not overwrite it (RFC 9110, 8.8.3 and 13.1.1).

Rules:

1. A tag is strong and follows from the document alone, whatever the order of its keys: the same state has the same tag on each worker and after a restart.
2. A tag is made of what the caller is shown and of nothing else; otherwise it would tell when something hidden changes.
3. `If-Match` is compared strongly: a weak tag matches nothing. `*` matches whatever exists. Nothing matches what does not exist.
4. Lines of the header are one list. A list that cannot be read is refused and not taken for none: its author asked for a condition.
5. To be a guard, the comparison stands in the commit that makes the change, where writers take turns (`models.store`).
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.errors import GatewayError
from gateway.reasons import Reason

_ANY: Final = b"*"
_TAG: Final = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_BETWEEN: Final = re.compile(rb"[ \t]*(?:,[ \t]*)+|[ \t]*\Z")


def tag_of(document: object) -> bytes:
    """Returns the entity tag of a JSON document as its header says it, quotes included (rules 1 and 2)."""
    encoded = msgspec.json.encode(document, order="deterministic")
    return b'"%b"' % hashlib.sha256(encoded).hexdigest()[:32].encode()


def may_change(if_match: Sequence[bytes], current: bytes | None) -> bool:
    """Tells whether a change may go on by its condition; without one it may.

    Args:
        if_match: the values of the `If-Match` lines of the request.
        current: the tag of what stands there now; None if nothing does.

    Raises:
        GatewayError: BAD_HEADERS, since the condition cannot be read (rule 4).
    """
    if not if_match:
        return True
    whole = b",".join(if_match).strip(b" \t")
    if whole == _ANY:
        return current is not None
    return current in _strong_tags(whole)


def _strong_tags(whole: bytes) -> list[bytes]:
    """Returns the strong tags of a list; commas without a tag between them count for nothing (RFC 9110, 5.6.1)."""
    found: list[bytes] = []
    several = False
    at = len(whole) - len(whole.lstrip(b", \t"))
    while at < len(whole):
        tag = _TAG.match(whole, at)
        after = _BETWEEN.match(whole, tag.end()) if tag else None
        if tag is None or after is None:
            raise GatewayError(Reason.BAD_HEADERS, "`if-match` is no list of entity tags")
        if tag[1] is None:
            found.append(tag[2])
        several, at = True, after.end()
    if not several:
        raise GatewayError(Reason.BAD_HEADERS, "`if-match` names no entity tag")
    return found
