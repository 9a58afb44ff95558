"""Whatever is sent to the management API by its description, well formed or not, it answers as its description says."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from management import (
    CLIENTS,
    CLIP,
    CREW,
    EDITOR,
    NAMES,
    OTHER,
    OWNER,
    READER,
    STRANGER,
    SUB,
    THEIRS,
    TOP,
    House,
    housed,
)

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {
    "user_id": (READER, OWNER, EDITOR, STRANGER),
    "group_id": (CREW, CLIENTS),
    "object_key": (CLIP, OTHER, TOP, SUB, THEIRS),
    "object_type": ("assets", "collections"),
    "permission": ("read", "write", "delete", "change-acl"),
    "role": ("can_read_acls",),
}
"""Ids that are there, one of them of another domain: ids at random are hardly ever anybody's."""
CREDENTIALS = ("app-id", "auth-token", "authorization")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Returns a gateway with local services, of whose cast little is left afterwards."""
    with housed(tmp_path) as house:
        yield house


@pytest.mark.parametrize("who", ["admin", "reader", None])
def test_it_answers_as_its_description_says(
    house: House, who: str | None, request: pytest.FixtureRequest
) -> None:
    """Drawn requests, by an admin, by one without roles and by nobody, get a status, headers and a body that are described, and no failure."""
    document = house.told("admin", "GET", "/-/api/openapi.json")
    seen: Counter[int] = Counter()
    examples = 200 if request.config.getoption("--long") else 8 if who == "admin" else 3
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr] # the description is valid
        fire(house, operation, who, examples, seen)
    assert len(document["paths"]) > 40
    assert seen[200] > 0 or who is None, seen


def fire(house: House, operation: Any, who: str | None, examples: int, seen: Counter[int]) -> None:
    """Sends drawn requests to one operation, with a new token, since some end theirs."""
    credential = {} if who is None else {"Authorization": f"Bearer {house.token(NAMES[who])}"}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), data=st.data())
    def answered(case: Any, data: Any) -> None:
        for name, ids in KNOWN.items():
            if name in (case.path_parameters or {}) and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(ids))
        for name in [name for name in case.headers or () if name.lower() in CREDENTIALS]:
            del case.headers[name]
        answer = case.call(base_url=house.gateway.url, headers=credential, timeout=20)
        seen[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        case.validate_response(answer, checks=CHECKS)

    answered()
