"""Tests of gateway.policy: how a policy answers, and what strict Oso refuses."""

from pathlib import Path

import pytest

from gateway.errors import PolicyFileError
from gateway.policy import Policy
from gateway.reasons import Reason
from models.records import GroupRecord, MissingFactError, ObjectKey, UserRecord, UserType
from worlds import ROLE_FLOOR, World, question, studio

SHIPPED = {
    path.name: path.read_text() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.polar"))
}


def policy_with(rule: str) -> Policy:
    """Returns the shipped policy with one more rule in a file that is read first."""
    return Policy({**SHIPPED, "0.polar": rule})


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return Policy(SHIPPED)


def test_an_inherited_entry_allows_and_names_its_rule(policy: Policy) -> None:
    """An allowed question names the permit's reason, file and line."""
    decision = policy.decide(question(studio()))

    assert (decision.allowed, decision.reason) == (True, "inherited-acl")
    assert decision.rule.startswith("permits.polar:")


def test_the_first_gate_that_does_not_hold_is_the_reason(policy: Policy) -> None:
    """A caller who fails several gates is refused by the first in the stated order."""
    decision = policy.decide(question(studio(), who=None, what=ObjectKey("asset", "none")))

    assert (decision.allowed, decision.refusal) == (False, Reason.SIGNED_IN)
    assert decision.rule.startswith("gates.polar:")


def test_no_permit_is_no_grant(policy: Policy) -> None:
    """Without a permit that holds the question is refused: default deny."""
    assert policy.decide(question(studio(), action="delete")).refusal is Reason.NO_GRANT


def test_a_missing_fact_is_no_answer(policy: Policy) -> None:
    """A fact that is not at hand leaves as MissingFactError, never as a verdict."""
    world = studio()
    world.missing = frozenset(("object:collection:top",))

    with pytest.raises(MissingFactError):
        policy.decide(question(world))


HOSTILE = {
    "an attribute inside not": 'permit(_s, _a, resource, _r, "x") if not resource.missing;',
    "an unknown question inside not": 'permit(subject, _a, _o, _r, "x") if not subject.is_banned();',
    "an unbound variable handed to a question": 'permit(subject, _a, _o, _r, "x") if not subject.has_role(x) and x = "y";',
    "an error inside forall": 'permit(subject, _a, _o, _r, "x") if forall(y in [1], subject.no_such(y));',
    "an error in one branch while the other holds": 'permit(subject, _a, _o, _r, "x") if subject.oops() or 1 = 1;',
    "the object model through a string": 'permit(_s, _a, _o, _r, "x") if "".__class__ = _c;',
    "the object model through the action": 'permit(_s, action, _o, _r, "x") if action.upper() = "READ";',
    "a private attribute": 'permit(subject, _a, _o, _r, "x") if subject._facts = _f;',
    "a property that is not a question": 'permit(subject, _a, _o, _r, "x") if "user:kim" in subject.principals;',
    "a constructor": 'permit(_s, _a, _o, _r, "x") if _y = new Object(1, 2);',
    "the debugger": 'permit(_s, _a, _o, _r, "x") if debug();',
    "a comparison of instances": 'permit(subject, _a, resource, _r, "x") if subject < resource;',
    "iteration over an instance": 'permit(subject, _a, _o, _r, "x") if _y in subject;',
    "too many arguments": 'permit(subject, _a, _o, _r, "x") if not subject.is_admin("really");',
    "keyword arguments": 'permit(subject, _a, _o, _r, "x") if not subject.has_role(role: "x");',
    "a dictionary as an argument": 'permit(subject, _a, _o, _r, "x") if not subject.has_role({a: 1});',
    "a question that raises": 'permit(_s, _a, _o, request, "x") if not request.from_network("nonsense");',
    "endless recursion": 'permit(_s, _a, resource, _r, "x") if loop(resource); loop(x) if loop(x);',
    "a reason that is no literal of a permit": 'permit(_s, _a, _o, _r, "x") if 1 = "a" + 1;',
}


