"""A gateway with a cast, for end-to-end tests: who they are, what they may, and asking as one of them.

The cast, in the domain `main`: ada, an admin; stan and kim, editors, who may do everything with the files below /files and
in the collection `box`, where the asset `clip` is; vera, a viewer, who may read there; bea, an editor whose type is
BROWSE_ONLY; otto, without a group; nora, a viewer, and abe, an admin, who may come from 127.0.0.9 only; bob, blocked; ina,
inactive. The asset `secret` is granted to nobody. In the domain `other`: zoe, an admin, and the asset `theirs`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy.orm import Session

from commandline import CommandLine
from e2e.behind import Puppet, puppet
from e2e.raw import Line, line
from gateways import Gateway, prepare, running
from models import changes
from models.records import ObjectKey, Permission, UserStatus, UserType
from models.store import Store

NORAS_ADDRESS: Final = "127.0.0.9"
SECRET: Final = "the-secret-that-the-backend-wants"
EVERYTHING: Final = Permission.READ | Permission.WRITE | Permission.DELETE
READING: Final = ("can_read_files", "can_read_assets", "can_read_collections")
WRITING: Final = (
    "can_write_files",
    "can_delete_files",
    "can_create_assets",
    "can_write_assets",
    "can_delete_assets",
)
OBJECTS: Final = """
objects:
  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}
  asset: {id: opaque}
  collection: {id: opaque}
"""


@dataclass(frozen=True, slots=True)
class House:
    """A gateway that runs, with its cast and its backend.

    Attributes:
        gateway: the running gateway.
        backend: what stands behind it.
        tokens: the text of each one's token.
    """

    gateway: Gateway
    backend: Puppet
    tokens: Mapping[str, str]

    def bearer(self, who: str) -> str:
        """Returns the header line that signs somebody in; empty for nobody."""
        return f"authorization: Bearer {self.tokens[who]}" if who else "x-nobody: 1"

    def ask(
        self, method: str, path: str, who: str = "", *, source: str = "", **options: Any
    ) -> requests.Response:
        """Asks the gateway as somebody, over a connection of its own, from `source` if given."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        headers |= options.pop("headers", {})
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no .netrc of the surroundings
            session.mount("http://", _From(source))
            options = {"timeout": 30, "allow_redirects": False} | options
            return session.request(method, self.gateway.url + path, headers=headers, **options)

    def get(self, path: str, who: str = "", **options: Any) -> requests.Response:
        """Asks with GET."""
        return self.ask("GET", path, who, **options)

    def line(self, source: str | None = None) -> AbstractContextManager[Line]:
        """Opens a raw connection to the gateway."""
        return line(self.gateway.url, source=source)

    def run(self, *args: str) -> Any:
        """Runs `mediagate --json` with this gateway's settings, in this process; returns its document."""
        return CommandLine(self.gateway.folder).json(*args)

    def audited(self, answer: requests.Response) -> dict[str, Any]:
        """Returns the audit line of a request."""
        lines = [json.loads(line) for line in self.gateway.audit.read_text().splitlines()]
        (found,) = [line for line in lines if line["request_id"] == answer.headers["x-request-id"]]
        return dict(found)


class _From(HTTPAdapter):
    """Connects from a stated local address."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Called by `requests` for the connections it will make."""
        if self._source:
            options["source_address"] = (self._source, 0)
        super().init_poolmanager(*args, **options)


@contextmanager
def house(
    folder: Path, toml: str, routes: str, *options: str, policy: Mapping[str, str] | None = None
) -> Iterator[House]:
    """Runs a gateway with the cast in front of a puppet until the block ends.

    Args:
        folder: where its files go; it must exist.
        toml: further settings; `{backend}` stands for the puppet's address.
        routes: the rows of the route map, whose upstream is the puppet unless they say otherwise.
        options: of `mediagate serve`.
        policy: further policy files, by name.
    """
    with puppet() as backend:
        tokens = furnish(folder, toml, routes, backend)
        for name, text in (policy or {}).items():
            (folder / "policies" / name).write_text(text)
        with running(folder, *options) as gateway:
            yield House(gateway, backend, tokens)


