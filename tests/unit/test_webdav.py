"""WebDAV's `If`: which lists ask about what the request names, and which about something else."""

import pytest

from gateway.webdav import asks_about_others

LOCK = b"(<opaquelocktoken:e71d4fae>)"


@pytest.mark.parametrize("value", [
    LOCK, LOCK + b' (Not <DAV:no-lock> ["a)<b>"])', b"</a> " + LOCK, b"<http://h.test/a> " + LOCK, b"<HTTP://H.test/a/>" + LOCK + LOCK,
    b"</a> " + LOCK + b" </b/> " + LOCK, b"<http://h.test/b> " + LOCK,
])  # fmt: skip
def test_what_the_request_names_may_be_asked_about(value: bytes) -> None:
    """Lists without a tag, and tags for the path or the destination, are part of the request."""
    assert not asks_about_others(value, b"h.test", b"/a", b"http://h.test/b")


@pytest.mark.parametrize("value", [
    b"</c> " + LOCK, b"<http://other.test/a> " + LOCK, b"</a> " + LOCK + b" <http://h.test/c> " + LOCK, b"</a/../c> " + LOCK, b"</%61> " + LOCK,
    b"<mailto:x> " + LOCK, b"</a> (" + LOCK, b"</c", b"x " + LOCK, b"<> " + LOCK, b"</a?b> " + LOCK,
])  # fmt: skip
def test_anything_else_is_asked_about_in_vain(value: bytes) -> None:
    """Tags for other paths, hosts or spellings, and headers that cannot be read, ask about what nobody judged."""
    assert asks_about_others(value, b"h.test", b"/a", b"http://h.test/b")


def test_without_a_destination_only_the_path_counts() -> None:
    """Where the method has no destination, a tag for another path is one too many."""
    assert asks_about_others(b"</b> " + LOCK, b"h.test", b"/a", None)
