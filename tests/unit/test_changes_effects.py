"""Intents lock their targets, close what is being deleted, and settle in one commit."""

import pytest
from sqlalchemy.orm import Session

from models import changes, directory
from models.changes import Created, IntentKind, Lock
from models.records import ObjectKey, ObjectRecord, Permission, UserStatus
from models.store import Store
from models.tables import Intent, IntentState
from stores import CLIP, FOLDER, SUB, TOP, change, record, refused, revision, rows, touched


def file(path: str) -> ObjectKey:
    """Returns the key of a path."""
    return ObjectKey("file", path)


def begin(
    session: Session, kind: IntentKind, *locks: tuple[ObjectKey, bool], user_id: str | None = "ben"
) -> Intent:
    """Opens an intent on (key, closes) pairs."""
    return changes.open_intent(
        session, kind, [Lock(*lock) for lock in locks], user_id=user_id, request_id="r1", payload={"n": 1}
    )


def delete(session: Session, *keys: ObjectKey) -> Intent:
    """Opens the intent of a deletion."""
    return begin(session, IntentKind.DELETE, *((key, True) for key in keys))


def create(session: Session, *keys: ObjectKey) -> Intent:
    """Opens the intent of a creation."""
    return begin(session, IntentKind.CREATE, *((key, False) for key in keys))


def held(store: Store, key: ObjectKey) -> bool:
    """Tells whether an object is closed."""
    found = record(store, key.fact)
    return isinstance(found, ObjectRecord) and found.held


def test_an_intent_is_written_down_with_its_locks(cast: Store) -> None:
    """What is about to happen can be read while it is open."""
    with change(cast) as session:
        intent = delete(session, CLIP)
    with cast.read() as session:
        ((found, holds),) = directory.list_intents(session)
    assert (found.id, found.kind, found.state) == (intent.id, IntentKind.DELETE, IntentState.OPEN)
    assert (found.user_id, found.request_id, found.payload) == ("ben", "r1", {"n": 1})
    assert [(hold.key, hold.closes) for hold in holds] == [(CLIP, True)]


def test_a_deletion_settles_in_one_commit(cast: Store) -> None:
    """Facts, intent and hold go together, and what is made anew under the id starts with nothing."""
    with change(cast) as session:
        changes.grant(session, FOLDER, "user:ben", Permission.READ, propagates=True)
        intent = delete(session, FOLDER)
    assert held(cast, FOLDER)
    since = revision(cast)
    with change(cast) as session:
        assert changes.settle_delete(session, intent.id) == 3
    assert touched(cast, since) == {FOLDER.fact}
    assert record(cast, FOLDER.fact) == ObjectRecord(FOLDER, parents=(file("/"),))
    with change(cast) as session:
        changes.register_object(session, FOLDER, "other")
    assert record(cast, FOLDER.fact).propagating == {}  # type: ignore[union-attr]


def test_a_deletion_of_an_unregistered_path_takes_its_entries(cast: Store) -> None:
    """A file that nobody registered may still have entries, which must not outlive it."""
    path = file("/media/x")
    with change(cast) as session:
        changes.grant(session, path, "user:ben", Permission.READ, propagates=False)
        intent = delete(session, path)
    with change(cast) as session:
        changes.settle_delete(session, intent.id)
    assert record(cast, path.fact) == ObjectRecord(path, parents=(FOLDER,))


def test_a_creation_registers_with_owner_and_parents(cast: Store) -> None:
    """The caller becomes owner; the domain is the caller's."""
    new = ObjectKey("asset", "from-the-answer")
    with change(cast) as session:
        intent = create(session)
    with change(cast) as session:
        settled = changes.settle_create(session, intent.id, [Created(new, "ben", (TOP, SUB))])
    assert settled == changes.Settled((new,), (), ())
    assert record(cast, new.fact) == ObjectRecord(
        new, registered=True, domain_id="main", owner_id="ben", parents=(SUB, TOP)
    )
    with cast.read() as session:
        assert directory.list_intents(session) == []


