"""Records are plain values, by the rules at the top of `models.records`."""

from itertools import pairwise

import pytest

from models.records import ObjectKey, Permission


@pytest.mark.parametrize("name", ["read", "write", "delete", "change-acl"])
def test_permissions_have_names(name: str) -> None:
    """Each name stands for one permission, and the set of it has that name only."""
    assert Permission.named(name).names == (name,)


def test_an_unknown_permission_names_the_known() -> None:
    """A slip in a policy is answered with what could have been meant."""
    with pytest.raises(ValueError, match="read, write, delete, change-acl"):
        Permission.named("look")


def test_sets_of_permissions_are_listed_in_order() -> None:
    """The order is fixed, however the set was made."""
    assert (Permission.CHANGE_ACL | Permission.READ).names == ("read", "change-acl")
    assert Permission.NONE.names == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("asset:42", ("asset", "42")),
        ("asset/42", ("asset", "42")),
        ("file:/a/b.mp4", ("file", "/a/b.mp4")),
        ("file/a/b", ("file", "a/b")),
        ("asset:a:b", ("asset", "a:b")),
    ],
)
def test_an_object_is_named_by_type_and_id(text: str, key: tuple[str, str]) -> None:
    """A colon or a slash divides; the rest is the id."""
    assert ObjectKey.parse(text) == key


@pytest.mark.parametrize("text", ["", "asset", "asset:", ":42", "/a/b"])
def test_what_names_no_object_is_an_error(text: str) -> None:
    """The message shows how to write it."""
    with pytest.raises(ValueError, match="TYPE:ID"):
        ObjectKey.parse(text)


def test_a_path_stands_in_its_folder() -> None:
    """Up to the root, which stands in nothing; ids that are no paths have no folder."""
    way = [ObjectKey("file", path) for path in ("/a/b/c", "/a/b", "/a", "/")]
    for path, folder in pairwise(way):
        assert path.folder() == folder
    assert way[-1].folder() is None
    assert ObjectKey("asset", "a/b").folder() is None
    assert (str(way[0]), way[0].fact) == ("file:/a/b/c", "object:file:/a/b/c")