def furnish(folder: Path, toml: str, routes: str, backend: Puppet) -> dict[str, str]:
    """Writes the files of a gateway with the cast, ready to run; returns the tokens.

    The upstream `media` shows the puppet a secret. The store is polled often and is not waited for long.
    """
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    shown = '{kind = "header", name = "x-backend-key", secret_file = "secret"}'
    media = f'[upstreams.media]\nurl = "{backend.url}"\ncredential = {shown}\n'
    store = prepare(
        folder,
        media + toml.replace("{backend}", backend.url),
        routes=f"upstream: media\n{OBJECTS}\nroutes:\n{routes}",
    )
    written = (folder / "mediagate.toml").read_text()
    impatient = '[store]\nbusy_timeout = "500ms"\npoll_interval = "100ms"\nmax_staleness = "1s"\n'
    (folder / "mediagate.toml").write_text(written.replace("[store]\n", impatient))
    try:
        return settle_in(store)
    finally:
        store.close()


def settle_in(store: Store) -> dict[str, str]:
    """Writes the cast and returns the text of each one's token."""
    with store.write("test") as commit:
        session = commit.session
        for domain in ("main", "other"):
            changes.create_domain(session, domain, id_=domain)
            changes.create_application(session, domain, "Player", id_=f"{domain}-app")
        _groups(session)
        _users(session)
        _objects(session)
        return {who: changes.issue_token(session, who, f"{domain}-app")[1] for who, domain in _PEOPLE.items()}


_PEOPLE: Final = {
    **dict.fromkeys(("ada", "stan", "kim", "vera", "bea", "otto", "nora", "abe", "bob", "ina"), "main"),
    "zoe": "other",
}
_ADMINS: Final = ("ada", "abe", "zoe")
_MEMBERS: Final = {
    **dict.fromkeys(("stan", "kim", "bea", "bob", "ina"), "editors"),
    **dict.fromkeys(("nora", "abe"), "office"),
    "vera": "viewers",
}


def _groups(session: Session) -> None:
    roles = {"editors": READING + WRITING, "viewers": READING, "office": READING}
    for name, given in roles.items():
        changes.create_group(session, "main", name, id_=name)
        changes.set_roles(session, name, given)
    changes.allow_network(session, "main", NORAS_ADDRESS, group_id="office")
    changes.set_allow_list(session, "main", enabled=True)


def _users(session: Session) -> None:
    for name, domain in _PEOPLE.items():
        admin = name in _ADMINS
        kind = UserType.POWER if admin else UserType.BROWSE_ONLY if name == "bea" else UserType.STANDARD
        changes.create_user(session, domain, f"{name}@example.org", id_=name, type=kind, is_admin=admin)
    for name, group in _MEMBERS.items():
        changes.add_member(session, group, name)
    changes.update_user(session, "bob", status=UserStatus.BLOCKED)
    changes.update_user(session, "ina", status=UserStatus.INACTIVE)


def _objects(session: Session) -> None:
    for key in (ObjectKey("file", "/files"), ObjectKey("collection", "box"), ObjectKey("asset", "clip")):
        changes.register_object(session, key, "main", owner_id="ada")
    changes.place(session, ObjectKey("asset", "clip"), ObjectKey("collection", "box"))
    for key in (ObjectKey("file", "/files"), ObjectKey("collection", "box")):
        changes.grant(session, key, "group:editors", EVERYTHING, propagates=True)
        for group in ("viewers", "office"):
            changes.grant(session, key, f"group:{group}", Permission.READ, propagates=True)
    changes.register_object(session, ObjectKey("asset", "secret"), "main", owner_id="ada")
    changes.register_object(session, ObjectKey("asset", "theirs"), "other", owner_id="zoe")
