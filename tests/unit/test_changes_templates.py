"""ACL templates give a new object entries, once, by a stated precedence, and nothing afterwards."""

from datetime import UTC, datetime

import pytest

from models import changes, directory
from models.changes import TemplateLevel
from models.changes import templates as templates_module
from models.records import GroupKind, ObjectKey, Permission, UserStatus
from models.store import Store
from models.told import APPLIED
from stores import CLIP, FOLDER, SUB, TOP, change, refused, revision, touched

READ, WRITE, DELETE = Permission.READ, Permission.WRITE, Permission.DELETE
NEW = ObjectKey("asset", "new")
NAS = ObjectKey("storage", "nas")
GONE = "gone"


@pytest.fixture(name="store")
def with_template(cast: Store) -> Store:
    """The cast with a template `tpl` that gives ben to write and the crew to read, also content."""
    with change(cast) as session:
        changes.create_template(session, "main", "Editorial", id_="tpl")
        changes.give_in_template(session, "tpl", "user:ben", READ | WRITE, propagates=False)
        changes.give_in_template(session, "tpl", "group:crew", READ, propagates=True)
    return cast


def given(store: Store, key: ObjectKey) -> set[tuple[str, Permission, bool]]:
    """Returns the entries on an object."""
    with store.read() as session:
        return {
            (each.principal, each.permissions, each.propagates)
            for each in directory.list_entries(session, key)
        }


WHOLE = {("user:ben", READ | WRITE, False), ("group:crew", READ, True)}


def test_applying_adds_entries_that_are_like_any_other(store: Store) -> None:
    """What was there stays; what is new is told; only the object's record is touched."""
    with change(store) as session:
        changes.grant(session, CLIP, "user:ben", DELETE, propagates=False)
    since = revision(store)
    with change(store) as session:
        applied = changes.apply_template(session, "tpl", CLIP)

    assert (applied.template, applied.left_out) == ("Editorial", ())
    assert dict(applied.given) == {"user:ben": READ | WRITE, "group:crew": READ}
    assert given(store, CLIP) == {("user:ben", READ | WRITE | DELETE, False), ("group:crew", READ, True)}
    assert touched(store, since) == {CLIP.fact}


def test_nothing_that_exists_changes_with_a_template(store: Store) -> None:
    """To change, empty, unset or remove a template changes no object that got it."""
    with change(store) as session:
        changes.set_template(session, TemplateLevel.DOMAIN, "main", "tpl")
        changes.apply_template(session, "tpl", CLIP)
    since = revision(store)
    with change(store) as session:
        assert changes.take_from_template(session, "tpl", "user:ben", WRITE) == WRITE
        assert changes.take_from_template(session, "tpl", "group:crew") == READ
        assert not changes.take_from_template(session, "tpl", "group:crew")
        changes.give_in_template(session, "tpl", "user:ada", DELETE, propagates=False)
        changes.rename_template(session, "tpl", "Other")
        changes.delete_template(session, "tpl")

    assert given(store, CLIP) == WHOLE
    assert touched(store, since) == set()
    with store.read() as session:
        assert not directory.list_templates(session)
        assert not directory.list_template_entries(session, "tpl")
        assert not directory.list_template_uses(session, "tpl")


LEVELS = (
    (TemplateLevel.STORAGE, NAS),
    (TemplateLevel.USER, "ben"),
    (TemplateLevel.GROUP, "crew"),
    (TemplateLevel.DOMAIN, "main"),
)


def test_the_most_specific_template_is_applied(store: Store) -> None:
    """A storage's before the creator's, that before the primary group's, that before the domain's; with none set, none."""
    with change(store) as session:
        changes.register_object(session, NAS, "main")
        changes.map_folder(session, FOLDER, NAS)
        changes.update_user(session, "ben", primary_group_id="crew")
        for level, subject in LEVELS:
            changes.create_template(session, "main", level.value, id_=level.value)
            changes.set_template(session, level, subject, level.value)
    below = ObjectKey("file", "/media/a/b.mov")
    for level, subject in LEVELS:
        with store.read() as session:
            found = templates_module.template_for(session, below, "ben")
        assert found is not None
        assert found.name == level.value
        with change(store) as session:
            changes.set_template(session, level, subject, None)
    with store.read() as session:
        assert templates_module.template_for(session, below, "ben") is None


