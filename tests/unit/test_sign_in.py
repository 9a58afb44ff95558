"""Signing in by a link: the password is compared outside of the commit, and only who is let in costs one."""

from datetime import UTC, datetime, timedelta

import pytest
from netaddr import IPAddress

from models import changes
from models.passwords import Hashed, hashed
from models.sign_in import sign_in
from models.store import Store
from models.tables import Share, ShareRecipient
from stores import CLIP, change, record, revision

SOON = datetime.now(UTC) + timedelta(hours=1)
HERE = IPAddress("192.0.2.1")
KEPT = hashed("correct horse")


def link_of(store: Store, password: Hashed | None = None, **said: object) -> str:
    """Returns a link of Ann's to a new share of the clip by Ben."""
    with change(store) as session:
        said = {"expires": SOON, "watermark": True, **said}
        share = changes.create_share(session, "ben", CLIP, ["download"], password=password, **said)  # type: ignore[arg-type]
        return changes.add_recipient(session, share.id, "ann@x.example")[1]


def visits(store: Store) -> int:
    """Returns how often anybody came by any link."""
    with store.read() as session:
        return sum(row.visits for row in session.query(ShareRecipient))


def test_who_has_the_link_and_the_password_is_let_in_and_counted_once(cast: Store) -> None:
    """What is told of the visit is what the share says; the token's text is found by its digest alone."""
    link = link_of(cast, KEPT)
    found = sign_in(cast, link, "correct horse", HERE, "visitor")
    assert (found.email, found.key, found.domain_id) == ("ann@x.example", CLIP, "main")
    assert (found.rights, found.watermark, found.expires) == (("download", "view"), True, SOON.isoformat())
    assert record(cast, f"token:{changes.token_digest(found.text)}") is not None
    assert visits(cast) == 1


def test_whoever_is_refused_is_told_one_thing_and_writes_nothing(
    cast: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password, an unknown link, and one that is not for this address; none of them asks for the write door."""
    link, near = link_of(cast, KEPT), link_of(cast, networks=["10.0.0.0/8"])
    since, said = revision(cast), set()
    monkeypatch.setattr(Store, "write", None)
    for text, password in ((link, "wrong"), (link, ""), ("none", "correct horse"), ("none", ""), (near, "")):
        with pytest.raises(changes.LinkError) as caught:
            sign_in(cast, text, password, HERE, "visitor")
        said.add(str(caught.value))
    assert len(said) == 1
    assert (revision(cast), visits(cast)) == (since, 0)


def test_a_link_without_a_password_opens_with_any(cast: Store) -> None:
    """A page that always asks for a password serves both."""
    assert sign_in(cast, link_of(cast), "whatever", HERE, "visitor").share_id


def test_a_password_that_is_changed_meanwhile_lets_nobody_in(
    cast: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit looks again at what was compared before it."""
    link = link_of(cast, KEPT)

    def fits_and_is_changed(kept: str | None, text: str) -> bool:
        with change(cast) as session:
            share = session.query(Share).one()
            changes.update_share(session, share.id, password=Hashed("$argon2id$another"))
        return kept is not None and bool(text)

    monkeypatch.setattr("models.sign_in.fits", fits_and_is_changed)
    with pytest.raises(changes.LinkError):
        sign_in(cast, link, "correct horse", HERE, "visitor")
    assert visits(cast) == 0
