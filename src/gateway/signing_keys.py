"""The keys that sign identity tokens: read from PEM files, made into one; everybody may have their public half, nobody the other.

Rules:

1. A key is EC on P-256, which signs with ES256 (RFC 7518 3.4), or Ed25519, which signs with EdDSA (RFC 8037 3.1). Its kind alone
   says how it signs; every other kind and curve is refused, RSA of any length among them.
2. A key is called by its RFC 7638 thumbprint: whoever has the public half can compute the name.
3. A key file that others may read, or that anybody but its owner may write, is refused. Its group may read it (mounted secrets).
4. What is published is made from the public half, so that a private member cannot get there.
5. No sentence or repr holds a key, nor the path of a file that cannot be opened: it may be a key in the wrong place.
"""

import hashlib
import json
import os
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

MAX_KEY_FILE: Final = 16_384
"""Bytes of a key file; a key has some 250."""
_TOO_OPEN: Final = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
_MAKE_ONE: Final = "only P-256 and Ed25519 keys sign: make one with `mediagate identity-key`"


class Algorithm(StrEnum):
    """How tokens are signed; the words are those of RFC 7518 and RFC 8037."""

    ES256 = "ES256"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign.

    Attributes:
        kid: its name (rule 2).
        algorithm: how it signs.
        public: its public half as a JWK (RFC 7517), with `kid`, `alg` and `use`.
    """

    kid: str
    algorithm: Algorithm
    public: Mapping[str, str]
    _private: Ed25519PrivateKey | EllipticCurvePrivateKey = field(repr=False)

    def signed(self, claims: dict[str, Any]) -> str:
        """Returns the claims as a signed JWT (RFC 7519) that names this key."""
        return jwt.encode(claims, self._private, self.algorithm.value, headers={"kid": self.kid})


def read_keys(paths: Iterable[Path]) -> tuple[SigningKey, ...]:
    """Reads key files, in order.

    Raises:
        ValueError: at least one is not there, too open, or no key that signs; one sentence about all of them.
    """
    keys: dict[str, SigningKey] = {}
    problems: list[str] = []
    for number, path in enumerate(paths, 1):
        try:
            key = read_key(path)
        except ValueError as error:
            problems.append(f"file {number} {error}")
            continue
        if key.kid in keys:
            problems.append(f"file {number} (`{path}`) holds a key that stands before it")
        keys.setdefault(key.kid, key)
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(keys.values())


def read_key(path: Path) -> SigningKey:
    """Reads one key file: an unencrypted private key in PEM.

    Raises:
        ValueError: it is not there, too open, or no key that signs.
    """
    content = _content(path)
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError:
        raise ValueError(f"(`{path}`) is encrypted, and nobody is there to type a password") from None
    except UnsupportedAlgorithm:
        raise ValueError(f"(`{path}`) holds a key of another kind; {_MAKE_ONE}") from None
    except ValueError:
        raise ValueError(f"(`{path}`) holds no private key in PEM; {_MAKE_ONE}") from None
    try:
        return _signing_key(private)
    except ValueError as error:
        raise ValueError(f"(`{path}`) {error}") from None


def write_key(path: Path, algorithm: Algorithm) -> SigningKey:
    """Makes a key and writes it to a new file that only its owner may read.

    Raises:
        FileExistsError: there is something at `path`.
        OSError: it cannot be written; nothing is left behind.
    """
    made = Ed25519PrivateKey.generate() if algorithm is Algorithm.EDDSA else generate_private_key(SECP256R1())
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(handle)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _signing_key(made)


def _content(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not stop the start
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        said = (getattr(error, "strerror", None) or "no path").lower()
        raise ValueError(f"cannot be read: {said}") from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"(`{path}`) is no regular file")
        if mode & _TOO_OPEN:
            raise ValueError(f"(`{path}`) may be read or written by others: `chmod 600 {path}`")
        return os.read(handle, MAX_KEY_FILE)
    finally:
        os.close(handle)


def _signing_key(private: object) -> SigningKey:
    """Returns what signs with `private` (rules 1, 2 and 4); raises ValueError if it is of another kind."""
    if isinstance(private, Ed25519PrivateKey):
        algorithm, public = Algorithm.EDDSA, OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        algorithm, public = Algorithm.ES256, ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        curve = getattr(getattr(private, "curve", None), "name", "")
        kind = f"curve {curve}" if curve else type(private).__name__.removesuffix("PrivateKey").lstrip("_")
        raise ValueError(f"holds a key of another kind ({kind}); {_MAKE_ONE}")  # noqa: TRY004 - a file's fault
    members: dict[str, str] = {name: public[name] for name in ("crv", "kty", "x", "y") if name in public}
    canonical = json.dumps(members, separators=(",", ":")).encode()  # in this order: RFC 7638 3.2, 3.3
    kid = urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
    return SigningKey(kid, algorithm, {**members, "kid": kid, "alg": algorithm.value, "use": "sig"}, private)
