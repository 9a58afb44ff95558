"""Tests of gateway.policy.sharing: a visitor's decision is that of the policy about the visitor and about who shared."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.bundle import read_policy
from gateway.policy import Decision, Policy, Question
from gateway.policy.sharing import through_share
from models.networks import canonical_address
from models.records import GroupRecord, ShareRecord
from models.vocabulary import Request, Resource, Subject
from worlds import CLIP, ROLE_FLOOR, TOP, World, studio

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SHARE = ShareRecord("s", "home", "kim", TOP, frozenset({"view"}), NOON + timedelta(hours=1))
FLOOR = {**ROLE_FLOOR, "can_write_shares": ROLE_FLOOR["can_write_assets"]}


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(Path(__file__).parents[2] / "policies")


def sharing(world: World) -> World:
    """Lets Kim's group share."""
    world.records["group:crew"] = GroupRecord("crew", "home", frozenset(FLOOR))
    return world


def visits(world: World, share: ShareRecord = SHARE, action: str = "read") -> Question:
    """Returns what a visitor of a share asks about the clip."""
    subject = Subject(world, None, FLOOR, share=share)
    return Question(
        subject, action, Resource(world, CLIP, NOON), Request(canonical_address("10.0.0.1"), NOON)
    )


def test_a_visitor_is_allowed_what_the_sharer_is(policy: Policy) -> None:
    """With the role to share and a right to read, Kim's share lets its visitor look; strict Oso says the same."""
    asked = visits(sharing(studio()))

    assert (policy.decide(asked).allowed, policy.decide(asked).reason) == (True, "share")
    assert policy.strictly(asked) == policy.decide(asked)


def test_the_sharers_refusal_is_the_visitors(policy: Policy) -> None:
    """Once Kim has lost the role, the entry or the account, the visitor is refused, and the audit learns why."""
    without_role = policy.decide(visits(studio()))
    world = sharing(studio())
    del world.records[TOP.fact]
    without_entry = policy.decide(visits(world))
    gone = policy.decide(visits(sharing(studio()), replace(SHARE, owner_id="nobody")))

    for decision, why in ((without_role, "role"), (gone, "signed-in")):
        assert (decision.allowed, decision.reason, decision.detail) == (
            False,
            "sharer",
            f"who shared it is refused as {why}",
        )
        assert decision.rule.startswith("gates.polar:")
    assert without_entry.allowed is False


def test_whoever_has_no_share_is_asked_about_once() -> None:
    """A user's decision costs no second question, nor does a visitor's refusal."""
    asked: list[Question] = []

    def refusing(question: Question) -> Decision:
        asked.append(question)
        return Decision(allowed=False, reason="no-grant")

    through_share(visits(sharing(studio())), refusing)
    assert len(asked) == 1
