"""Keys that sign: which files are accepted, what is published of them, and what is never said."""

import base64
import hashlib
import json
import os
import stat
import subprocess
import traceback
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm

from gateway.identity_token import key_set
from gateway.signing_keys import MAX_KEY_FILE, Algorithm, read_key, read_keys, write_key
from tools import needed

BOTH = list(Algorithm)


def made(folder: Path, command: str, *, mode: int = 0o600) -> Path:
    """Returns a file that an openssl command has filled."""
    path = folder / "made.pem"
    done = subprocess.run([needed("openssl"), *command.split()], capture_output=True, check=True)
    path.write_bytes(done.stdout)
    path.chmod(mode)
    return path


def why(path: Path) -> str:
    """Returns why a file is refused, its own path written as FILE."""
    with pytest.raises(ValueError, match=r".") as caught:
        read_key(path)
    assert "PRIVATE KEY" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_key_that_was_written_is_read_and_signs(tmp_path: Path, algorithm: Algorithm) -> None:
    """A key comes back from its file with the same name, and its public half verifies what it signed."""
    written = write_key(tmp_path / "key.pem", algorithm)
    read = read_key(tmp_path / "key.pem")
    token = read.signed({"sub": "kim"})

    assert (read.kid, read.algorithm, read.public) == (written.kid, algorithm, written.public)
    assert jwt.get_unverified_header(token) == {"alg": algorithm.value, "kid": read.kid, "typ": "JWT"}
    assert jwt.decode(token, jwt.PyJWK(dict(read.public)), algorithms=[algorithm.value]) == {"sub": "kim"}


def test_a_key_file_is_its_owners_alone_and_overwrites_nothing(tmp_path: Path) -> None:
    """A new key has mode 600 whatever the umask; a file or a dangling link in its place stays as it was."""
    before = os.umask(0)
    try:
        write_key(tmp_path / "key.pem", Algorithm.ES256)
    finally:
        os.umask(before)
    content = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    for name in ("key.pem", "link.pem"):
        with pytest.raises(FileExistsError):
            write_key(tmp_path / name, Algorithm.ES256)
    assert (tmp_path / "key.pem").read_bytes() == content
    assert not (tmp_path / "elsewhere.pem").exists()


