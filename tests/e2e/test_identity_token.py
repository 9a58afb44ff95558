"""Identity tokens through a running gateway: what a recording backend received, checked with PyJWT and the served key set alone."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from commandline import process
from e2e.raw import line
from gateway.signing_keys import Algorithm, SigningKey, write_key
from gateways import Gateway, prepare, running
from models import changes
from recorder import Recorder, recording

DOCUMENT = Path(__file__).parents[2] / "docs" / "identity-token.md"
AUDIENCES = {"/media": "https://media.example", "/other": "other"}
ROUTES = """
upstream: media
routes:
  - GET /media: {action: read, role: none}
  - GET /other: {action: read, role: none, upstream: other}
  - GET /plain: {action: read, role: none, upstream: plain}
  - GET /open: {anonymous: true}
"""
SETTINGS = """
[identity_token]
issuer = "https://gate.example"
keys = ["a.pem"]
header = "Who-Asks"
lifetime = "30s"
[upstreams.media]
url = "{backend}"
audience = "https://media.example"
[upstreams.other]
url = "{backend}"
audience = "other"
[upstreams.plain]
url = "{backend}"
"""


@dataclass
class Scene:
    """A gateway in front of a recorder, and the credentials of two users."""

    gateway: Gateway
    backend: Recorder
    bearers: dict[str, str]

    def ask(self, path: str, who: str = "", *lines: str) -> list[str]:
        """Asks the gateway; returns the values of `Who-Asks` that the backend received."""
        self.backend.clear()
        with line(self.gateway.url) as client:
            credential = [f"authorization: Bearer {self.bearers[who]}"] if who else []
            answer = client.ask("GET", path, *credential, *lines)
        assert answer.status == 200, answer
        (headers,) = self.backend.headers
        assert not [pair for pair in headers if "spoofed" in pair[1]]
        return [value for name, value in headers if re.sub("[_.]", "-", name) == "who-asks"]

    def token(self, path: str = "/media", who: str = "kim") -> str:
        """Returns the one token that the backend received."""
        (token,) = self.ask(path, who)
        return token

    def claims(self, token: str, audience: str = AUDIENCES["/media"]) -> Any:
        """Returns what a stranger verifies by the key set that is served now."""
        key = jwt.PyJWKClient(f"{self.gateway.url}/-/jwks.json").get_signing_key_from_jwt(token)
        return jwt.decode(
            token, key, algorithms=["ES256", "EdDSA"], issuer="https://gate.example", audience=audience
        )

    def key_set(self) -> list[dict[str, str]]:
        """Returns the served keys."""
        keys: list[dict[str, str]] = requests.get(f"{self.gateway.url}/-/jwks.json", timeout=10).json()[
            "keys"
        ]
        return keys


def furnish(folder: Path, toml: str, backend: Recorder, routes: str = ROUTES) -> dict[str, str]:
    """Writes a gateway's folder with two users; returns their tokens."""
    store = prepare(folder, toml.replace("{backend}", backend.url), routes=routes)
    with store.write("test") as commit:
        session = commit.session
        changes.create_domain(session, "home", id_="home")
        changes.create_application(session, "home", "player", id_="app")
        for who in ("kim", "lee"):
            changes.create_user(session, "home", f"{who}@example.org", id_=who)
        bearers = {who: changes.issue_token(session, who, "app")[1] for who in ("kim", "lee")}
    store.close()
    return bearers


@contextmanager
def serving(folder: Path, backend: Recorder, bearers: dict[str, str], *keys: str) -> Iterator[Scene]:
    """Runs the gateway with these keys, the first of which signs."""
    path = folder / "mediagate.toml"
    path.write_text(re.sub(r"(?m)^keys = .*$", f"keys = {json.dumps(keys)}", path.read_text()))
    with running(folder) as gateway:
        yield Scene(gateway, backend, bearers)


