"""Tests of gateway.demo.catalogue: what it refuses, and that each change is on the disk."""

from pathlib import Path

import pytest

from gateway.demo.catalogue import MAX_TITLE, Catalogue, CatalogueError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the catalogue is kept."""
    return tmp_path / "catalogue.json"


@pytest.fixture
def catalogue(file: Path) -> Catalogue:
    """A catalogue with one collection in another, and an asset in that."""
    made = Catalogue(file)
    made.add_collection("Top", id_="top")
    made.add_collection("Inner", "top", "inner")
    made.add_asset("A Film", "inner", "film", has_media=True)
    return made


def refused(status: int, do: object, *arguments: object) -> str:
    """Returns the sentence with which a change is refused."""
    assert callable(do)
    with pytest.raises(CatalogueError) as error:
        do(*arguments)
    assert error.value.status == status
    return str(error.value)


def test_what_is_added_is_there_after_a_restart(catalogue: Catalogue, file: Path) -> None:
    """Each change is on the disk before it is answered."""
    again = Catalogue(file)

    assert again.assets() == catalogue.assets() != []
    assert again.collections() == catalogue.collections()


def test_search_finds_part_of_a_title_in_any_case(catalogue: Catalogue) -> None:
    """A search is for a part of the title, whatever its letter case."""
    assert [each.id for each in catalogue.assets("fIL")] == ["film"]
    assert catalogue.assets("radio") == []


def test_a_collection_shows_what_stands_directly_in_it(catalogue: Catalogue) -> None:
    """What stands deeper is not among the content."""
    assert [each.id for each in catalogue.collections("top")] == ["inner"]
    assert catalogue.assets(within="top") == []


def test_an_id_is_made_where_none_is_chosen(catalogue: Catalogue) -> None:
    """Without a choice the id is random."""
    first, second = catalogue.add_asset("One", "top"), catalogue.add_asset("Two", "top")

    assert first.id != second.id
    assert len(first.id) == 32


@pytest.mark.parametrize("id_", ["", "A", "a b", "../a", "a/b", "-a", "a" * 65, "ä"])
def test_a_bad_id_is_refused(catalogue: Catalogue, id_: str) -> None:
    """An id is a lower-case word."""
    assert "is not an id" in refused(422, catalogue.add_asset, "Title", "top", id_)


@pytest.mark.parametrize("title", ["", "  ", "x" * (MAX_TITLE + 1)])
def test_a_bad_title_is_refused(catalogue: Catalogue, title: str) -> None:
    """A title is not empty and not endless."""
    assert "a title has" in refused(422, catalogue.add_collection, title)


def test_an_id_is_not_used_twice(catalogue: Catalogue) -> None:
    """A taken id is a conflict, for assets as for collections."""
    assert "is taken" in refused(409, catalogue.add_asset, "Other", "top", "film")
    assert "is taken" in refused(409, catalogue.add_collection, "Other", None, "inner")


def test_nothing_is_added_to_an_unknown_collection(catalogue: Catalogue) -> None:
    """A parent must be there."""
    refused(404, catalogue.add_asset, "Title", "nowhere")
    refused(404, catalogue.add_collection, "Title", "nowhere")


def test_only_an_empty_collection_is_deleted(catalogue: Catalogue) -> None:
    """What holds something stays, be it a collection or an asset."""
    assert "is not empty" in refused(409, catalogue.remove_collection, "top")
    assert "is not empty" in refused(409, catalogue.remove_collection, "inner")

    catalogue.remove_asset("film")
    catalogue.remove_collection("inner")
    catalogue.remove_collection("top")

    assert catalogue.collections() == []


def test_what_is_gone_is_unknown(catalogue: Catalogue) -> None:
    """A deleted object is one that never was."""
    catalogue.remove_asset("film")

    refused(404, catalogue.asset, "film")
    refused(404, catalogue.remove_asset, "film")
