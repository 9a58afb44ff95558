"""Attacks on the decision tree and on strict Oso: what a policy might smuggle past the recording, and what it may cost."""

import gc
import time
from pathlib import Path

import pytest

from gateway.policy import Policy, Question
from gateway.policy import meaning as meaning_module
from gateway.policy import tree as tree_module
from gateway.policy.strict import QUERY_MS, VOCABULARY
from gateway.reasons import Reason
from models.records import MAX_ANCESTORS, DomainRecord, ObjectKey, ObjectRecord, Permission, UserRecord
from models.vocabulary import Resource, Subject
from worlds import CLIP, TOP, World, question, studio

SHIPPED = {
    path.name: path.read_text() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.polar"))
}
GATES = 'gates(["signed-in"]); gate("signed-in", _s, _a, _o, _r);'
USED = 'use(_s, _a, _o, _r); permit(subject, action, resource, request, "x") if use(subject, action, resource, request) and '


def only(rule: str, **options: int) -> Policy:
    """Returns a policy in which `rule` is the only permit."""
    return Policy({"a.polar": f'{GATES} needs("read", "read"); needs("write", "write"); {rule}'}, **options)


def outcomes(policy: Policy, *questions: Question) -> list[str]:
    """Returns the reasons that strict Oso gives, and demands that the tree gives the same twice over."""
    strict = [str(policy.meaning.answer(each).decision.reason) for each in questions]
    for _ in range(3):
        assert [str(policy.decide(each).reason) for each in questions] == strict
    assert policy.counts.faults == 0
    return strict


SMUGGLED = {
    "a list of groups": (
        lambda self: list(self.principals),
        "gs = subject.smuggled() and subject.in_group(gs)",
    ),
    "a string": (lambda _: "crew", "subject.in_group(subject.smuggled())"),
    "an integer that is equal to True": (lambda _: 1, "subject.smuggled()"),
    "a float": (lambda _: 1.0, "not subject.smuggled() = false"),
    "nothing": (lambda _: None, "not subject.smuggled()"),
    "a class": (lambda _: Subject, "subject.smuggled() = Subject"),
    "an instance": (lambda self: self, "x = subject.smuggled() and x.is_active()"),
    "a nested list": (lambda _: [[True]], "[[true]] = subject.smuggled()"),
    "a list whose elements are compared": (lambda _: [1, 2], "x in subject.smuggled() and x > 1"),
}


@pytest.mark.parametrize(("answer", "rule"), SMUGGLED.values(), ids=SMUGGLED.keys())
def test_an_answer_is_yes_or_no_and_nothing_else(
    answer: object, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that answers otherwise refuses, also inside `not`, and nothing is learned from it."""
    monkeypatch.setattr(Subject, "smuggled", answer, raising=False)
    monkeypatch.setitem(VOCABULARY[Subject], "smuggled", 0)
    policy = only(f"{USED} {rule};")

    assert outcomes(policy, question(studio())) == [Reason.POLICY_ERROR]
    assert policy.counts.learned == 0


def test_an_answer_of_another_type_at_a_learned_place_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tree expects yes or no and gets 1, None or a list, it is strict Oso that answers, by refusing."""
    given: list[object] = [True]
    monkeypatch.setattr(Subject, "smuggled", lambda _self: given[0], raising=False)
    monkeypatch.setitem(VOCABULARY[Subject], "smuggled", 0)
    policy = only(f"{USED} subject.smuggled();")
    seen = []
    for value in (True, False, True, 1, 1.0, [True], None, 0, "yes", False, True):
        given[0] = value
        seen.append(str(policy.decide(question(studio())).reason))

    assert seen == ["x", "no-grant", "x", *["policy-error"] * 6, "no-grant", "x"]
    assert policy.counts.faults == 0


def other(world: World, name: str, **fields: object) -> Question:
    """Returns the question of one more user."""
    world.records[f"user:{name}"] = UserRecord(name, "home", **fields)  # type: ignore[arg-type]
    return question(world, who=name)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("x = subject and y = subject and x = y and resource.owned_by(x)", ["x", "no-grant"]),
        (
            "[one, *rest] = [subject, resource] and rest = [resource] and resource.owned_by(one)",
            ["x", "no-grant"],
        ),
        ('d = {who: subject, n: "q"} and d.n = "q" and resource.owned_by(d.who)', ["x", "no-grant"]),
        ("same(subject, who) and resource.owned_by(who); same(x, x)", ["x", "no-grant"]),
        ("forall(who in [1, 2], who > 0 and resource.owned_by(subject))", ["x", "no-grant"]),
        ('group in ["a", "crew"] and subject.in_group(group)', ["no-grant", "x"]),
        ("cut and resource.owned_by(subject)", ["x", "no-grant"]),
        ("held := resource.owned_by(subject) and held", ["x", "no-grant"]),
        ("resource.owned_by(subject) = true", ["x", "no-grant"]),
        ("resource.owned_by(subject) = 1", ["no-grant", "no-grant"]),
        ("resource.owned_by(subject) = 1.0", ["no-grant", "no-grant"]),
        ('resource.owned_by(subject) = "true"', ["no-grant", "no-grant"]),
        ("not resource.owned_by(subject) and subject matches Subject", ["no-grant", "x"]),
        ("(subject matches Object or action matches Integer)", ["no-grant", "no-grant"]),
        ('print("who", subject) and resource.owned_by(subject)', ["x", "no-grant"]),
    ],
)
def test_values_that_travel_through_a_policy_stay_the_askers_own(rule: str, expected: list[str]) -> None:
    """However a rule hands the asker around, another asker is judged by the own facts: first kim who owns, then lea."""
    world = studio()
    world.records["user:kim"] = UserRecord("kim", "home")
    world.records[CLIP.fact] = ObjectRecord(CLIP, registered=True, domain_id="home", owner_id="kim")
    policy = only(f"{USED} {rule};")

    assert outcomes(policy, question(world), other(world, "lea", group_ids=("crew",))) == expected
    assert policy.counts.walked > 0


