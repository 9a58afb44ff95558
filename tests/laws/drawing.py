"""What laws of the store are drawn with, and how a store is asked: changes as functions of a session, and decisions about what came of them."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway.policy import Policy, Question
from models.changes import ChangeError
from models.networks import canonical_address
from models.records import Facts, MissingFactError, ObjectKey, Record, ShareRecord, UserRecord, UserType
from models.store import Store
from models.vocabulary import Request, Resource, Subject

Change = Callable[[Session], object]


def examples(share: float) -> settings:
    """Returns how many worlds a law is tried in, as a share of what the chosen profile (`--long`) says."""
    return settings(max_examples=int(settings().max_examples * share))


def pick(values: Iterable[Any]) -> st.SearchStrategy[Any]:
    """Returns one of `values`."""
    return st.sampled_from(tuple(values))


def call(
    function: Callable[..., object], *args: st.SearchStrategy[Any], **kwargs: Any
) -> st.SearchStrategy[Change]:
    """Returns changes that call `function` with arguments drawn from `args`."""
    return st.tuples(*args).map(lambda drawn: lambda session: function(session, *drawn, **kwargs))


def attempt(session: Session, made: Change) -> None:
    """Makes a change, or is refused by a rule, which leaves the commit without it."""
    try:
        made(session)
    except ChangeError:
        return


class Loaded(Facts):
    """Facts for decisions, loaded as they are missed."""

    def __init__(self, store: Store, *keys: str) -> None:
        """Takes the store, and keys to load at once."""
        self._store = store
        self._records = dict(store.load(None, keys).records)

    def get(self, key: str) -> Record | None:
        """Returns a record, loading it with its closure where it is not at hand."""
        if key not in self._records:
            self._records.update(self._store.load(None, [key]).records)
        if key not in self._records:
            raise MissingFactError(key)
        return self._records[key]


class Asked(NamedTuple):
    """One question: a fact key of who asks (`user:ID`, `share:ID`) or `support`, an action, and an object or the own domain."""

    who: str
    action: str
    what: ObjectKey | None


Verdicts = dict[Asked, tuple[bool, str]]
"""What was decided: whether it is allowed, and the reason."""


def verdicts(
    policy: Policy,
    store: Store,
    who: Iterable[str],
    what: Iterable[ObjectKey | None],
    actions: Iterable[str] = ("read", "write", "delete", "change-acl"),
) -> Verdicts:
    """Returns what a policy decides now about everything that each of `who` may ask; the routes demand no role."""
    asked = tuple(what)
    asking = tuple(who)
    known = (one for one in asking if one != "support")
    facts = Loaded(store, *known, *(key.fact for key in asked if key is not None))
    request = Request(canonical_address("10.0.0.1"), datetime.now(UTC))
    return {
        each: _verdict(policy, facts, each, request)
        for each in _product(asking, tuple(actions), asked)
        if each.who == "support" or facts.get(each.who) is not None
    }


def _product(who: Iterable[str], actions: Iterable[str], what: Iterable[ObjectKey | None]) -> Iterator[Asked]:
    return (Asked(one, action, key) for one in who for action in actions for key in what)


FLOOR: dict[str, UserType] = {}


def _verdict(policy: Policy, facts: Facts, asked: Asked, request: Request) -> tuple[bool, str]:
    found = facts.get(asked.who) if asked.who != "support" else None
    subject = Subject(
        facts,
        found if isinstance(found, UserRecord) else None,
        FLOOR,
        "support" if asked.who == "support" else "",
        found if isinstance(found, ShareRecord) else None,
    )
    resource = Resource(facts, asked.what, request.now)
    if resource.is_held():  # closed to all, whatever a policy says
        return False, "held"
    decision = policy.decide(Question(subject, asked.action, resource, request))
    return decision.allowed, decision.reason