def test_overwriting_does_not_change_the_owner(cast: Store) -> None:
    """An upload over an object that is registered leaves its owner and entries as they are."""
    with change(cast) as session:
        intent = create(session, CLIP)
        changes.settle_create(session, intent.id, [Created(CLIP, "ben", (TOP,))])
    assert record(cast, CLIP.fact) == ObjectRecord(
        CLIP, registered=True, domain_id="main", owner_id="ada", parents=(SUB,)
    )


def test_a_creation_settles_whatever_became_of_the_facts(cast: Store) -> None:
    """A parent that is gone, or is the object itself, an owner who is deleted or a malformed id is left out; the rest is taken up."""
    new, other = ObjectKey("asset", "new"), ObjectKey("asset", "other")
    with change(cast) as session:
        changes.create_user(session, "main", "c@x", id_="cia")
        intent = create(session)
    with change(cast) as session:
        changes.delete_object(session, SUB)
        changes.update_user(session, "cia", status=UserStatus.DELETED)
    with change(cast) as session:
        settled = changes.settle_create(
            session,
            intent.id,
            [
                Created(new, "ben", (SUB, TOP, new)),
                Created(other, "cia"),
                Created(ObjectKey("asset", "a\0"), "ben"),
            ],
        )
    assert settled.registered == (new,)
    assert [key for key, _ in settled.left_out] == [SUB, new, other, ("asset", "a\0")]
    assert record(cast, new.fact).parents == (TOP,)  # type: ignore[union-attr]


def test_an_abandoned_intent_leaves_the_facts(cast: Store) -> None:
    """The backend refused: all is as before, and the object is free."""
    before = rows(cast)
    with change(cast) as session:
        intent = delete(session, CLIP, FOLDER)
    with change(cast) as session:
        changes.abandon_intent(session, intent.id)
    assert rows(cast) == before


def test_an_unknown_outcome_keeps_the_hold(cast: Store) -> None:
    """Until someone settles it, the object is closed and locked."""
    with change(cast) as session:
        intent = delete(session, CLIP)
    with change(cast) as session:
        assert changes.mark_unknown(session, intent.id).state is IntentState.UNKNOWN
    assert held(cast, CLIP)
    refused(cast, changes.BusyError, delete, CLIP)
    with change(cast) as session:
        changes.settle_delete(session, intent.id)
    assert record(cast, CLIP.fact) is None


@pytest.mark.parametrize("closes", [False, True])
def test_one_object_has_one_lock(cast: Store, *, closes: bool) -> None:
    """A second request for the same object waits its turn, whatever either is about to do."""
    with change(cast) as session:
        begin(session, IntentKind.DELETE, (CLIP, closes))
    for again in (False, True):
        message = refused(cast, changes.BusyError, begin, IntentKind.CREATE, (CLIP, again))
        assert "try again" in message


def test_a_closing_lock_covers_all_below_its_path(cast: Store) -> None:
    """Nothing below can be begun; beside it, it can."""
    with change(cast) as session:
        delete(session, file("/media/a"))
    for path in ("/media/a/b", "/media/a/b/c.mp4"):
        refused(cast, changes.BusyError, create, file(path))
    with change(cast) as session:
        create(session, file("/media/ab"), FOLDER, file("/media/b/a"))


def test_a_folder_cannot_close_over_what_is_locked(cast: Store) -> None:
    """While a file below is being written its folder cannot be deleted; a creation of the folder does not mind."""
    with change(cast) as session:
        create(session, file("/media/a/b"))
    for path in ("/media/a", "/media", "/"):
        refused(cast, changes.BusyError, delete, file(path))
    with change(cast) as session:
        create(session, file("/media/a"))
        delete(session, file("/media/a0"))