@pytest.mark.parametrize("rule", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_error_refuses_as_policy_error(rule: str) -> None:
    """What strict Oso does not admit leaves the query and refuses; it is never swallowed by `not`."""
    decision = policy_with(rule).decide(question(studio()))

    assert (decision.allowed, decision.refusal) == (False, Reason.POLICY_ERROR)
    assert decision.detail


def test_inline_queries_run_under_the_same_rules() -> None:
    """A `?=` in a policy file cannot reach Python at load."""
    with pytest.raises(PolicyFileError, match="__class__"):
        policy_with('?= "".__class__ = _x;')


BROKEN = {
    "syntax": ("permit(a b);", r"0\.polar:1: "),
    "a permit without a literal": ("permit(_s, _a, _o, _r, why) if why = 1;", r"0\.polar:1: write permit"),
    "a reason given twice": ('permit(_s, _a, _o, _r, "admin");', "already given"),
    "a gate that is not in the order": ('gate("mine", _s, _a, _o, _r);', "never be asked"),
    "a gate of another shape": ('gate("role", _s);', "write gate"),
    "a second order": ('gates(["role"]);', "exactly once"),
    "an unbound specialiser": ('permit(_s: Nobody, _a, _o, _r, "x");', "Nobody"),
}


@pytest.mark.parametrize(("rule", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_policy_is_refused_at_load_with_its_place(rule: str, says: str) -> None:
    """A policy that cannot mean anything does not load, and the message says where and what."""
    with pytest.raises(PolicyFileError, match=says):
        policy_with(rule)


def test_a_policy_without_an_order_of_gates_does_not_load() -> None:
    """An empty set of files is no policy."""
    with pytest.raises(PolicyFileError, match="order of the gates"):
        Policy({"a.polar": 'permit(_s, _a, _o, _r, "x");'})


def test_a_gate_that_is_no_reason_of_refusal_does_not_load() -> None:
    """A gate cannot invent a reason outside the closed set."""
    text = 'gates(["moon-phase"]); gate("moon-phase", _s, _a, _o, _r); permit(_s, _a, _o, _r, "x");'

    with pytest.raises(PolicyFileError, match="not a reason of refusal"):
        Policy({"a.polar": text})


def test_explain_shows_every_gate_and_permit(policy: Policy) -> None:
    """An explanation lists all gates in order, then all permits, each with its own verdict."""
    steps = list(policy.explain(question(studio(), action="delete")))

    assert [step.name for step in steps if step.kind == "gate"] == list(policy.gates)
    assert [step.name for step in steps if step.kind == "permit"] == list(policy.reasons)
    assert {step.name for step in steps if step.kind == "permit" and step.holds} == set()


def test_explain_shows_a_policy_error_where_it_is() -> None:
    """A rule that raises is shown as neither holding nor not holding."""
    steps = policy_with('permit(subject, _a, _o, _r, "x") if subject.oops();').explain(question(studio()))

    assert [step.holds for step in steps if step.name == "x"] == [None]


def test_a_mistyped_gate_refuses() -> None:
    """A gate whose condition can never hold closes; nothing opens by mistake."""
    mistyped = SHIPPED["gates.polar"].replace(
        'gate("network", subject, _action', 'gate("network", subject, "reed"'
    )
    policy = Policy({**SHIPPED, "gates.polar": mistyped})

    assert policy.decide(question(studio())).refusal is Reason.NETWORK


def test_only_power_users_are_admins(policy: Policy) -> None:
    """An admin flag on a user who is not POWER gives nothing."""
    world = World(*studio().records.items(), ("user:sly", UserRecord("sly", "home", is_admin=True)))

    assert (
        policy.decide(question(world, who="sly", action="delete", floor=ROLE_FLOOR)).refusal
        is Reason.NO_GRANT
    )


def test_an_action_that_no_file_describes_is_for_admins_and_owners_alone(policy: Policy) -> None:
    """An action without `needs` is granted by no entry, whatever permissions it has."""
    world = World(
        *studio().records.items(), ("user:ada", UserRecord("ada", "home", UserType.POWER, is_admin=True))
    )

    assert policy.decide(question(world, action="teleport")).refusal is Reason.NO_GRANT
    assert policy.decide(question(world, who="ada", action="teleport")).reason == "admin"


def test_a_role_that_is_not_in_the_catalogue_is_held_by_power_users_only(policy: Policy) -> None:
    """A role that roles.yaml does not know is capped like the highest."""
    world = studio()
    world.records["group:crew"] = GroupRecord("crew", "home", frozenset(("unheard_of",)))
    world.records["user:pia"] = UserRecord("pia", "home", UserType.POWER, group_ids=("crew",))

    assert policy.decide(question(world, roles=("unheard_of",))).refusal is Reason.ROLE
    assert policy.decide(question(world, who="pia", roles=("unheard_of",))).allowed
