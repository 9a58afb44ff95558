"""Settings of identity tokens: what belongs together, which headers can carry one, and that a bad key stops the start."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.signing_keys import Algorithm, write_key

UPSTREAM = '[upstreams.media]\nurl = "http://127.0.0.1:9000"\n'
WHOLE = '[identity_token]\nissuer = "gate"\nkeys = ["key.pem"]\n'


def loaded(folder: Path, text: str, *, serving: bool = False, **environ: str) -> Settings:
    """Returns the settings that `text` and the variables give."""
    (folder / "mediagate.toml").write_text(text)
    return Settings.load(folder / "mediagate.toml", environ=environ, serving=serving)


def problems(folder: Path, text: str, *, serving: bool = False) -> list[str]:
    """Returns the problems of `text`, the folder not named."""
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text, serving=serving)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_tokens_are_made_from_the_settings(tmp_path: Path) -> None:
    """Issuer, keys beside the file, header, and the audiences of the upstreams that have one."""
    key = write_key(tmp_path / "key.pem", Algorithm.EDDSA)
    settings = loaded(
        tmp_path,
        f'{WHOLE}header = "Who-Asks"\n{UPSTREAM}audience = "m"\n[upstreams.plain]\nurl = "http://x"\n',
        serving=True,
    )
    tokens = settings.identity_tokens()

    assert settings.identity_token.lifetime == 60
    assert key.kid.encode() in tokens.key_set
    assert tokens.removed == {b"who-asks"}
    assert "key.pem" not in repr(settings)


def test_keys_come_from_the_environment_as_a_list(tmp_path: Path) -> None:
    """A container names its mounted keys with commas."""
    settings = loaded(
        tmp_path, "", MEDIAGATE_IDENTITY_TOKEN__KEYS="a.pem, /run/b.pem", MEDIAGATE_IDENTITY_TOKEN__ISSUER="g"
    )

    assert settings.identity_token.keys == (tmp_path / "a.pem", Path("/run/b.pem"))


def test_without_the_section_no_token_is_made(tmp_path: Path) -> None:
    """Nothing is signed unless the operator says so."""
    assert loaded(tmp_path, UPSTREAM, serving=True).identity_tokens().key_set == b'{"keys":[]}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[identity_token]\nissuer = "gate"', "1: identity_token: `issuer` and `keys` come together"),
        ('[identity_token]\nkeys = ["a"]', "1: identity_token: `issuer` and `keys` come together"),
        ('[identity_token]\nissuer = "the gate"', "2: identity_token.issuer: must be a name or URL of 1 to 255 visible ASCII characters"),
        ("[identity_token]\nlifetime = 9", "2: identity_token.lifetime: must be whole seconds, from 10 to 3600"),
        ('[identity_token]\nlifetime = "2h"', "2: identity_token.lifetime: must be whole seconds, from 10 to 3600"),
        ("[identity_token]\nlifetime = 10.5", "2: identity_token.lifetime: must be whole seconds, from 10 to 3600"),
        ("[identity_token]\nkey = 5", "2: identity_token.key: is not a setting; did you mean `keys`?"),
        (f'{UPSTREAM}audience = ""', "3: upstreams.media.audience: must be a name or URL of 1 to 255 visible ASCII characters"),
        (f'{UPSTREAM}audience = "m"', "1: upstreams: `media` with an `audience` needs `identity_token.issuer` and `identity_token.keys`"),
        (
            f'{WHOLE}lifetime = "29s"\n{UPSTREAM}audience = "m"',
            "5: upstreams: a token could expire while a request waits for `media`: `identity_token.lifetime` must be at least twice its `queue_timeout` and `connect_timeout` together",
        ),
        (
            f'{WHOLE}header = "X-Key"\n{UPSTREAM}credential = {{kind = "header", name = "x-key", secret_env = "X"}}',
            "5: upstreams: the credential of `media` is in the header of `identity_token.header`",
        ),
    ],
)  # fmt: skip
def test_contradictions_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """What would sign nothing, be nobody's, or be read as something else is one sentence with its place."""
    assert problems(tmp_path, text) == [f"mediagate.toml:{said}"]


@pytest.mark.parametrize(
    "name",
    ["Host", "Connection", "Content-Length", "Authorization", "App-ID", "Auth-Token", "X-Request-Id", "Forwarded", "X-Forwarded-For",
     "X-Forwarded-User", "X-Mediagate-User", "X-Mediagate-Domain", "X_Who", "X.Who", "x-who:", ""],
)  # fmt: skip
def test_a_header_with_another_meaning_is_refused(tmp_path: Path, name: str) -> None:
    """A token does not stand where the gateway says something else, nor in a name with two readings."""
    (problem,) = problems(tmp_path, f'[identity_token]\nheader = "{name}"')

    assert problem.startswith("mediagate.toml:2: identity_token.header: ")


def test_a_key_that_cannot_sign_stops_the_start(tmp_path: Path) -> None:
    """Before anything serves there is one sentence; commands that do not serve do not look."""
    text = WHOLE + UPSTREAM
    missing = "identity_token.keys: file 1 cannot be read: no such file or directory"

    assert loaded(tmp_path, text).identity_token.issuer == "gate"
    assert problems(tmp_path, text, serving=True) == [f"mediagate.toml:3: {missing}"]
    with pytest.raises(SettingsError, match=f"^{missing}$"):
        loaded(tmp_path, text).identity_tokens()

    write_key(tmp_path / "key.pem", Algorithm.ES256)
    (tmp_path / "key.pem").chmod(0o644)
    assert problems(tmp_path, text, serving=True) == [
        "mediagate.toml:3: identity_token.keys: file 1 (`key.pem`) may be read or written by others: `chmod 600 key.pem`"
    ]
