"""A shared cache in front, nginx with `proxy_cache`: what belongs to one person reaches nobody else."""

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.house import House, house
from e2e.nginx import caching_nginx
from e2e.raw import Answer, line

pytestmark = pytest.mark.needs_nginx

ROWS: Final = """
  - GET /files/{path...}: {action: read, object: file, id: "/files/{path}", role: can_read_files}
  - GET /open/{path...}: {anonymous: true}
  - GET /logos/{path...}: {anonymous: true, public: true}
"""
TEMPTING: Final = (
    "cache-control: public, max-age=600, s-maxage=600\r\nx-accel-expires: 600\r\n"
    "expires: Thu, 31 Dec 2099 23:59:59 GMT\r\nsurrogate-control: max-age=600\r\n"
)


class Scene:
    """A gateway with a cache before it and a backend behind it that would have everything cached."""

    def __init__(self, house: House, front: str) -> None:
        self.house, self.front = house, front

    def ask(self, path: str, who: str = "", *lines: str) -> Answer:
        """Asks the cache as somebody."""
        with line(self.front) as client:
            return client.ask("GET", path, self.house.bearer(who), *lines)

    def answers(self, *bodies: str, status: str = "200 OK", more: str = TEMPTING) -> None:
        """Lets the backend give these bodies in turn."""
        self.house.backend.answers(
            *(
                f"HTTP/1.1 {status}\r\n{more}content-length: {len(body)}\r\n\r\n{body}".encode()
                for body in bodies
            )
        )


@pytest.fixture(scope="module", name="scene")
def running_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The gateway between cache and backend."""
    folder = tmp_path_factory.mktemp("front")
    with (
        house(tmp_path_factory.mktemp("house"), "", ROWS) as found,
        caching_nginx(folder, found.gateway.url) as front,
    ):
        yield Scene(found, front)


def test_one_persons_answer_reaches_nobody_else(scene: Scene) -> None:
    """Whatever the backend says of caches, each caller gets an answer of their own, and the anonymous one a refusal."""
    scene.answers("for stan", "for vera")

    assert scene.ask("/files/a", "stan").body == b"for stan"
    assert scene.ask("/files/a", "vera").body == b"for vera"
    assert scene.ask("/files/a").reason == "signed-in"
    assert scene.ask("/files/a", "otto").reason == "role"


def test_a_refusal_is_not_kept(scene: Scene) -> None:
    """After anonymous and forbidden callers were refused, one who may gets the answer, at the same address."""
    scene.answers("for stan")
    refused = [scene.ask("/files/b", who) for who in ("", "otto", "bob")]

    assert [answer.status for answer in refused] == [401, 403, 403]
    assert {answer.value("cache-control") for answer in refused} == {"no-store"}
    assert scene.ask("/files/b", "stan").body == b"for stan"


def test_a_public_row_is_kept(scene: Scene) -> None:
    """The backend is asked once for what its row calls public, and the cache has the rest."""
    scene.answers("logo")
    answers = [scene.ask("/logos/a") for _ in range(3)]

    assert [answer.body for answer in answers] == [b"logo"] * 3
    assert [answer.value("x-cache") for answer in answers] == ["MISS", "HIT", "HIT"]
    assert len(scene.house.backend.requests) == 1


def test_a_public_row_is_not_kept_of_somebody(scene: Scene) -> None:
    """What a signed-in caller was given on a public row is theirs alone."""
    scene.answers("for stan", "for all")

    assert scene.ask("/logos/b", "stan").body == b"for stan"
    assert scene.ask("/logos/b").body == b"for all"


def test_a_cookie_is_not_kept(scene: Scene) -> None:
    """An answer with a cookie is nobody else's, on a public row either."""
    scene.answers("one", "two", more=TEMPTING + "set-cookie: session=1\r\n")

    assert [scene.ask("/logos/c").body for _ in range(2)] == [b"one", b"two"]
    assert scene.ask("/logos/c").value("cache-control") == "private, max-age=600"


def test_an_open_row_is_not_public(scene: Scene) -> None:
    """Being open to those without a credential is not being shared."""
    scene.answers("one", "two")

    assert [scene.ask("/open/a").body for _ in range(2)] == [b"one", b"two"]


@pytest.mark.parametrize("status", ["304 Not Modified", "206 Partial Content"])
def test_conditional_and_range_answers_say_the_same(scene: Scene, status: str) -> None:
    """A 304 and a 206 are the backend's own and carry the same words about caches."""
    body = "" if status.startswith("304") else "part"
    scene.answers(body, status=status, more=TEMPTING + 'etag: "1"\r\ncontent-range: bytes 0-3/9\r\n')
    with scene.house.line() as client:
        answer = client.ask("GET", "/files/a", scene.house.bearer("stan"), 'if-none-match: "1"')

    assert (str(answer.status), answer.body) == (status[:3], body.encode())
    assert (answer.value("etag"), answer.value("cache-control")) == ('"1"', "private, max-age=600")
    assert answer.value("vary") == "Authorization, App-ID, Auth-Token"
    assert not answer.values("x-accel-expires")


def test_the_proxy_in_front_serves_nothing_of_its_own(scene: Scene) -> None:
    """A backend cannot make nginx serve what was not judged: `X-Accel-Redirect` does not arrive there."""
    scene.answers("judged", more="x-accel-redirect: /inside/secret\r\n")

    assert scene.ask("/files/d", "stan").body == b"judged"