COMPARED = ("subject = resource", "not subject = resource", "subject != resource", "subject in [resource]",
            "not resource in [subject]", "subject == subject", "request > 1")  # fmt: skip


@pytest.mark.parametrize("rule", COMPARED)
def test_instances_are_not_compared(rule: str) -> None:
    """A comparison of subject, resource or request refuses, also where it would be true and inside `not`."""
    assert outcomes(only(f"{USED} {rule};"), question(studio())) == [Reason.POLICY_ERROR]


FIELDS = 'permit(_s: Subject{is_admin: true}, _a, _o, _r, "x");'
UNSUPPORTED = {
    "a specialiser with fields": FIELDS,
    "an error of the machine inside not": f"{USED} not (1 < action);",
    "a free variable in a comparison": f"{USED} x > 1 and x < 0;",
    "arithmetic on strings inside not": f'{USED} not ("a" + 1 = 2);',
    "a class as an argument": f"{USED} not subject.in_group(Subject);",
    "a question asked of a class": f"{USED} not Subject.is_admin(subject);",
    "a float as an argument": f"{USED} not subject.in_group(1.0);",
    "nil as an argument": f"{USED} not subject.in_group(nil);",
    "a method of an answer": f"{USED} not subject.is_active().real = 0;",
    "a method of a list": f"{USED} l = [1] and not l.append(1);",
    "lists without end": f'{USED} d(99, ["a"], l) and not subject.in_group(l);'
    "d(0, l, l); d(n, l, r) if n > 0 and m = n - 1 and d(m, [l], r);",
    "a list too long": f"{USED} not subject.in_group([{', '.join('1' * 300)}]);",
}


