"""Tests of gateway.policy.tree and how the policy uses it: what is learned is walked, and never wrongly."""

import logging
from pathlib import Path

import pytest

from gateway.policy import Decision, Policy
from gateway.policy import tree as tree_module
from gateway.policy.tree import Asked, Tree, TreeBoundError, TreeFaultError
from gateway.reasons import Reason
from models.records import GroupRecord, MissingFactError, ObjectRecord, Permission, UserRecord
from worlds import CLIP, TOP, question, studio

SHIPPED = {
    path.name: path.read_text() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.polar"))
}
YES, NO = Decision(allowed=True, reason="yes"), Decision(allowed=False, reason="no-grant")


def test_a_path_is_learned_once_and_then_walked() -> None:
    """The second question that takes the same path asks no Oso."""
    policy = Policy(SHIPPED)
    first = policy.decide(question(studio()))
    second = policy.decide(question(studio()))

    assert first == second
    assert (policy.counts.learned, policy.counts.walked) == (1, 1)


def test_the_walk_asks_with_the_askers_own_facts() -> None:
    """Another user on the same tree is judged by the own groups, not by those of whoever taught it."""
    policy = Policy(SHIPPED)
    world = studio()
    world.records["user:otto"] = UserRecord("otto", "home")
    world.records["group:other"] = GroupRecord("other", "home")
    world.records["user:oli"] = UserRecord("oli", "home", group_ids=("other",))

    assert policy.decide(question(world)).allowed
    assert [policy.decide(question(world, who=who)).allowed for who in ("otto", "oli", "kim")] == [
        False,
        False,
        True,
    ]


def test_a_changed_fact_changes_the_walk() -> None:
    """A grant that is taken away is gone for the next question: no answer is remembered."""
    policy = Policy(SHIPPED)
    world = studio()
    seen = [policy.decide(question(world)).allowed for _ in range(3)]
    world.records[TOP.fact] = ObjectRecord(TOP, registered=True, domain_id="home")
    seen += [policy.decide(question(world)).allowed for _ in range(3)]

    assert seen == [True] * 3 + [False] * 3


def test_a_missing_fact_leaves_the_walk() -> None:
    """A fact that is not at hand stops a walk as it stops strict Oso, and nothing is learned from it."""
    policy = Policy(SHIPPED)
    world = studio()
    policy.decide(question(world))
    world.missing = frozenset(("object:collection:top",))

    with pytest.raises(MissingFactError):
        policy.decide(question(world))
    assert policy.counts.learned == 1


def test_actions_that_no_file_describes_have_no_tree() -> None:
    """Words that a client makes up cannot fill memory."""
    policy = Policy(SHIPPED)
    for number in range(20):
        policy.decide(question(studio(), action=f"made-up-{number}"))

    assert policy.counts.learned == policy.counts.walked == 0


def test_a_lasting_policy_error_is_remembered() -> None:
    """An error that the same answers always lead to costs Oso once."""
    policy = Policy({**SHIPPED, "0.polar": 'permit(subject, _a, _o, _r, "x") if subject.no_such();'})
    decisions = {policy.decide(question(studio())) for _ in range(3)}

    assert {decision.reason for decision in decisions} == {Reason.POLICY_ERROR}
    assert (policy.counts.learned, policy.counts.walked) == (1, 2)


def test_a_question_that_fails_is_strict_osos_to_judge() -> None:
    """A question that raises is a policy error each time, and is not remembered."""
    policy = Policy(
        {**SHIPPED, "0.polar": 'permit(_s, _a, _o, request, "x") if request.from_network("nonsense");'}
    )
    decisions = [policy.decide(question(studio())).reason for _ in range(3)]

    assert decisions == [Reason.POLICY_ERROR] * 3
    assert policy.counts.learned == 0


def test_a_share_of_walks_is_decided_again() -> None:
    """One of so many walks goes to strict Oso as well."""
    policy = Policy(SHIPPED, check_every=10)
    for _ in range(101):
        policy.decide(question(studio()))

    assert (policy.counts.walked, policy.counts.checked, policy.counts.faults) == (100, 10, 0)