def test_one_request_may_lock_several_of_a_tree(cast: Store) -> None:
    """The targets of one intent do not stand in each other's way; one named twice is locked once."""
    with change(cast) as session:
        intent = begin(
            session,
            IntentKind.DELETE,
            (file("/media/a"), True),
            (file("/media/a/b"), True),
            (CLIP, False),
            (CLIP, True),
        )
        changes.settle_delete(session, intent.id)
    assert record(cast, CLIP.fact) is None


def test_targets_belong_to_the_users_domain(cast: Store) -> None:
    """An intent never reaches over the wall; keys and the user are checked."""
    refused(cast, changes.ConflictError, begin, IntentKind.DELETE, (CLIP, True), user_id="zoe")
    refused(cast, changes.UnknownError, begin, IntentKind.DELETE, (CLIP, True), user_id="none")
    refused(cast, changes.InvalidError, create, file("/media/"))


def test_an_intent_without_user_can_delete_and_not_create(cast: Store) -> None:
    """Without a user there is no domain that a new object could join."""
    with change(cast) as session:
        intent = begin(session, IntentKind.CREATE, (CLIP, False), user_id=None)
    refused(cast, changes.ConflictError, changes.settle_create, intent.id, [])


def test_locks_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many targets in one intent, and no deletion that could not be settled."""
    with monkeypatch.context() as patch:
        patch.setattr("models.changes.effects.MAX_TARGETS", 1)
        refused(cast, changes.InvalidError, delete, CLIP, TOP)
    with monkeypatch.context() as patch:
        patch.setattr("models.changes.objects.MAX_ROWS_DELETED", 1)
        refused(cast, changes.InvalidError, delete, SUB)


def test_what_is_settled_cannot_be_settled_again(cast: Store) -> None:
    """A second answer for one intent finds none."""
    with change(cast) as session:
        intent = create(session)
        changes.settle_create(session, intent.id, [])
    refused(cast, changes.UnknownError, changes.settle_delete, intent.id)
    refused(cast, changes.UnknownError, changes.abandon_intent, intent.id)
    refused(cast, changes.UnknownError, changes.mark_unknown, "\0")


def test_what_a_member_creates_gets_the_template_that_is_meant_for_it(cast: Store) -> None:
    """In the commit that registers it, beside the owner's rights; what a visitor uploads gets none."""
    upload, other = file("/media/a.mov"), file("/media/b.mov")
    with change(cast) as session:
        changes.create_template(session, "main", "Editorial", id_="tpl")
        changes.give_in_template(session, "tpl", "group:crew", Permission.READ, propagates=False)
        changes.give_in_template(session, "tpl", "user:ada", Permission.WRITE, propagates=False)
        changes.set_template(session, changes.TemplateLevel.DOMAIN, "main", "tpl")
        intent, visitors = create(session, upload), create(session, other)
    since = revision(cast)
    with change(cast) as session:
        changes.settle_create(session, intent.id, [Created(upload, "ben")])
    assert record(cast, upload.fact).direct == {"group:crew": Permission.READ, "user:ada": Permission.WRITE}  # type: ignore[union-attr]
    assert touched(cast, since) == {upload.fact}
    with change(cast) as session:
        changes.settle_create(session, visitors.id, [Created(other, "ben", by_member=False)])
    assert record(cast, other.fact).direct == {}  # type: ignore[union-attr]


def test_a_folder_that_nobody_registered_is_not_closed_over_what_others_have(cast: Store) -> None:
    """Above the trees of two domains neither may close a folder, nor so delete what the other has; over its own alone it may."""
    with change(cast) as session:
        changes.register_object(session, file("/others/x"), "other")
    assert "another domain" in refused(cast, changes.ConflictError, delete, file("/"))
    refused(cast, changes.ConflictError, delete, file("/others"))
    with change(cast) as session:
        changes.delete_object(session, file("/others/x"))
        delete(session, file("/"))
