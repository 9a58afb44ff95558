"""Who asks, as a backend can check it: a signed, short-lived JWT for one audience, in a header that only the gateway sets.

Rules:

1. Only upstreams with an audience get tokens, and each token names one audience: a backend that is sent one cannot use it elsewhere.
2. The first key signs; all keys are published, so that a key is known before it signs and until its last token has expired.
3. An anonymous request has no token. A client's own header of that name never passes, whether there is a token or not.
4. A token is sent again, to the same audience about the same user, until half of its lifetime is over: signing costs more than deciding.
   So `jti` names the token and not the request, and a token that is sent is valid for at least another half.
5. A visitor is no user: the token has no `sub` and no `domain`, so that a backend that knows of no shares takes it for nobody's, and
   a `share`. A share that is changed has another token at once.
"""

import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.headers import OUR_PREFIXES, Pair, folded
from models.records import ShareRecord, UserRecord

if TYPE_CHECKING:
    from gateway.signing_keys import (
        SigningKey,
    )  # with PyJWT and cryptography, which only those need who have keys

MAX_TOKENS: Final = 10_000
"""Tokens that one worker keeps to send again, about 10 MB; those that were not sent for longest go first."""
REUSED_FOR: Final = 0.5
"""The part of its lifetime in which a token is sent again (rule 4)."""
KEY_SET_MAX_AGE: Final = 300
"""Seconds for which backends may keep the key set; the least time between publishing a key and signing with it."""


class _Kept(NamedTuple):
    """A token that may be sent again."""

    issued: int
    text: bytes


def key_set(keys: Iterable["SigningKey"]) -> bytes:
    """Returns the public halves as a JWK set (RFC 7517 5), in order."""
    return json.dumps({"keys": [dict(key.public) for key in keys]}, separators=(",", ":")).encode()


class IdentityTokens:
    """Signs tokens for the upstreams that have an audience.

    Attributes:
        removed: the folded name of the header, which no client may set; nothing where `gateway.headers` removes it anyway.
        key_set: the public keys as a JWK set (RFC 7517 5).
    """

    def __init__(
        self,
        issuer: str,
        keys: Sequence["SigningKey"],
        audiences: Mapping[str, str],
        *,
        header: str,
        lifetime: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the parts.

        Args:
            issuer: the claim `iss`.
            keys: the first signs; none only if nobody has an audience.
            audiences: upstream → the claim `aud` of its tokens.
            header: the name of the header.
            lifetime: seconds from `iat` to `exp`.
            clock: seconds since the epoch.
        """
        if audiences and not keys:
            raise ValueError("an audience needs a key that signs")
        self._name = header.lower().encode("ascii")
        plain = folded(self._name)
        self.removed: Final = frozenset(() if plain.startswith(OUR_PREFIXES) else (plain,))
        self.key_set: Final = key_set(keys)
        self._issuer, self._keys, self._audiences = issuer, tuple(keys), dict(audiences)
        self._lifetime, self._clock = lifetime, clock
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()

    def headers(
        self, upstream: str, user: UserRecord | None, share: ShareRecord | None = None, recipient: str = ""
    ) -> list[Pair]:
        """Returns the header that tells `upstream` who asks; nothing for an anonymous request or without an audience.

        Args:
            upstream: the backend's name.
            user: who asks; None for whoever has no account.
            share: the share by which a visitor came; None for everybody else.
            recipient: whose link to the share that was.
        """
        audience = self._audiences.get(upstream)
        if audience is None or (user is None and share is None):
            return []
        about: tuple[str, ...]
        if user is not None:
            about = (user.id, user.domain_id, audience)
        elif share is not None:
            rights, mark = " ".join(sorted(share.rights)), "watermark" if share.watermark else ""
            about = (share.id, recipient, share.owner_id, rights, mark, audience)
        now = self._clock()
        kept = self._kept.get(about)
        if kept is None or not kept.issued <= now < kept.issued + self._lifetime * REUSED_FOR:
            who = _visitor(share, recipient) if user is None and share is not None else _user(user)
            kept = self._kept[about] = self._sign(who, audience, issued=int(now))
            if len(self._kept) > MAX_TOKENS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(about)
        return [(self._name, kept.text)]

    def _sign(self, who: Mapping[str, object], audience: str, *, issued: int) -> _Kept:
        claims = {
            "iss": self._issuer,
            "aud": audience,
            **who,
            "iat": issued,
            "nbf": issued,
            "exp": issued + self._lifetime,
            "jti": os.urandom(16).hex(),
        }
        return _Kept(issued, self._keys[0].signed(claims).encode("ascii"))


def _user(user: UserRecord | None) -> Mapping[str, object]:
    return {"sub": user.id, "domain": user.domain_id} if user is not None else {}


def _visitor(share: ShareRecord, recipient: str) -> Mapping[str, object]:
    """Returns what is said of a visitor (rule 5)."""
    said = {
        "id": share.id,
        "recipient": recipient,
        "owner": share.owner_id,
        "rights": sorted(share.rights),
        "watermark": share.watermark,
    }
    return {"share": said}
