"""Each shipped scenario and each cell of the table of capabilities through the whole running gateway, with a recording backend behind it."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sqlalchemy.orm import Session

from gateway.bundle import read_scenarios
from gateway.reasons import TABLE, Reason
from gateway.roles import read_roles
from gateway.scenarios import FAR, SUPPORT, Case, Scenario, network_lines
from gateways import Gateway, prepare, running
from models import changes, tables
from models.records import (
    AllowListRule,
    DomainStatus,
    GroupKind,
    ObjectKey,
    Permission,
    RoleModel,
    UserStatus,
    UserType,
)
from policy_folders import SHIPPED
from recorder import Recorder, recording

SCENARIOS = read_scenarios(SHIPPED, read_roles(SHIPPED))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = sorted(
    {
        case.what.type
        for scenario in SCENARIOS
        for case in scenario.cases
        if case.what and case.what.type not in ("asset", "collection", "file")
    }
)
"""The types of objects that scenarios name besides assets, collections and files."""
TOML = """
[upstreams.recorder]
url = "{backend}"
[proxies]
trusted = ["127.0.0.1"]
"""


@dataclass
class Stage:
    """A running gateway with the worlds of all scenarios in its store."""

    gateway: Gateway
    backend: Recorder
    rows: dict[tuple[str, tuple[str, ...], str, bool], int]
    tokens: dict[tuple[int, str, str], str]
    support: str


def kind_of(case: Case) -> tuple[str, tuple[str, ...], str, bool]:
    """Returns what decides which row a case falls on: action, roles, object type, and whether it is open to all."""
    return case.does, case.roles, case.what.type if case.what else "", case.open_to_all


def route_map(kinds: dict[tuple[str, tuple[str, ...], str, bool], int]) -> str:
    """Returns a route map with a row for each kind of case, under /do/NUMBER."""
    lines = [
        "upstream: recorder",
        "objects:",
        "  asset: {id: opaque}",
        "  collection: {id: opaque}",
        *(f"  {type_}: {{id: opaque}}" for type_ in OTHERS),
        "  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}",
        "routes:",
    ]
    for (action, roles, type_, open_to_all), number in kinds.items():
        path = {"": "", "file": "/{path...}"}.get(type_, "/{id}")
        named = {"": "", "file": ', object: file, id: "/{path}"'}.get(
            type_, f', object: {type_}, id: "{{id}}"'
        )
        needed = f", roles: [{', '.join(roles)}]" if roles else ", role: none"
        row = "anonymous: true" if open_to_all else f"action: {action}{named}{needed}"
        lines.append(f"  - GET /do/{number}{path}: {{{row}}}")
    return "\n".join(lines)


def key_in(number: int, name: str) -> ObjectKey:
    """Returns a scenario's object as it is called in the shared store."""
    key = ObjectKey.parse(name)
    return ObjectKey(
        key.type, f"/s{number}{key.id}".rstrip("/") if key.id.startswith("/") else f"s{number}-{key.id}"
    )