@pytest.fixture(scope="module", name="home")
def running_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Sequence[SigningKey]]]:
    """A gateway with a key of each kind, and those keys."""
    folder = tmp_path_factory.mktemp("gateway")
    with recording() as backend:
        bearers = furnish(folder, SETTINGS, backend)
        keys = [
            write_key(folder / name, kind) for name, kind in zip(("a.pem", "b.pem"), Algorithm, strict=True)
        ]
        with serving(folder, backend, bearers, "a.pem", "b.pem") as scene:
            yield scene, keys


@pytest.fixture
def scene(home: tuple[Scene, Sequence[SigningKey]]) -> Scene:
    """That gateway."""
    return home[0]


def test_a_backend_can_verify_who_asks(scene: Scene) -> None:
    """The one header that arrived verifies by the served key set and names user, domain, issuer and audience."""
    for path, audience in AUDIENCES.items():
        for who in ("kim", "lee"):
            claims = scene.claims(scene.token(path, who), audience)
            assert (claims["sub"], claims["domain"]) == (who, "home")
            assert claims["exp"] - claims["iat"] == 30
            assert claims["nbf"] == claims["iat"]
            assert set(claims) == {"iss", "aud", "sub", "domain", "iat", "nbf", "exp", "jti"}


def test_a_token_for_one_backend_is_none_for_another(scene: Scene) -> None:
    """A backend that was sent a token cannot act as its user before another one."""
    with pytest.raises(jwt.InvalidAudienceError):
        scene.claims(scene.token("/media"), AUDIENCES["/other"])


def test_a_token_is_sent_with_several_requests(scene: Scene) -> None:
    """Within half of its lifetime the same user's token is the same, and nobody else's."""
    tokens = {scene.token("/other", "kim") for _ in range(5)}

    assert len(tokens) < 5
    assert scene.token("/other", "lee") not in tokens


def test_no_token_for_nobody_and_without_audience(scene: Scene) -> None:
    """An anonymous request proves nobody, and an upstream that has no audience is sent no token."""
    assert scene.ask("/open") == []
    assert scene.ask("/plain", "kim") == []


SPOOFS = [
    "Who-Asks",
    "who-asks",
    "WHO-ASKS",
    "Who_Asks",
    "who.asks",
    "X-Mediagate-Identity",
    "x_mediagate_identity",
]


@pytest.mark.parametrize("name", SPOOFS)
def test_a_clients_own_token_never_arrives(scene: Scene, name: str) -> None:
    """In no spelling, with or without a token of ours in its place, and though the client calls the header its connection's."""
    spoof = f"{name}: spoofed"
    for lines in ([spoof], [spoof, spoof], ["connection: keep-alive, Who-Asks", spoof]):
        assert scene.ask("/open", "", *lines) == []
        assert scene.ask("/plain", "kim", *lines) == []
        (token,) = scene.ask("/media", "kim", *lines)
        assert scene.claims(token)["sub"] == "kim"


def test_the_key_set_is_public_and_only_that(home: tuple[Scene, Sequence[SigningKey]]) -> None:
    """Both keys in order, without a private member; it may be kept for as long as the documents say, and only be read."""
    scene, keys = home
    url = f"{scene.gateway.url}/-/jwks.json"
    answer = requests.get(url, timeout=10)

    assert answer.json() == {"keys": [dict(key.public) for key in keys]}
    assert not {"d", "p", "q", "k"} & {name for key in answer.json()["keys"] for name in key}
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert requests.post(url, timeout=10).status_code in (401, 403, 404, 405)


def test_secrets_are_in_no_log(scene: Scene) -> None:
    """Neither a private key nor a token is in the log or the audit, and the client is told none."""
    token = scene.token()
    with line(scene.gateway.url) as client:
        answer = client.ask("GET", "/media", f"authorization: Bearer {scene.bearers['kim']}")
    written = scene.gateway.log + scene.gateway.audit.read_text() + repr(answer)

    assert '"user":"kim"' in scene.gateway.audit.read_text().replace(" ", "")
    assert token not in written
    assert token.split(".")[2] not in written
    for name, kind in (("a.pem", Algorithm.ES256), ("b.pem", Algorithm.EDDSA)):
        pem = (scene.gateway.folder / name).read_bytes()
        secret = jwt.get_algorithm_by_name(kind).to_jwk(load_pem_private_key(pem, None), as_dict=True)["d"]
        for each in (secret, *pem.decode().splitlines()[1:-1]):
            assert each not in written