def test_a_key_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails, half a key does not stay behind."""

    def fails(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_key(tmp_path / "key.pem", Algorithm.ES256)

    assert list(tmp_path.iterdir()) == []


def test_the_name_of_an_ed25519_key_is_that_of_the_rfc(tmp_path: Path) -> None:
    """The key of RFC 8037 A.1 has the thumbprint of A.3."""
    private = OKPAlgorithm.from_jwk(
        {
            "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }
    )  # fmt: skip
    assert hasattr(private, "private_bytes")
    (tmp_path / "key.pem").write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "key.pem").chmod(0o600)

    assert read_key(tmp_path / "key.pem").kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_name_of_a_p256_key_is_its_thumbprint(tmp_path: Path) -> None:
    """RFC 7638 3.2: the digest of crv, kty, x and y, in that order and without blanks."""
    public = write_key(tmp_path / "key.pem", Algorithm.ES256).public
    text = f'{{"crv":"P-256","kty":"EC","x":"{public["x"]}","y":"{public["y"]}"}}'

    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert public["kid"] == digest.rstrip("=")


def test_the_set_holds_the_public_halves_in_order_and_nothing_else(tmp_path: Path) -> None:
    """Each key has the members that verifying needs; there is no `d`, nor the private number in any spelling."""
    keys = [write_key(tmp_path / f"{name}.pem", name) for name in BOTH]
    shown = json.loads(key_set(keys))["keys"]

    assert [set(each) for each in shown] == [
        {"kty", "crv", "x", "y", "kid", "alg", "use"},
        {"kty", "crv", "x", "kid", "alg", "use"},
    ]
    assert [each["kid"] for each in shown] == [key.kid for key in keys]
    assert [(each["alg"], each["use"]) for each in shown] == [("ES256", "sig"), ("EdDSA", "sig")]
    for name in BOTH:
        private = load_pem_private_key((tmp_path / f"{name}.pem").read_bytes(), None)
        secret = jwt.get_algorithm_by_name(name).to_jwk(private, as_dict=True)["d"]
        assert secret not in key_set(keys).decode()
        assert secret not in repr(keys)


@pytest.mark.parametrize(
    "command",
    ["genpkey -algorithm ed25519", "ecparam -name prime256v1 -genkey", "ecparam -name prime256v1 -genkey -noout"],
)  # fmt: skip
def test_keys_of_openssl_are_read(tmp_path: Path, command: str) -> None:
    """Keys need not come from `mediagate identity-key`; the parameters that openssl writes before a key do not disturb."""
    assert read_key(made(tmp_path, command)).kid


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("genrsa 1024", "holds a key of another kind (RSA)"),
        ("genrsa 2048", "holds a key of another kind (RSA)"),
        ("genpkey -algorithm ed448", "holds a key of another kind (Ed448)"),
        ("genpkey -algorithm x25519", "holds a key of another kind (X25519)"),
        ("ecparam -name secp192k1 -genkey -noout", "holds a key of another kind"),
        ("ecparam -name secp256k1 -genkey -noout", "holds a key of another kind (curve secp256k1)"),
        ("ecparam -name secp384r1 -genkey -noout", "holds a key of another kind (curve secp384r1)"),
        ("ecparam -name prime256v1 -genkey -param_enc explicit", "holds no private key in PEM"),
    ],
)
def test_keys_of_another_kind_are_refused(tmp_path: Path, command: str, said: str) -> None:
    """Weak curves, RSA, and kinds whose tokens few could check: one sentence that says what to do."""
    assert why(made(tmp_path, command)) == (
        f"(`FILE`) {said}; only P-256 and Ed25519 keys sign: make one with `mediagate identity-key`"
    )


def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    """A service cannot type a password."""
    path = made(
        tmp_path, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:hush"
    )

    assert why(path) == "(`FILE`) is encrypted, and nobody is there to type a password"


def test_what_is_no_private_key_is_refused(tmp_path: Path) -> None:
    """A public key, text, nothing, and more than a key has."""
    public = subprocess.run(
        [needed("openssl"), "pkey", "-pubout", "-in", str(made(tmp_path, "genpkey -algorithm ed25519"))],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    key = (tmp_path / "made.pem").read_bytes()
    for content in (public, b"hush\n", b"", b"\xff\x00", b"#" * MAX_KEY_FILE + b"\n" + key):
        (tmp_path / "made.pem").write_bytes(content)
        assert why(tmp_path / "made.pem").startswith("(`FILE`) holds no private key in PEM;")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o666, 0o777, 0o644])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """Nobody but the owner may write a key, nobody but owner and group may read it."""
    path = made(tmp_path, "genpkey -algorithm ed25519", mode=mode)

    assert why(path) == "(`FILE`) may be read or written by others: `chmod 600 FILE`"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_key_that_a_group_may_read_is_accepted(tmp_path: Path, mode: int) -> None:
    """Mounted secrets belong to the service's group."""
    assert read_key(made(tmp_path, "genpkey -algorithm ed25519", mode=mode)).kid


def test_a_key_in_the_place_of_its_path_is_not_repeated(tmp_path: Path) -> None:
    """What cannot be opened may be the key itself: the sentence and the traceback do not show it."""
    key = made(tmp_path, "genpkey -algorithm ed25519").read_text()
    for text in (key, key.splitlines()[1], key + "\0"):
        with pytest.raises(ValueError, match=r"^file 1 cannot be read: ") as caught:
            read_keys([Path(text)])
        assert key.splitlines()[1] not in "".join(traceback.format_exception(caught.value))


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A folder, and a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)

    for name in ("pipe", "folder"):
        assert why(tmp_path / name) == "(`FILE`) is no regular file"


def test_all_files_are_told_together_and_none_stands_twice(tmp_path: Path) -> None:
    """One start shows every file that is wrong; the same key under two names is a mistake in a rotation."""
    write_key(tmp_path / "a.pem", Algorithm.EDDSA)
    (tmp_path / "b.pem").symlink_to(tmp_path / "a.pem")

    with pytest.raises(ValueError, match=r".") as caught:
        read_keys([tmp_path / "a.pem", tmp_path / "b.pem", tmp_path / "none.pem"])

    assert str(caught.value).replace(str(tmp_path), "") == (
        "file 2 (`/b.pem`) holds a key that stands before it; file 3 cannot be read: no such file or directory"
    )
