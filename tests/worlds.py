"""Small worlds of facts for unit tests: a dictionary of records, where what is missing does not exist."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.policy import Question
from models.networks import canonical_address
from models.records import (
    DomainRecord,
    Facts,
    GroupRecord,
    MissingFactError,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    UserRecord,
    UserType,
)
from models.vocabulary import Request, Resource, Subject

CLIP = ObjectKey("asset", "clip")
TOP = ObjectKey("collection", "top")
ROLE_FLOOR = {"can_read_assets": UserType.BROWSE_ONLY, "can_write_assets": UserType.STANDARD}


class World(Facts):
    """Records by key; a key in `missing` is not at hand, any other that is absent does not exist."""

    def __init__(self, *records: tuple[str, Record], missing: frozenset[str] = frozenset()) -> None:
        """Takes (key, record) pairs."""
        self.records: dict[str, Record] = dict(records)
        self.missing = missing

    def get(self, key: str) -> Record | None:
        """Returns a record as `models.records.Facts` says."""
        if key in self.missing:
            raise MissingFactError(key)
        return self.records.get(key)


def studio() -> World:
    """Kim of the crew reads the clip through a propagating entry on the collection it stands in."""
    return World(
        ("domain:home", DomainRecord("home")),
        ("group:crew", GroupRecord("crew", "home", frozenset(ROLE_FLOOR))),
        ("user:kim", UserRecord("kim", "home", group_ids=("crew",))),
        ("object:asset:clip", ObjectRecord(CLIP, registered=True, domain_id="home", parents=(TOP,))),
        (
            "object:collection:top",
            ObjectRecord(TOP, registered=True, domain_id="home", propagating={"group:crew": Permission.READ}),
        ),
    )


def question(
    facts: Facts,
    who: str | None = "kim",
    action: str = "read",
    what: ObjectKey | None = CLIP,
    *,
    roles: tuple[str, ...] = (),
    floor: Mapping[str, UserType] = ROLE_FLOOR,
) -> Question:
    """Returns a question at noon from 10.0.0.1."""
    record = facts.get(f"user:{who}") if who else None
    user = record if isinstance(record, UserRecord) else None
    request = Request(canonical_address("10.0.0.1"), datetime(2026, 1, 15, 12, tzinfo=UTC), roles=roles)
    return Question(Subject(facts, user, floor), action, Resource(facts, what, request.now), request)