def test_of_mapped_folders_the_nearest_counts(store: Store) -> None:
    """A folder within another may come from another storage; one that is unmapped comes from the one around it again."""
    other, inner = ObjectKey("storage", "tape"), ObjectKey("file", "/media/tape")
    with change(store) as session:
        for storage in (NAS, other):
            changes.register_object(session, storage, "main")
        changes.map_folder(session, FOLDER, NAS)
        changes.map_folder(session, inner, other)
    clip = ObjectKey("file", "/media/tape/x/clip.mov")
    with store.read() as session:
        assert templates_module.storage_of(session, clip) == other
        assert templates_module.storage_of(session, ObjectKey("file", "/media/tapes")) == NAS
        assert templates_module.storage_of(session, ObjectKey("file", "/other")) is None
        assert templates_module.storage_of(session, CLIP) is None
    with change(store) as session:
        changes.map_folder(session, inner, None)
    with store.read() as session:
        assert templates_module.storage_of(session, clip) == NAS


def test_within_a_collection_nobody_gets_more_than_it_gives(store: Store) -> None:
    """Only what the collection's own entries give each principal for good is given; what it inherits or has for a time is not."""
    with change(store) as session:
        changes.grant(session, TOP, "group:crew", READ, propagates=True)
        changes.grant(session, SUB, "user:ben", READ, propagates=False)
        end = datetime(2999, 1, 1, tzinfo=UTC)
        changes.grant(session, SUB, "user:ben", WRITE, propagates=False, expires=end)
        applied = changes.apply_template(session, "tpl", CLIP, within=SUB)

    assert given(store, CLIP) == {("user:ben", READ, False)}
    assert [who for who, _ in applied.left_out] == ["group:crew"]


def test_within_a_collection_content_is_opened_only_by_what_reaches_content(store: Store) -> None:
    """An entry of the collection that does not propagate lets no entry of a template through that does."""
    with change(store) as session:
        changes.grant(session, SUB, "group:crew", READ, propagates=False)
        changes.apply_template(session, "tpl", CLIP, within=SUB)
    assert given(store, CLIP) == set()
    with change(store) as session:
        changes.grant(session, SUB, "group:crew", READ, propagates=True)
        changes.apply_template(session, "tpl", CLIP, within=SUB)
    assert given(store, CLIP) == {("group:crew", READ, True)}


def test_a_group_that_is_removed_leaves_every_template(store: Store) -> None:
    """Its entries and its own template go with it, so a template never names a group that is not there."""
    with change(store) as session:
        changes.create_group(session, "main", "Gone", id_=GONE)
        changes.give_in_template(session, "tpl", f"group:{GONE}", DELETE, propagates=False)
        changes.set_template(session, TemplateLevel.GROUP, GONE, "tpl")
        changes.delete_group(session, GONE)
        changes.create_group(session, "main", "Gone", id_=GONE)  # anew, under the same id
        changes.apply_template(session, "tpl", CLIP)
    assert given(store, CLIP) == WHOLE
    with store.read() as session:
        assert not directory.list_template_uses(session, "tpl")


def test_who_is_deleted_is_left_out_and_told(store: Store) -> None:
    """A deleted user gets no entry; the others do."""
    with change(store) as session:
        changes.update_user(session, "ben", status=UserStatus.DELETED)
        applied = changes.apply_template(session, "tpl", CLIP)
    assert given(store, CLIP) == {("group:crew", READ, True)}
    assert [(who, "deleted" in why) for who, why in applied.left_out] == [("user:ben", True)]


def test_storages_and_folders_that_are_removed_take_what_is_said_of_them_along(store: Store) -> None:
    """A storage made anew under the same id has no folder and no template; so has a folder no storage."""
    with change(store) as session:
        changes.register_object(session, NAS, "main")
        changes.map_folder(session, FOLDER, NAS)
        changes.set_template(session, TemplateLevel.STORAGE, NAS, "tpl")
        changes.delete_object(session, NAS)
        changes.register_object(session, NAS, "main")
    with store.read() as session:
        assert not directory.list_storage_folders(session)
        assert not directory.list_template_uses(session, "tpl")
    with change(store) as session:
        changes.map_folder(session, FOLDER, NAS)
        changes.delete_object(session, FOLDER)
    with store.read() as session:
        assert not directory.list_storage_folders(session)


