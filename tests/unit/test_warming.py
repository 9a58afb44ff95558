"""Tests of gateway.warming: a new bundle is asked what was asked lately, as far as facts are at hand."""

import asyncio
from pathlib import Path

import pytest

from gateway.bundle import Bundle, load_bundle
from gateway.identity import ANONYMOUS, Identity, Proof
from gateway.routes import Operation, Row, Target
from gateway.routes.templates import Template
from gateway.warming import EVERY, KEPT, Recent
from models.networks import canonical_address
from models.records import UserRecord
from policy_folders import policies_in
from worlds import CLIP, TOP, World, studio

ADDRESS = canonical_address("10.0.0.1")
ROW = Row(place="t.yaml:1", methods=("GET",), template=Template.of("/"), upstream="media")


def operation(*targets: Target) -> Operation:
    """Returns an operation of a route without roles."""
    return Operation(ROW, targets, {})


@pytest.fixture(name="bundle")
def fresh_bundle(tmp_path: Path) -> Bundle:
    """A bundle that nobody asked anything yet."""
    return load_bundle(policies_in(tmp_path), {"media"}, proved=True)


def kim(world: World) -> Identity:
    """Returns Kim as somebody who was identified."""
    record = world.get("user:kim")
    assert isinstance(record, UserRecord)
    return Identity(record, Proof.BEARER)


def test_recent_questions_are_learned_before_the_bundle_decides(bundle: Bundle) -> None:
    """What was asked is met before: asking it again needs no strict Oso."""
    world, recent = studio(), Recent()
    for target in (Target("read", CLIP), Target("read", CLIP), Target("delete", TOP)):
        recent.note(kim(world), operation(target), ADDRESS)

    assert asyncio.run(recent.warm(bundle, world)) == 3
    learned = bundle.policy.counts.learned
    assert learned >= 2
    assert asyncio.run(recent.warm(bundle, world)) == 3
    assert bundle.policy.counts.learned == learned


def test_questions_whose_facts_are_gone_are_skipped(bundle: Bundle) -> None:
    """Warming loads nothing: what is not at hand is left out, the rest is asked."""
    world, recent = studio(), Recent()
    world.missing = frozenset((TOP.fact,))
    recent.note(kim(world), operation(Target("read", CLIP)), ADDRESS)
    recent.note(ANONYMOUS, operation(Target("read", None)), ADDRESS)

    assert asyncio.run(recent.warm(bundle, world)) == 1


def test_late_questions_replace_early_ones(bundle: Bundle) -> None:
    """However many came before: what a new bundle is asked follows what clients ask now."""
    world, recent = studio(), Recent()
    for _ in range(2 * KEPT):
        recent.note(kim(world), operation(Target("read", CLIP)), ADDRESS)
    for _ in range(KEPT * EVERY):
        recent.note(ANONYMOUS, operation(Target("read", None)), ADDRESS)
    world.missing = frozenset((CLIP.fact,))

    assert asyncio.run(recent.warm(bundle, world)) == KEPT


def test_the_number_of_questions_is_bounded(bundle: Bundle) -> None:
    """Only the latest are kept."""
    world, recent = studio(), Recent()
    for _ in range(KEPT + 10):
        recent.note(kim(world), operation(Target("read", CLIP)), ADDRESS)

    assert asyncio.run(recent.warm(bundle, world)) == KEPT