def test_a_wrong_tree_is_noticed_dropped_and_overruled(caplog: pytest.LogCaptureFixture) -> None:
    """A difference is an alarm; strict Oso's answer counts, and the trees begin anew."""
    policy = Policy(SHIPPED, check_every=2)
    policy.decide(question(studio()))
    policy._trees["read"].root = YES  # noqa: SLF001 - the damage that is to be noticed

    with caplog.at_level(logging.CRITICAL):
        seen = [policy.decide(question(studio(), who=None)) for _ in range(3)]

    assert [decision.reason for decision in seen] == ["yes", Reason.SIGNED_IN, Reason.SIGNED_IN]
    assert policy.counts.faults == 1
    assert "dropped" in caplog.text


def ask(word: str, *arguments: object, answer: bool = True) -> Asked:
    """Returns a question to the subject of `QUESTION`."""
    return Asked(QUESTION.subject, word, arguments, answer)


QUESTION = question(studio())


def test_a_path_that_contradicts_the_recording_is_a_fault() -> None:
    """The same answers must lead to the same question, and to the same decision."""
    tree = Tree()
    tree.learn(QUESTION, [ask("is_admin"), ask("is_active")], YES)

    for path, decision in (
        ([ask("is_admin"), ask("is_signed_in")], YES),
        ([ask("is_active")], YES),
        ([ask("is_admin"), ask("is_active")], NO),
        ([ask("is_admin")], YES),
        ([ask("is_admin"), ask("is_active"), ask("is_signed_in")], YES),
    ):
        with pytest.raises(TreeFaultError):
            tree.learn(QUESTION, path, decision)


def test_the_same_path_may_be_learned_again() -> None:
    """Two questions that were cold at once teach the same thing."""
    tree = Tree()
    for _ in range(2):
        tree.learn(QUESTION, [ask("is_admin"), ask("is_active")], YES)

    assert tree.nodes == 2


def test_a_question_that_a_path_repeats_is_asked_once() -> None:
    """What a path has asked stands in it once; two answers to it are a fault."""
    tree = Tree()
    tree.learn(QUESTION, [ask("is_admin"), ask("is_active"), ask("is_admin")], YES)

    assert tree.nodes == 2
    with pytest.raises(TreeFaultError):
        Tree().learn(QUESTION, [ask("is_admin"), ask("is_admin", answer=False)], YES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1",), (1,)),
        ((1,), (True,)),
        ((0,), (False,)),
        (([1],), (1,)),
        (([1, 2],), ([2, 1],)),
        (([[1]],), ([1],)),
    ],
)
def test_literals_are_told_apart_by_type_and_shape(
    one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    """Arguments that Python takes for equal are different questions."""
    tree = Tree()
    tree.learn(QUESTION, [ask("has_role", *one)], YES)

    with pytest.raises(TreeFaultError):
        tree.learn(QUESTION, [ask("has_role", *other)], YES)


def test_instances_become_registers_and_not_constants() -> None:
    """An argument that is the asker stands for whoever asks next (the fault of a list passed back as an argument)."""
    tree = Tree()
    tree.learn(QUESTION, [Asked(QUESTION.resource, "owned_by", (QUESTION.subject,), False)], NO)
    owned = studio()
    owned.records[CLIP.fact] = ObjectRecord(CLIP, registered=True, domain_id="home", owner_id="kim")

    assert tree.walk(question(studio())) == NO
    assert tree.walk(question(owned)) is None


def test_trees_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a path nor a tree grows beyond its bound, and the policy refuses and counts what does."""
    monkeypatch.setattr(tree_module, "MAX_STEPS", 5)
    with pytest.raises(TreeBoundError):
        Tree().learn(QUESTION, [ask("in_group", str(number)) for number in range(6)], YES)
    policy = Policy(SHIPPED)
    decision = policy.decide(question(studio()))

    assert (decision.allowed, decision.reason) == (False, Reason.POLICY_ERROR)
    assert policy.counts.bounded == 1


def test_paths_of_hundreds_of_questions_are_walked() -> None:
    """A policy that asks many questions is learned and walked without nesting."""
    rules = "\n".join(
        f'permit(subject, _a, _o, _r, "g{number}") if subject.in_group("g{number}");' for number in range(300)
    )
    policy = Policy({**SHIPPED, "z.polar": rules})
    world = studio()
    world.records["user:kim"] = UserRecord("kim", "home", group_ids=("g299",))
    world.records[TOP.fact] = ObjectRecord(
        TOP, registered=True, domain_id="home", propagating={"user:x": Permission.READ}
    )

    assert [policy.decide(question(world)).reason for _ in range(2)] == ["g299"] * 2
    assert policy.counts.walked == 1
