"""Trying links: bounded by guesses of a link and of an address, and few at a time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.limits import GUESSES, Rates
from gateway.link_desk import AT_ONCE, WAITING, LinkDesk
from gateway.reasons import Reason
from gateway.settings.rates import RatesSection
from models import changes
from models.passwords import Hashed
from models.sign_in import Visit
from models.store import Store
from stores import CLIP, change

HERE, THERE = IPAddress("192.0.2.1"), IPAddress("198.51.100.1")


def link_of(store: Store) -> str:
    """Returns a link to a new share without a password."""
    with change(store) as session:
        share = changes.create_share(session, "ben", CLIP, expires=datetime.now(UTC) + timedelta(hours=1))
        return changes.add_recipient(session, share.id)[1]


def locked_of(store: Store) -> str:
    """Returns a link to a new share whose password nobody knows."""
    with change(store) as session:
        end = datetime.now(UTC) + timedelta(hours=1)
        share = changes.create_share(session, "ben", CLIP, expires=end, password=Hashed("$argon2id$x"))
        return changes.add_recipient(session, share.id)[1]


async def reasons(desk: LinkDesk, link: str, times: int, client: IPAddress = HERE) -> list[Reason]:
    """Returns why each of some tries is refused."""
    found = []
    for _ in range(times):
        with pytest.raises(GatewayError) as caught:
            await desk.sign_in(link, "wrong", client, "r")
        found.append(caught.value.reason)
    return found


def test_a_link_has_few_guesses_whether_it_exists_or_not(cast: Store) -> None:
    """From whatever address; a try that is let in uses none up."""

    async def story() -> None:
        desk, locked, plain = LinkDesk(cast, None), locked_of(cast), link_of(cast)
        for link in (locked, "none"):
            assert set(await reasons(desk, link, GUESSES)) == {Reason.LINK_CLOSED}
            assert await reasons(desk, link, 1, THERE) == [Reason.GUESS_RATE]
        for _ in range(GUESSES + 1):
            assert await desk.sign_in(plain, "", HERE, "r")

    asyncio.run(story())


def test_an_address_has_the_guesses_of_the_rates(cast: Store) -> None:
    """Wrong links and wrong credentials are counted together, and no link is looked at once they are used up."""

    async def story() -> None:
        rates = Rates(RatesSection.model_validate({"guesses": "1/h", "guesses_burst": 2}), 1)
        desk, plain = LinkDesk(cast, rates), link_of(cast)
        rates.failed(HERE)
        assert await reasons(desk, "none", 1) == [Reason.LINK_CLOSED]
        assert await reasons(desk, plain, 1) == [Reason.GUESS_RATE]
        assert await desk.sign_in(plain, "", THERE, "r")

    asyncio.run(story())


def test_few_are_tried_at_a_time_and_some_wait(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound of those who wait one is refused at once, and nobody is forgotten."""
    running, most = 0, 0
    release = asyncio.Event()

    async def tried(*_: object) -> Visit:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        raise GatewayError(Reason.LINK_CLOSED)

    async def story() -> None:
        desk = LinkDesk(cast, None)
        monkeypatch.setattr(desk, "_tried", tried)
        tasks = [asyncio.create_task(desk.sign_in("x", "", HERE, "r")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # its client leaves
        for _ in range(3):
            await asyncio.sleep(0)
        with pytest.raises(GatewayError, match="overloaded"):
            await desk.sign_in("x", "", HERE, "r")
        assert running == AT_ONCE
        release.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in ended} == {GatewayError, asyncio.CancelledError}
        assert most == AT_ONCE

    asyncio.run(asyncio.wait_for(story(), 20))
