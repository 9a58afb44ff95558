"""Parameters by which some frameworks take another method than the request's: judged as POST, carried out as DELETE.

Rules:

1. A parameter named as in `NAMES`, in the query or in the body of a POST, makes a request one that its row must allow. It
   cannot be removed: what was judged is forwarded byte for byte (law 1).
2. Names are compared as the loosest framework reads them: percent-decoded, letter case, `_` and `.` folded, blanks before
   the name and an index behind it cut off (PHP makes `_method` of ` .method[]`).
3. Which bodies have parameters, and how each kind is looked through, is `gateway.hidden_methods`.

Headers of this kind are removed by `gateway.headers`. No advisory names a peer; scanners ship this list, and Membrane took its
override out for it (bypasses of this class: Symfony's `_method`, OData's `X-HTTP-Method`).
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

NAMES: Final = frozenset((b"-method", b"x-http-method-override", b"x-http-method", b"x-method-override"))
"""Names of such parameters, folded (rule 2)."""

_SEPARATOR: Final = re.compile(rb"[&;]")
_FOLD: Final = bytes.maketrans(b"_.", b"--")


def overrides_method(pairs: bytes) -> bool:
    """Tells whether a query, or an urlencoded form, has a parameter that names another method."""
    plain = pairs.lower()
    if b"method" not in plain and b"%" not in plain:
        return False
    return any(names_method(part.partition(b"=")[0]) for part in _SEPARATOR.split(pairs))


def names_method(name: bytes) -> bool:
    """Tells whether a parameter of this name names the method to some framework (rule 2)."""
    plain = unquote_to_bytes(name.replace(b"+", b" ")).lstrip().partition(b"[")[0]
    return plain.rstrip().lower().translate(_FOLD) in NAMES
