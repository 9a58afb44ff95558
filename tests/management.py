"""A gateway whose services are local, with a cast, for tests of the management API: asked over HTTP as each of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from gateways import Gateway, prepare, running
from models import changes
from models.records import GroupKind, ObjectKey, Permission, UserType
from models.store import Store

SERVICES = ("acls", "auth", "own", "settings", "shares", "users")
TOML = """
[upstreams.backend]
url = "http://127.0.0.1:9"
[services]
local = [{local}]
"""
ROUTES = """
upstream: backend
objects:
  asset: {id: opaque}
routes:
  - GET /assets/{asset_id}/: {action: read, object: asset, role: can_read_assets}
  - GET /{path...}: {action: read, role: none}
"""
ROLES = ("can_read_acls", "can_write_acls", "can_delete_acls")

ADMIN, EDITOR, OWNER, READER, STRANGER = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 6))
CREW, CLIENTS = (f"00000000-0000-4000-8000-0000000001{n:02}" for n in (1, 2))
CLIP, OTHER, THEIRS = (f"00000000-0000-4000-8000-0000000002{n:02}" for n in (1, 2, 3))
TOP, SUB = (f"00000000-0000-4000-8000-0000000003{n:02}" for n in (1, 2))
NAMES = {"admin": ADMIN, "editor": EDITOR, "owner": OWNER, "reader": READER, "stranger": STRANGER}
APPLICATION = "00000000-0000-4000-8000-000000000401"


@dataclass(frozen=True, slots=True)
class House:
    """A running gateway with its store, domain and the tokens of its cast.

    The cast: `admin`; `editor`, of the group crew, with all roles about lists and `change-acl` on the clip; `owner` of the clip without any
    role; `reader`, of no group; `stranger`, admin of another domain. The clip and the other asset stand in sub, and that in top.
    """

    gateway: Gateway
    store: Store
    domain: str
    abroad: str
    tokens: dict[str, str]

    def ask(
        self, who: str | None, method: str, path: str, json: Any = None, **headers: str
    ) -> requests.Response:
        """Sends a request as one of the cast; None as nobody."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            headers = {"Authorization": f"Bearer {self.tokens[who]}", **headers}
        return requests.request(method, self.gateway.url + path, json=json, headers=headers, timeout=10)

    def told(
        self, who: str, method: str, path: str, json: Any = None, status: int = 200, **headers: str
    ) -> Any:
        """Returns the document that a request is answered with, which is of this status."""
        answer = self.ask(who, method, path, json, **headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def token(self, user_id: str, scope: Sequence[str] | None = None) -> str:
        """Returns a new token of a user."""
        with self.store.write("test") as commit:
            application = APPLICATION if user_id != STRANGER else "abroad"
            return changes.issue_token(commit.session, user_id, application, scope=scope)[1]


@contextmanager
def housed(folder: Path, *local: str, toml: str = "", routes: str = ROUTES) -> Iterator[House]:
    """Runs such a gateway until the block ends."""
    names = ", ".join(f'"{name}"' for name in local or SERVICES)
    store = prepare(folder, TOML.format(local=names) + toml, routes=routes)
    with store.write("test") as commit:
        domain, abroad, tokens = _cast(commit.session)
    with running(folder) as gateway:
        yield House(gateway, store, domain, abroad, tokens)
    store.close()


def _cast(session: Any) -> tuple[str, str, dict[str, str]]:
    domain, abroad = (changes.create_domain(session, name).id for name in ("home", "abroad"))
    changes.create_application(session, domain, "tests", id_=APPLICATION)
    changes.create_application(session, abroad, "tests", id_="abroad")
    for name, id_ in NAMES.items():
        where = abroad if name == "stranger" else domain
        is_admin = name in ("admin", "stranger")
        changes.create_user(
            session,
            where,
            f"{name}@example.org",
            id_=id_,
            first_name=name.title(),
            type=UserType.POWER,
            is_admin=is_admin,
        )
    changes.create_group(session, domain, "crew", id_=CREW)
    changes.set_roles(session, CREW, ROLES)
    changes.create_group(session, domain, "clients", id_=CLIENTS, kind=GroupKind.TEAM)
    changes.add_member(session, CREW, EDITOR)
    for id_ in (TOP, SUB):
        changes.register_object(session, ObjectKey("collection", id_), domain, owner_id=ADMIN)
    for id_ in (CLIP, OTHER):
        changes.register_object(
            session, ObjectKey("asset", id_), domain, owner_id=OWNER if id_ == CLIP else ADMIN
        )
        changes.place(session, ObjectKey("asset", id_), ObjectKey("collection", SUB))
    changes.place(session, ObjectKey("collection", SUB), ObjectKey("collection", TOP))
    changes.register_object(session, ObjectKey("asset", THEIRS), abroad, owner_id=STRANGER)
    rights = Permission.READ | Permission.CHANGE_ACL
    changes.grant(session, ObjectKey("asset", CLIP), f"group:{CREW}", rights, propagates=False)
    application = {name: "abroad" if name == "stranger" else APPLICATION for name in NAMES}
    tokens = {name: changes.issue_token(session, id_, application[name])[1] for name, id_ in NAMES.items()}
    return domain, abroad, tokens