@pytest.mark.parametrize("rule", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_cannot_be_meant_refuses_for_everyone(rule: str) -> None:
    """Such a rule is a policy error in tree and strict Oso alike, and never opens."""
    assert outcomes(only(rule), question(studio())) == [Reason.POLICY_ERROR]


def test_the_action_is_part_of_the_key() -> None:
    """A rule that compares the action asks nothing, so what one action taught does not answer another."""
    policy = only(
        'permit(_s, "read", _o, _r, "x"); permit(_s, action, _o, _r, "y") if action in ["write"] and action > "w";'
    )

    assert outcomes(policy, *(question(studio(), action=action) for action in ("read", "write"))) == [
        "x",
        "y",
    ]


def test_resource_blocks_without_relations_mean_what_they_say() -> None:
    """Roles and permissions of a resource block are rules like any other."""
    blocks = """
        actor Subject {}
        resource Object { permissions = ["read", "write"]; roles = ["viewer", "editor"];
                          "read" if "viewer"; "write" if "editor"; "viewer" if "editor"; }
        has_role(subject: Subject, "editor", resource: Object) if resource.owned_by(subject);
        has_role(subject: Subject, "viewer", _resource: Object) if subject.in_group("crew");
        permit(subject, action, resource, _r, "x") if has_permission(subject, action, resource);
    """
    world = studio()
    world.records[CLIP.fact] = ObjectRecord(CLIP, registered=True, domain_id="home", owner_id="lea")
    world.records["user:lea"] = UserRecord("lea", "home")
    asked = [question(world, who, action) for who in ("kim", "lea") for action in ("read", "write")]

    assert outcomes(only(blocks), *asked) == ["x", "no-grant", "x", "x"]


def test_a_relation_in_a_resource_block_refuses() -> None:
    """Walking relations would hand objects to a policy; `inherits` is the question for it."""
    blocks = """
        actor Subject {}
        resource Object { permissions = ["read"]; roles = ["viewer"]; relations = {parent: Object};
                          "read" if "viewer"; "viewer" if "viewer" on "parent"; }
        has_role(subject: Subject, "viewer", resource: Object) if resource.owned_by(subject);
        has_relation(up: Object, "parent", resource: Object) if up.exists() and resource.exists();
        permit(subject, action, resource, _r, "x") if has_permission(subject, action, resource);
    """

    assert outcomes(only(blocks), question(studio())) == [Reason.POLICY_ERROR]


def test_trees_serve_the_exact_classes_only() -> None:
    """A subclass may answer a type test otherwise, so it never walks what the class has taught."""

    class Robot(Subject):
        pass

    policy = only(f"{USED} subject.is_active();")
    plain = question(studio())
    assert outcomes(policy, plain) == ["x"]
    robot = Robot(studio(), plain.subject.user, {})
    walked = policy.counts.walked

    assert (
        policy.decide(Question(robot, "read", plain.resource, plain.request)).refusal is Reason.POLICY_ERROR
    )
    assert policy.counts.walked == walked


def test_a_text_that_oso_cannot_take_refuses() -> None:
    """Half a surrogate pair as action is a policy error and no crash."""
    assert (
        only(f"{USED} subject.is_active();").decide(question(studio(), action="\ud800")).refusal
        is Reason.POLICY_ERROR
    )


ENDLESS = f"{USED} f(a) and f(b) and f(c) and f(d) and f(e) and f(g) and f(h) and a+b+c+d+e+g+h = 1; f(n) if n in [1,2,3,4,5,6,7,8,9];"


def test_a_question_without_end_is_refused_in_time_and_not_remembered() -> None:
    """What Oso does not finish within its time is refused, counted, and asked anew the next time."""
    policy = only(ENDLESS)
    begun = time.monotonic()
    decision = policy.decide(question(studio()))

    assert time.monotonic() - begun < 10 * QUERY_MS / 1000  # a loaded machine; alone it is one QUERY_MS
    assert decision.refusal is Reason.POLICY_ERROR
    assert "timeout" in decision.detail
    assert (policy.counts.bounded, policy.counts.learned) == (1, 0)


def test_the_time_is_one_for_all_gates_and_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many quick queries have no more time than one long, and the refusal names the gate at which it ran out."""
    monkeypatch.setattr(meaning_module, "QUESTION_SECONDS", -1.0)
    policy = Policy(SHIPPED)
    decision = policy.decide(question(studio()))

    assert decision.refusal is Reason.POLICY_ERROR
    assert decision.detail == 'gate "signed-in": the question took too long'
    assert decision.rule.startswith("gates.polar:")
    assert (policy.counts.bounded, policy.counts.learned) == (1, 0)


def test_a_machine_that_is_late_does_not_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question whose time passed while something else had the processor is asked again; one that always takes it is refused."""
    asked: list[str] = []

    def late_once(self: Subject) -> bool:
        asked.append(self.user.id if self.user else "")
        if len(asked) == 1:
            time.sleep(QUERY_MS / 1000 * 1.2)
        return True

    monkeypatch.setattr(Subject, "is_active", late_once)
    policy = only("use(subject, _a, _o, _r) if subject.is_active(); " + USED + "subject.is_active();")

    assert policy.decide(question(studio())).allowed
    assert (policy.counts.bounded, policy.counts.learned) == (0, 1)
    assert len(asked) == 3


def test_the_collector_waits_for_a_question() -> None:
    """However much there is to collect, no question is late for it; afterwards it goes on, if it did before."""
    runs: list[str] = []

    def collected(phase: str, _info: dict[str, int]) -> None:
        runs.append(phase)

    policy, asked = Policy(SHIPPED), question(studio())
    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1, 1, 1)
    try:
        runs.clear()
        answer = policy.meaning.answer(asked)
        during = len(runs)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collected)
    assert answer.decision.allowed
    assert during <= 2  # what was made before and after
    assert gc.isenabled()


