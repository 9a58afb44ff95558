"""Tests of gateway.authorize: many targets, one verdict; creation on paths; what is held."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gateway.authorize import Authorizer, Verdict
from gateway.bundle import read_policy
from gateway.identity import ANONYMOUS, Identity, Proof
from gateway.policy import Policy
from gateway.reasons import Reason
from gateway.routes import Operation, Row, Target
from gateway.routes.templates import Template
from models.networks import canonical_address
from models.records import ObjectKey, ObjectRecord, Permission, UserRecord, UserType
from worlds import CLIP, ROLE_FLOOR, TOP, World, studio

POLICIES = Path(__file__).parents[2] / "policies"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
INBOX, UPLOAD = ObjectKey("file", "/inbox"), ObjectKey("file", "/inbox/new.mp4")


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(POLICIES)


def judge(policy: Policy, world: World, *targets: Target, who: str | None = "kim") -> Verdict:
    """Returns the verdict about targets of a route without roles."""
    row = Row(place="t.yaml:1", methods=("GET",), template=Template.of("/"), upstream="media")
    record = world.get(f"user:{who}")
    identity = Identity(record, Proof.BEARER) if isinstance(record, UserRecord) else ANONYMOUS
    operation = Operation(row, targets, {})
    return Authorizer(policy, world, ROLE_FLOOR).judge(
        identity, operation, canonical_address("10.0.0.1"), NOW
    )


SCOPES = {
    "the role that the row demands": (("can_read_assets",), {"can_read_assets"}, True),
    "more than that": (("can_read_assets",), {"can_read_assets", "can_search"}, True),
    "one of two roles": (("can_read_assets", "can_search"), {"can_read_assets"}, False),
    "another role": (("can_read_assets",), {"can_search"}, False),
    "a row that demands no role": ((), {"can_read_assets"}, False),
}


@pytest.mark.parametrize(("roles", "scope", "passes"), SCOPES.values(), ids=SCOPES.keys())
@pytest.mark.parametrize("admin", [False, True])
def test_a_token_with_a_scope_passes_only_where_its_roles_are_demanded(
    policy: Policy, roles: tuple[str, ...], scope: set[str], *, passes: bool, admin: bool
) -> None:
    """It binds admins as well, and takes nothing else away: what passes is judged as without a scope."""
    world = studio()
    record = world.get("user:kim")
    assert isinstance(record, UserRecord)
    if admin:
        record = replace(record, type=UserType.POWER, is_admin=True)
    row = Row("t.yaml:1", ("GET",), Template.of("/"), "media", roles=roles)
    ask = partial(Authorizer(policy, world, ROLE_FLOOR).judge, operation=Operation(row, (Target("read", CLIP),), {}), client=canonical_address("10.0.0.1"), now=NOW)  # fmt: skip
    whole = ask(Identity(record, Proof.BEARER))
    scoped = ask(Identity(record, Proof.BEARER, scope=frozenset(scope)))

    assert scoped == whole if passes else scoped.deciding.decision.refusal is Reason.SCOPE
    assert not scoped.allowed or whole.allowed


def test_a_row_open_to_all_is_open_to_every_token(policy: Policy) -> None:
    """Nobody is worse off with a credential than without."""
    row = Row("t.yaml:1", ("GET",), Template.of("/"), "media", anonymous=True)
    world = studio()
    record = world.get("user:kim")
    assert isinstance(record, UserRecord)
    identity = Identity(record, Proof.BEARER, scope=frozenset({"can_search"}))
    judged = Authorizer(policy, world, ROLE_FLOOR).judge(identity, Operation(row, (), {}), canonical_address("10.0.0.1"), NOW)  # fmt: skip
    assert judged.allowed


def inbox(world: World, *, registered: bool = False) -> World:
    """Adds a folder that Kim may write to (but not to what is in it), and perhaps a file in it."""
    world.records[INBOX.fact] = ObjectRecord(
        INBOX, registered=True, domain_id="home", direct={"user:kim": Permission.WRITE}
    )
    world.records[UPLOAD.fact] = ObjectRecord(
        UPLOAD, registered=registered, domain_id="home", parents=(INBOX,)
    )
    return world


def test_one_refused_target_refuses_all(policy: Policy) -> None:
    """A request that names several objects passes only if each is allowed, and the refused one is named."""
    verdict = judge(policy, studio(), Target("read", CLIP), Target("delete", TOP), Target("read", TOP))

    assert (verdict.allowed, verdict.deciding.object, verdict.deciding.decision.refusal) == (
        False,
        TOP,
        Reason.NO_GRANT,
    )
    assert len(verdict.judged) == 2


def test_all_allowed_targets_allow(policy: Policy) -> None:
    """The verdict of several allowed targets is allowed, and names the first."""
    verdict = judge(policy, studio(), Target("read", CLIP), Target("read", TOP))

    assert (verdict.allowed, verdict.deciding.object) == (True, CLIP)
    assert verdict.named == (f"read {CLIP}", f"read {TOP}")


def test_the_callers_domain_is_named_by_a_dash(policy: Policy) -> None:
    """The audit tells a request that names no object from one that does."""
    assert judge(policy, studio()).named == ("read -",)


def test_a_verdict_about_nothing_allows_nothing() -> None:
    """A verdict without any judged target is no permission."""
    assert not Verdict(()).allowed


def test_creating_on_a_new_path_asks_about_its_folder(policy: Policy) -> None:
    """Who may write to a folder may add to it."""
    verdict = judge(policy, inbox(studio()), Target("create", UPLOAD))

    assert (verdict.allowed, verdict.deciding.object) == (True, INBOX)


def test_creating_on_a_registered_path_asks_about_the_path(policy: Policy) -> None:
    """Who may only add to a folder does not overwrite what is in it."""
    verdict = judge(policy, inbox(studio(), registered=True), Target("create", UPLOAD))

    assert (verdict.allowed, verdict.deciding.object) == (False, UPLOAD)


def test_what_is_held_is_closed_to_those_who_may_see_it(policy: Policy) -> None:
    """An object whose deletion is under way answers object-held to those with a right, and their refusal to others."""
    world = studio()
    clip = world.records[CLIP.fact]
    assert isinstance(clip, ObjectRecord)
    world.records[CLIP.fact] = replace(clip, held=True)

    assert judge(policy, world, Target("read", CLIP)).deciding.decision.refusal is Reason.OBJECT_HELD
    assert judge(policy, world, Target("read", CLIP), who=None).deciding.decision.refusal is Reason.SIGNED_IN


def test_a_held_folder_closes_what_is_below_and_what_is_made_in_it(policy: Policy) -> None:
    """Nothing is created or read below a path that is being deleted."""
    world = inbox(studio())
    folder = world.records[INBOX.fact]
    assert isinstance(folder, ObjectRecord)
    world.records[INBOX.fact] = replace(
        folder, held=True, propagating={"user:kim": Permission.READ | Permission.WRITE}
    )

    for action in ("create", "read"):
        assert judge(policy, world, Target(action, UPLOAD)).deciding.decision.refusal is Reason.OBJECT_HELD


def test_creating_on_a_path_that_is_being_deleted_is_held(policy: Policy) -> None:
    """A held path that nobody registered cannot be made anew before its deletion is settled."""
    world = inbox(studio())
    world.records[UPLOAD.fact] = ObjectRecord(UPLOAD, parents=(INBOX,), held=True)

    assert judge(policy, world, Target("create", UPLOAD)).deciding.decision.refusal is Reason.OBJECT_HELD
