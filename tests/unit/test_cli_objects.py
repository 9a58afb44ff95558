"""`mediagate object` and `mediagate collection`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a collection in it."""
    mediagate = initialised(tmp_path)
    mediagate.ok("collection", "add", "collection:news", "--title", "News")
    return mediagate


def test_object_is_added_with_owner_and_collections(mediagate: CommandLine) -> None:
    """What was said of an object is what is shown."""
    mediagate.ok("collection", "add", "collection:sports", "--in", "collection:news")
    said = mediagate.ok(
        "object", "add", "asset:42", "--owner", ADA, "--in", "collection:news", "--in", "collection:sports"
    )

    assert said == "added asset:42 to domain default\n"
    assert mediagate.json("object", "show", "asset:42") == {
        "object": "asset:42",
        "registered": True,
        "title": None,
        "owner": ADA,
        "domain": "default",
        "in": ["collection:news", "collection:sports"],
        "content": [],
        "entries": [],
    }
    assert mediagate.json("collection", "show", "collection:news")["content"] == [
        "asset:42",
        "collection:sports",
    ]


def test_path_stands_in_its_folder_without_being_registered(mediagate: CommandLine) -> None:
    """A path below a registered folder can be shown although nobody registered it."""
    mediagate.ok("collection", "add", "file:/masters")

    shown = mediagate.json("object", "show", "file:/masters/a.mp4")
    assert (shown["registered"], shown["in"]) == (False, ["file:/masters"])


def test_collection_takes_in_and_gives_out(mediagate: CommandLine) -> None:
    """Putting and taking say whether anything changed."""
    mediagate.ok("object", "add", "asset:42")

    assert (
        mediagate.ok("collection", "put", "asset:42", "collection:news")
        == "asset:42 now stands in collection:news\n"
    )
    assert (
        mediagate.ok("collection", "put", "asset:42", "collection:news")
        == "asset:42 already stands in collection:news\n"
    )
    assert mediagate.json("collection", "take", "asset:42", "collection:news")["changed"] is True
    assert (
        mediagate.ok("collection", "take", "asset:42", "collection:news")
        == "asset:42 did not stand in collection:news\n"
    )


def test_objects_are_listed_by_type(mediagate: CommandLine) -> None:
    """The list can be narrowed to a type and domain."""
    mediagate.ok("object", "add", "asset:42", "--owner", ADA)

    assert [row["object"] for row in mediagate.json("object", "list")] == ["asset:42", "collection:news"]
    assert mediagate.json("object", "list", "--type", "asset") == [
        {"object": "asset:42", "title": None, "owner": ADA}
    ]
    assert "no objects" in mediagate.ok("object", "list", "--type", "clip", "--domain", "default")


def test_removed_path_takes_all_below_it(mediagate: CommandLine) -> None:
    """What is made anew under the same id starts without the old facts."""
    mediagate.ok("collection", "add", "file:/masters")
    mediagate.ok("object", "add", "file:/masters/a.mp4", "--owner", ADA)
    mediagate.ok("grant", ADA, "read", "file:/masters", "--propagate")

    assert mediagate.json("object", "remove", "file:/masters") == {
        "object": "file:/masters",
        "removed_rows": 3,
    }
    assert (
        mediagate.fails("object", "remove", "file:/masters")
        == "nothing is known of the object `file:/masters`"
    )


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (("object", "add", "collection:news"), 3, "the object `collection:news` is registered already"),
        (("object", "add", "Asset:1"), 2, "`Asset` is no object type"),
        (("object", "add", "file:/a/../b"), 2, "the path `/a/../b` has an empty, `.` or `..` segment"),
        (("object", "add", "asset:1", "--owner", "eve@example.org"), 3, "there is no user `eve@example.org`"),
        (("object", "add", "asset:1", "--in", "collection:olds"), 3, "the object `collection:olds` does not exist"),
        (("object", "owner", "asset:1", ADA), 3, "the object `asset:1` is not registered"),
        (("collection", "put", "asset:1", "collection:news"), 3, "the object `asset:1` does not exist"),
        (("collection", "put", "collection:news", "collection:news"), 3, "which so would contain itself"),
    ],
)  # fmt: skip
def test_refused_changes_say_why(
    mediagate: CommandLine, typed: tuple[str, ...], code: int, said: str
) -> None:
    """A rule of the store is told in its own sentence."""
    assert said in mediagate.fails(*typed, code=code)


def test_refused_placement_registers_nothing(mediagate: CommandLine) -> None:
    """An object whose collection does not exist is not half added."""
    mediagate.fails("object", "add", "asset:1", "--in", "collection:olds")

    assert mediagate.json("object", "show", "asset:1")["registered"] is False