def test_a_path_beyond_the_bound_is_refused_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the rule that decided at the end of the path that was too long."""
    monkeypatch.setattr(tree_module, "MAX_STEPS", 5)
    policy = Policy(SHIPPED)
    decision = policy.decide(question(studio()))

    assert decision.refusal is Reason.POLICY_ERROR
    assert decision.rule.startswith("permits.polar:")
    assert policy.counts.bounded == 1


def test_a_full_tree_refuses_new_paths_and_serves_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned before the tree was full stays."""
    policy = Policy(SHIPPED)
    known = policy.decide(question(studio()))
    monkeypatch.setattr(tree_module, "MAX_NODES", policy._trees["read"].nodes)  # noqa: SLF001

    assert policy.decide(question(studio())) == known
    assert policy.decide(question(studio(), who=None)).refusal is Reason.POLICY_ERROR
    assert policy.counts.bounded == 1


def chain(depth: int, wide: int = 1) -> World:
    """Returns a clip below `depth` collections, each of them beside `wide - 1` others; the top grants to kim's crew."""
    levels = [[ObjectKey("collection", f"{level}-{at}") for at in range(wide)] for level in range(depth)]
    world = studio()
    below = [CLIP]
    for level in levels:
        for key in below:
            world.records[key.fact] = ObjectRecord(
                key, registered=True, domain_id="home", parents=tuple(level)
            )
        below = level
    grants = {"group:crew": Permission.READ}
    for key in below:
        world.records[key.fact] = ObjectRecord(key, registered=True, domain_id="home", propagating=grants)
    return world


@pytest.mark.parametrize(("depth", "wide"), [(1, 1), (6, 1), (64, 1), (1, 200), (64, 3), (3, 200)])
def test_depth_and_parents_cost_no_path(depth: int, wide: int) -> None:
    """Inheritance through 64 levels or from 200 parents is one question, and walks the path that one level taught."""
    policy = Policy(SHIPPED)
    policy.decide(question(studio()))

    assert policy.decide(question(chain(depth, wide))).reason == "inherited-acl"
    assert (policy.counts.learned, policy.counts.walked) == (1, 1)
    assert outcomes(policy, question(chain(depth, wide))) == ["inherited-acl"]


def test_more_ancestors_than_the_bound_refuse_in_tree_and_strict_oso() -> None:
    """A question that meets the bound of facts is refused and counted, and not remembered."""
    world = chain(1)
    many = tuple(ObjectKey("collection", str(number)) for number in range(MAX_ANCESTORS + 1))
    world.records[CLIP.fact] = ObjectRecord(CLIP, registered=True, domain_id="home", parents=(TOP,))
    world.records[TOP.fact] = ObjectRecord(TOP, registered=True, domain_id="home", parents=many)
    policy = Policy(SHIPPED)
    policy.decide(question(studio()))
    decision = policy.decide(question(world))

    assert decision.refusal is Reason.POLICY_ERROR
    assert "inherits" in decision.detail or "ancestors" in decision.detail
    assert (policy.counts.bounded, policy.counts.learned) == (1, 1)


def test_facts_without_a_domain_record_are_strictly_the_same() -> None:
    """A domain that does not exist refuses alike in tree and strict Oso."""
    world = studio()
    gone = World(
        *((key, record) for key, record in world.records.items() if not isinstance(record, DomainRecord))
    )
    policy = Policy(SHIPPED)

    assert outcomes(policy, question(world), question(gone)) == ["inherited-acl", "domain"]
    assert isinstance(question(gone).resource, Resource)