def test_templates_stay_within_their_domain(store: Store) -> None:
    """No entry, subject, object, collection or storage of another domain, and no role group."""
    with change(store) as session:
        changes.create_template(
            session, "other", "Editorial", id_="theirs"
        )  # a name is taken once in each domain
        changes.register_object(session, ObjectKey("storage", "far"), "other")
        changes.create_group(session, "main", "Narrow", kind=GroupKind.ROLE_GROUP, id_="narrow")
    far, conflict = ObjectKey("storage", "far"), changes.ConflictError
    for who in ("user:zoe", "group:strangers", "group:narrow"):
        refused(store, conflict, changes.give_in_template, "tpl", who, READ, propagates=False)
    for level, subject in ((TemplateLevel.USER, "zoe"), (TemplateLevel.GROUP, "strangers"), (TemplateLevel.DOMAIN, "other"), (TemplateLevel.STORAGE, far)):  # fmt: skip
        refused(store, conflict, changes.set_template, level, subject, "tpl")
    refused(store, conflict, changes.set_template, TemplateLevel.GROUP, "narrow", "tpl")
    refused(store, conflict, changes.apply_template, "theirs", CLIP)
    refused(store, conflict, changes.apply_template, "tpl", CLIP, within=far)
    refused(store, conflict, changes.map_folder, FOLDER, far)


def test_what_is_no_template_is_refused_with_a_reason(store: Store) -> None:
    """Names that look alike, empty ones, what does not exist, and what is of the wrong kind."""
    refused(store, changes.ConflictError, changes.create_template, "main", " editorial")
    refused(store, changes.ConflictError, changes.create_template, "main", "X", id_="tpl")
    refused(store, changes.InvalidError, changes.create_template, "main", " ")
    refused(store, changes.UnknownError, changes.create_template, "none", "X")
    refused(store, changes.UnknownError, changes.delete_template, "none")
    refused(store, changes.UnknownError, changes.apply_template, "tpl", ObjectKey("asset", "none"))
    refused(store, changes.UnknownError, changes.give_in_template, "tpl", "user:none", READ, propagates=False)
    refused(store, changes.InvalidError, changes.give_in_template, "tpl", "share:x", READ, propagates=False)
    refused(store, changes.InvalidError, changes.give_in_template, "tpl", "ben", READ, propagates=False)
    refused(
        store,
        changes.InvalidError,
        changes.give_in_template,
        "tpl",
        "user:ben",
        Permission.NONE,
        propagates=False,
    )
    refused(store, changes.InvalidError, changes.set_template, TemplateLevel.STORAGE, TOP, "tpl")
    refused(store, changes.InvalidError, changes.set_template, TemplateLevel.STORAGE, "nas", "tpl")
    refused(store, changes.InvalidError, changes.set_template, TemplateLevel.USER, TOP, "tpl")
    refused(store, changes.UnknownError, changes.set_template, TemplateLevel.USER, "none", "tpl")
    refused(store, changes.InvalidError, changes.map_folder, TOP, NAS)
    refused(store, changes.InvalidError, changes.map_folder, FOLDER, TOP)
    refused(store, changes.UnknownError, changes.map_folder, FOLDER, NAS)


def test_templates_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of a template and templates of a domain; the message says what to do."""
    monkeypatch.setattr(templates_module, "MAX_ENTRIES", 2)
    monkeypatch.setattr(templates_module, "MAX_TEMPLATES", 1)
    said = refused(
        store, changes.InvalidError, changes.give_in_template, "tpl", "user:ada", READ, propagates=False
    )
    assert said.endswith("name groups instead")
    assert "remove one" in refused(store, changes.InvalidError, changes.create_template, "main", "Y")


def test_the_history_names_the_template_that_gave(store: Store) -> None:
    """Beside the entries of a commit stands the template by name and its collection; where nothing was given or all was undone, nothing."""

    def told() -> list[tuple[str, object]]:
        with store.read() as session:
            found = directory.list_changes(session, key="asset clip")
            return [(each.key, each.after) for each in found if each.kind == APPLIED]

    with change(store) as session:
        undone = session.begin_nested()
        changes.apply_template(session, "tpl", CLIP)
        undone.rollback()
        changes.rename_template(session, "tpl", "Cutters")
    assert told() == []
    with change(store) as session:
        changes.grant(session, SUB, "user:ben", READ, propagates=False)
        changes.apply_template(session, "tpl", CLIP, within=SUB)
    narrow = ("asset clip tpl", {"template": "Cutters", "within": "collection:sub"})
    assert told() == [narrow]
    with change(store) as session:
        changes.apply_template(session, "tpl", CLIP)
    whole = ("asset clip tpl", {"template": "Cutters", "within": None})
    assert told() == [whole, narrow]
    with change(store) as session:
        changes.apply_template(session, "tpl", CLIP)
        changes.delete_template(session, "tpl")
    assert told() == [whole, narrow]
