"""Fixtures that many tests want: an empty store of each database, and one with a cast in it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from models.store import Store
from stores import Databases, PostgresDatabases, Shared, SqliteDatabases, opened, settle_in

settings.register_profile(
    "short",
    deadline=None,  # no timed assertion in tests
    derandomize=True,  # what fails, fails again; `--long` explores
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", parent=settings.get_profile("short"), max_examples=2_000, derandomize=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--long`, with which property tests draw many more examples."""
    parser.addoption("--long", action="store_true", help="draw many more examples in property tests")


def pytest_configure(config: pytest.Config) -> None:
    """Chooses how many examples property tests draw."""
    settings.load_profile("long" if config.getoption("--long") else "short")


@pytest.fixture(scope="session")
def sqlite_databases() -> Iterator[Databases]:
    """Where empty SQLite stores come from."""
    databases = SqliteDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """Where empty PostgreSQL stores come from: one packaged server for the whole session."""
    databases = PostgresDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Either kind of database, one after the other."""
    kind = "sqlite_databases" if request.param == "sqlite" else "postgres_databases"
    found: Databases = request.getfixturevalue(kind)
    return found


@pytest.fixture(scope="session")
def shared(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One store of each database for all tests that can do with it wiped."""
    folder = tmp_path_factory.mktemp("shared")
    url = databases.fresh(folder)
    with opened(url, folder) as store, closing(Shared(url, store)) as found:
        yield found


@pytest.fixture
def url(shared: Shared, request: pytest.FixtureRequest) -> str:
    """The URL of the store that `store` or `cast` gives to the same test, else of an empty one; on both databases."""
    if not {"store", "cast"} & set(request.fixturenames):
        shared.reset()
    return shared.url


@pytest.fixture
def store(shared: Shared) -> Store:
    """An empty store, on SQLite and on PostgreSQL."""
    return shared.reset()


@pytest.fixture
def cast(shared: Shared) -> Store:
    """A store with the cast of `stores.settle_in`, on SQLite and on PostgreSQL."""
    return shared.reset(settle_in)


@pytest.fixture
def sqlite_url(sqlite_databases: Databases, tmp_path: Path) -> str:
    """The URL of an empty SQLite store."""
    return sqlite_databases.fresh(tmp_path)


@pytest.fixture
def sqlite_store(sqlite_url: str, tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite store."""
    with opened(sqlite_url, tmp_path) as found:
        yield found
