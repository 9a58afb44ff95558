"""The house of the management API for tests of shares: who of its cast holds which roles about them, and what they say."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from management import CLIP, CREW, EDITOR, OTHER, READER, House, housed
from models import changes
from models.records import ObjectKey, Permission

ASSETS: Final = f"/API/assets/v1/assets/{CLIP}/shares/"
API: Final = "/API/assets/v1"
BOOLEANS: Final = {
    "allow_download": False,
    "allow_comments": True,
    "allow_approving_comments": False,
    "allow_setting_approve_status": False,
}
"""What the documented API demands of each share."""
LOOKING: Final = ("can_read_assets", "can_read_collections")
SHARING: Final = (
    *LOOKING,
    "can_write_shares",
    "can_read_shares",
    "can_delete_object_shares",
    "can_manage_shares",
)
UPLOADERS: Final = "00000000-0000-4000-8000-000000000191"
MANAGERS: Final = "00000000-0000-4000-8000-000000000192"


@contextmanager
def sharers(folder: Path, *toml: str) -> Iterator[House]:
    """Runs the house with a cast that shares.

    `editor` and `reader` share and read the clip, the editor the other asset too; nobody may let visitors upload but by joining `UPLOADERS`, and
    nobody manages all shares but the admin and who joins `MANAGERS`. `owner` has no role.
    """
    with housed(folder, "shares", "auth", toml="\n".join(toml)) as house:
        with house.store.write("test") as commit:
            session = commit.session
            changes.set_roles(session, CREW, SHARING)
            changes.add_member(session, CREW, READER)
            for id_, role in (
                (UPLOADERS, "can_create_shares_to_upload"),
                (MANAGERS, "can_manage_all_shares"),
            ):
                changes.create_group(session, house.domain, role, id_=id_)
                changes.set_roles(session, id_, [role])
            for user in (EDITOR, READER):
                key = ObjectKey("asset", CLIP)
                changes.grant(session, key, f"user:{user}", Permission.READ, propagates=False)
            changes.grant(
                session, ObjectKey("asset", OTHER), f"user:{EDITOR}", Permission.READ, propagates=False
            )
        yield house


@contextmanager
def joined(house: House, group: str, user: str) -> Iterator[None]:
    """Has a user in a group until the block ends."""
    with house.store.write("test") as commit:
        changes.add_member(commit.session, group, user)
    try:
        yield
    finally:
        with house.store.write("test") as commit:
            changes.remove_member(commit.session, group, user)


def emailed(
    house: House, who: str = "editor", *emails: str, path: str = ASSETS, **said: Any
) -> dict[str, Any]:
    """Returns a new share of the clip for people, as it is told to who made it."""
    body = {**BOOLEANS, "emails": emails or ("eve@example.org",), **said}
    found: dict[str, Any] = house.told(who, "POST", path, body, 202)
    return found


def login(house: House, link: str, password: str | None = None, **headers: str) -> requests.Response:
    """Tries a link at the documented place."""
    body = {"hash": link} | ({"password": password} if password is not None else {})
    return house.ask(None, "POST", f"{API}/shares/auth/login/", body, **headers)


def visiting(house: House, link: str, password: str | None = None) -> dict[str, str]:
    """Returns the headers of a visitor who came by a link, as the documented API has them."""
    answer = login(house, link, password, App_ID="player")
    assert answer.status_code == 200, answer.text
    return {"App_ID": "player", "Auth_Token": answer.json()["token"]}