def test_a_key_is_replaced_without_a_token_that_nobody_can_check(tmp_path: Path) -> None:
    """Published as second, swapped, withdrawn: at each step tokens of the step before verify, after the last the oldest do not."""
    with recording() as backend:
        bearers = furnish(tmp_path, SETTINGS, backend)
        old = write_key(tmp_path / "a.pem", Algorithm.ES256)
        new = write_key(tmp_path / "b.pem", Algorithm.EDDSA)
        with serving(tmp_path, backend, bearers, "a.pem", "b.pem") as scene:
            first = scene.token()
            assert jwt.get_unverified_header(first) == {"alg": "ES256", "kid": old.kid, "typ": "JWT"}
            known = {key["kid"] for key in scene.key_set()}
        with serving(tmp_path, backend, bearers, "b.pem", "a.pem") as scene:
            second = scene.token()
            assert jwt.get_unverified_header(second) == {"alg": "EdDSA", "kid": new.kid, "typ": "JWT"}
            assert new.kid in known
            assert scene.claims(first)["sub"] == scene.claims(second)["sub"] == "kim"
        with serving(tmp_path, backend, bearers, "b.pem") as scene:
            assert scene.claims(second)["sub"] == "kim"
            with pytest.raises(jwt.PyJWKClientError):
                scene.claims(first)


def test_the_worked_example_works(tmp_path: Path) -> None:
    """The settings and the backend of docs/identity-token.md, as they stand there, find out who asks and refuse the rest."""
    text = DOCUMENT.read_text("utf-8")
    (toml,), (code,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("toml", "python"))
    row = "upstream: media\nroutes:\n  - GET /media: {action: read, role: none}\n"
    with recording() as backend:
        bearers = furnish(tmp_path, toml.replace("http://127.0.0.1:9000", "{backend}"), backend, row)
        assert process("identity-key", "identity-a.pem", cwd=tmp_path).code == 0
        with running(tmp_path) as gateway:
            example: dict[str, Any] = {}
            exec(code.replace("http://127.0.0.1:8080", gateway.url), example)
            Scene(gateway, backend, bearers).ask("/media", "kim")
            headers = {name.title(): value for name, value in backend.headers[0]}

            assert example["who_asks"](headers) == ("kim", "home")
            with pytest.raises(KeyError):
                example["who_asks"]({})
            head, claims, signature = headers["X-Mediagate-Identity"].split(".")
            for forged in (f"{head}.{claims}.", f"{head}.{claims[:-2]}AA.{signature}", "spoofed"):
                with pytest.raises(jwt.PyJWTError):
                    example["who_asks"]({"X-Mediagate-Identity": forged})


def test_a_key_that_cannot_sign_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    """A weak key, and a key in the place of its path: code 3, one sentence, and nothing of the key in it."""
    with recording() as backend:
        furnish(tmp_path, SETTINGS, backend)
    weak = generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "a.pem").write_bytes(weak)
    (tmp_path / "a.pem").chmod(0o600)
    refused = [process("serve", cwd=tmp_path)]
    write_key(tmp_path / "good.pem", Algorithm.ES256)
    path = tmp_path / "mediagate.toml"
    path.write_text(path.read_text().replace('"a.pem"', json.dumps((tmp_path / "good.pem").read_text())))
    refused.append(process("serve", cwd=tmp_path))

    assert [answer.code for answer in refused] == [3, 3]
    assert "identity_token.keys: file 1 (`" in refused[0].err
    assert "holds a key of another kind (RSA)" in refused[0].err
    assert "identity_token.keys: file 1 cannot be read" in refused[1].err
    for answer, key in zip(refused, (weak.decode(), (tmp_path / "good.pem").read_text()), strict=True):
        assert len(answer.err.splitlines()) == 1
        assert not [text for text in key.splitlines() if text in answer.err]
