"""Tests of gateway.reception: one place where visits are looked at, made longer and ended, for visitors alone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.identity import credential_in
from gateway.limits import Rates
from gateway.reasons import Reason
from gateway.reception import Reception
from gateway.settings.rates import RatesSection
from models import changes
from models.store import Store
from sharing import link_to, shared
from stores import change

HERE = IPAddress("192.0.2.1")
SOON = datetime.now(UTC) + timedelta(hours=1)


def told(cast: Store, story: Callable[[Reception], Awaitable[None]], rates: Rates | None = None) -> None:
    """Runs a story at a reception."""

    async def run() -> None:
        facts = FactsKeeper(cast, poll_interval=60, max_staleness=60, max_records=100)
        await facts.start()
        try:
            await story(Reception(cast, facts, rates))
        finally:
            await facts.stop()

    asyncio.run(run())


async def reason(asked: Awaitable[object]) -> Reason:
    """Returns why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked
    return caught.value.reason


def test_a_visit_begins_goes_on_and_ends_here(cast: Store) -> None:
    """Its token names it until it is ended; from then on it is revoked."""
    share = shared(cast, SOON)
    _, link = link_to(cast, share, "eve@x.example")

    async def story(reception: Reception) -> None:
        visit = await reception.sign_in(link, "", HERE, "r")
        credential = credential_in(visit.text.encode())
        identity = await reception.visitor(credential, HERE, [])
        for found in (await reception.shown(identity), await reception.prolonged(identity, HERE, "r")):
            assert (found.share_id, found.email, found.text) == (share, "eve@x.example", "")
        assert (await reception.ended(identity, "r")).token_id == visit.token_id
        assert await reason(reception.visitor(credential, HERE, [])) is Reason.CREDENTIAL_REVOKED
        assert await reason(reception.prolonged(identity, HERE, "r")) is Reason.LINK_CLOSED

    told(cast, story)


def test_what_was_taken_back_meanwhile_is_no_visit(cast: Store) -> None:
    """Between the look at the token and the question its share may go."""
    share = shared(cast, SOON)
    _, link = link_to(cast, share)

    async def story(reception: Reception) -> None:
        visit = await reception.sign_in(link, "", HERE, "r")
        identity = await reception.visitor(credential_in(visit.text.encode()), HERE, [])
        with change(cast) as session:
            changes.remove_share(session, share)
        for asked in (reception.shown(identity), reception.ended(identity, "r")):
            assert await reason(asked) is Reason.CREDENTIAL_UNKNOWN

    told(cast, story)


def test_a_token_that_is_no_visitors_is_a_guess(cast: Store) -> None:
    """A user's own is refused as an unknown one, and both use up the guesses of the address."""
    with change(cast) as session:
        changes.create_application(session, "main", "tests", id_="tests")
        _, text = changes.issue_token(session, "ben", "tests")
    rates = Rates(RatesSection.model_validate({"guesses": "1/h", "guesses_burst": 2}), 1)

    async def story(reception: Reception) -> None:
        for token in (text, "mg_none"):
            asked = reception.visitor(credential_in(token.encode()), HERE, [])
            assert await reason(asked) is Reason.CREDENTIAL_UNKNOWN
        asked = reception.visitor(credential_in(text.encode()), HERE, [])
        assert await reason(asked) is Reason.GUESS_RATE

    told(cast, story, rates)