class Scenery:
    """Writes one scenario's world into a store that all share: every name gets the scenario's number."""

    def __init__(self, session: Session, number: int, scenario: Scenario) -> None:
        """Takes an open write session and a scenario."""
        self.session, self.number = session, number
        self.raw = raw = dict(scenario.raw)
        self.apps = sorted({case.app for case in scenario.cases})
        self.at = f"s{number}-"
        self.first = next(iter(raw.get("domains") or {"home": {}}))
        self.tokens: dict[tuple[int, str, str], str] = {}

    def build(self) -> dict[tuple[int, str, str], str]:
        """Writes everything and returns the users' tokens."""
        for name, entry in (self.raw.get("domains") or {"home": {}}).items():
            self._domain(self.at + name, entry)
        for name, entry in (self.raw.get("groups") or {}).items():
            self._group(self.at + name, self._domain_of(entry), entry)
        for name, entry in (self.raw.get("users") or {}).items():
            self._user(name, self._domain_of(entry), entry)
        for name, entry in (self.raw.get("objects") or {}).items():
            self._object(key_in(self.number, name), self._domain_of(entry), entry)
        for entry in self.raw.get("acl") or ():
            self._entry(key_in(self.number, entry["object"]), entry)
        for name, entry in (self.raw.get("shares") or {}).items():
            self._share(name, self._domain_of(self.raw["users"][entry["by"]]), entry)
        return self.tokens

    def _share(self, name: str, domain: str, entry: dict[str, Any]) -> None:
        """Writes a share with one link, and a token of a visitor who came by it while it was open."""
        key, id_, text = key_in(self.number, entry["of"]), self.at + name, secrets.token_urlsafe(32)
        share = tables.Share(id=id_, domain_id=domain, owner_id=self.at + entry["by"], created=NOW)
        share.object_type, share.object_id = key
        share.rights, share.networks = entry["may"], entry.get("networks", [])
        share.expires = entry.get("until", FAR)
        share.metadata_views = [
            key_in(self.number, f"metadata_view:{view}").id for view in entry.get("views", ())
        ]
        self._put(share)
        self._put(tables.ShareRecipient(id=id_, share_id=id_, digest=id_, visits=1))
        digest = sha256(text.encode()).hexdigest()
        self._put(tables.Token(id=id_, digest=digest, share_id=id_, recipient_id=id_, created=NOW))
        self.tokens[self.number, name, ""] = text

    def _put(self, *rows: tables.Base) -> None:
        self.session.add_all(rows)
        self.session.flush()

    def _domain_of(self, entry: dict[str, Any]) -> str:
        return self.at + str(entry.get("domain", self.first))

    def _networks(self, domain: str, entry: dict[str, Any], **whose: str) -> None:
        for cidr, app in network_lines(entry):
            application = f"{domain}-{app}" if app else None
            self._put(
                tables.Network(
                    id=secrets.token_hex(8), domain_id=domain, cidr=cidr, application_id=application, **whose
                )
            )

    def _domain(self, id_: str, entry: dict[str, Any]) -> None:
        status, switch = DomainStatus(entry.get("status", "ACTIVE")), entry.get("allow_list", False)
        roles = RoleModel(entry.get("role_model", "GROUPS"))
        rule = AllowListRule(entry.get("allow_list_rule", "MOST_SPECIFIC"))
        domain = tables.SystemDomain(id=id_, name=id_, status=status, allow_list_enabled=switch)
        domain.role_model, domain.allow_list_rule = roles, rule
        domain.support_until = entry.get("support_until")
        domain.external_share = entry.get("external_share", True)
        self._put(domain)
        self._put(*(tables.Application(id=f"{id_}-{app}", domain_id=id_, name=app) for app in self.apps))
        self._networks(id_, entry)

    def _group(self, id_: str, domain: str, entry: dict[str, Any]) -> None:
        kind = GroupKind(entry.get("kind", "GROUP"))
        self._put(tables.Group(id=id_, domain_id=domain, name=id_, kind=kind))
        self._put(*(tables.GroupRole(group_id=id_, role=role) for role in entry.get("roles", ())))
        self._networks(domain, entry, group_id=id_)

    def _user(self, name: str, domain: str, entry: dict[str, Any]) -> None:
        id_ = self.at + name
        user = tables.User(
            id=id_,
            domain_id=domain,
            email=f"{entry.get('email', name)}@{self.at}example",
            type=UserType(entry.get("type", "STANDARD")),
            status=UserStatus(entry.get("status", "ACTIVE")),
            is_admin=entry.get("admin", False),
            created=NOW,
            modified=NOW,
        )
        self._put(user)
        self._put(
            *(tables.Membership(user_id=id_, group_id=self.at + group) for group in entry.get("groups", ()))
        )
        self._networks(domain, entry, user_id=id_)
        for app in self.apps:
            text = secrets.token_urlsafe(32)
            self.tokens[self.number, name, app] = text
            digest, application = sha256(text.encode()).hexdigest(), f"{domain}-{app}"
            self._put(
                tables.Token(
                    id=f"{id_}-{app}", digest=digest, user_id=id_, application_id=application, created=NOW
                )
            )

    def _object(self, key: ObjectKey, domain: str, entry: dict[str, Any]) -> None:
        owner = self.at + entry["owner"] if entry.get("owner") else None
        self._put(tables.Object(type=key.type, id=key.id, domain_id=domain, owner_id=owner, created=NOW))
        for above in (key_in(self.number, each) for each in entry.get("in", ())):
            names = {
                "parent_type": above.type,
                "parent_id": above.id,
                "child_type": key.type,
                "child_id": key.id,
            }
            self._put(tables.Placement(**names))

    def _entry(self, key: ObjectKey, entry: dict[str, Any]) -> None:
        kind, _, name = entry["to"].partition(":")
        permissions = Permission.NONE
        for each in entry["may"]:
            permissions |= Permission.named(each)
        self._put(
            tables.AclEntry(
                object_type=key.type,
                object_id=key.id,
                principal_kind=tables.PrincipalKind(kind),
                principal_id=self.at + name,
                propagates=entry.get("propagates", False),
                expires=entry.get("until", tables.NEVER),
                permissions=permissions,
            )
        )


