"""`mediagate identity-key` makes a key that the gateway takes, and harms none that is there."""

import stat
from pathlib import Path

import pytest

from commandline import CommandLine
from gateway.signing_keys import read_key


@pytest.mark.parametrize(
    ("options", "algorithm"), [([], "ES256"), (["--algorithm", "EdDSA"], "EdDSA"), (["--algorithm", "es256"], "ES256")]
)  # fmt: skip
def test_a_key_is_made(tmp_path: Path, options: list[str], algorithm: str) -> None:
    """The answer names the file, the algorithm and the key; no settings are needed and no key is shown."""
    told = CommandLine(tmp_path).json("identity-key", str(tmp_path / "key.pem"), *options)
    key = read_key(tmp_path / "key.pem")

    assert told == {"file": str(tmp_path / "key.pem"), "algorithm": algorithm, "kid": key.kid}
    assert key.algorithm == algorithm
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_the_text_says_what_to_do_next_and_no_secret(tmp_path: Path) -> None:
    """A person is told where to name the key; of the file only its path is shown."""
    said = CommandLine(tmp_path).ok("identity-key", str(tmp_path / "key.pem"))
    secret = (tmp_path / "key.pem").read_text().splitlines()[1]

    assert "identity_token.keys" in said
    assert secret not in said


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second call with the same name fails and the key stays; so does one into a folder that is not there."""
    command = CommandLine(tmp_path)
    command.ok("identity-key", str(tmp_path / "key.pem"))
    before = (tmp_path / "key.pem").read_bytes()

    said = command.fails("identity-key", str(tmp_path / "key.pem"))
    assert said == f"`{tmp_path}/key.pem` exists: a key is never overwritten; choose another name"
    assert (tmp_path / "key.pem").read_bytes() == before
    assert "no such file" in command.fails("identity-key", str(tmp_path / "none" / "key.pem"))
    assert "is not one of" in command.fails(
        "identity-key", str(tmp_path / "b"), "--algorithm", "RS256", code=2
    )