@pytest.fixture(scope="module", name="stage")
def running_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One gateway for all scenarios."""
    folder = tmp_path_factory.mktemp("scenarios")
    kinds: dict[tuple[str, tuple[str, ...], str, bool], int] = {}
    for scenario in SCENARIOS:
        for case in scenario.cases:
            kinds.setdefault(kind_of(case), len(kinds))
    tokens: dict[tuple[int, str, str], str] = {}
    with recording() as backend:
        store = prepare(folder, TOML.format(backend=backend.url), routes=route_map(kinds))
        with store.write("test") as commit:
            for number, scenario in enumerate(SCENARIOS):
                tokens |= Scenery(commit.session, number, scenario).build()
            end = datetime.now(UTC) + timedelta(hours=1)
            support = changes.issue_support_token(commit.session, "sam", expires=end)[1]
        store.close()
        with running(folder) as gateway:
            yield Stage(gateway, backend, kinds, tokens, support)


def path_of(stage: Stage, number: int, case: Case) -> str:
    """Returns the target that asks a case's question."""
    base = f"/do/{stage.rows[kind_of(case)]}"
    if case.what is None:
        return base
    return f"{base}/{quote(key_in(number, str(case.what)).id.lstrip('/'))}"


def audit_reason(folder: Path, request_id: str) -> str:
    """Returns the reason in the audit line of a request."""
    lines = [json.loads(line) for line in folder.joinpath("audit.jsonl").read_text().splitlines()]
    return next(str(line["reason"]) for line in lines if line["request_id"] == request_id)


def credential(stage: Stage, number: int, case: Case) -> dict[str, str]:
    """Returns the headers that sign a case's caller in: a pair of App-ID and token, as programs send, or now and then a bearer."""
    if case.who in (SCENARIOS[number].raw.get("shares") or ()):
        return {"Authorization": f"Bearer {stage.tokens[number, case.who, '']}"}
    if case.who == SUPPORT:
        return {"Authorization": f"Bearer {stage.support}"}
    token = stage.tokens.get((number, case.who, case.app))
    if token is None:
        return {}
    user = SCENARIOS[number].raw["users"][case.who]
    first = next(iter(SCENARIOS[number].raw.get("domains") or {"home": {}}))
    application = f"s{number}-{user.get('domain', first)}-{case.app}"
    if len(case.roles) % 2:
        return {"Authorization": f"Bearer {token}"}
    return {"App-ID": application, "Auth-Token": token}


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=[scenario.place for scenario in SCENARIOS])
def test_the_running_gateway_gives_what_the_scenario_says(stage: Stage, number: int) -> None:
    """Status, public reason, precise audit reason and what the backend saw are those that each case demands."""
    scenario: Scenario = SCENARIOS[number]
    for case in scenario.cases:
        stage.backend.clear()
        headers = {"X-Forwarded-For": case.address} | credential(stage, number, case)
        target = path_of(stage, number, case)
        answer = requests.get(stage.gateway.url + target, headers=headers, timeout=10)
        told = "" if case.allowed else answer.json()["reason"]
        row = None if case.allowed else TABLE[Reason(case.because)]

        assert answer.status_code == (row.status if row else 200), (scenario.place, case)
        assert told == (row.public if row else ""), (scenario.place, case)
        assert audit_reason(stage.gateway.folder, answer.headers["x-request-id"]) == case.because, (
            scenario.place,
            case,
        )
        assert stage.backend.requests == ([("GET", target)] if case.allowed else []), (scenario.place, case)
