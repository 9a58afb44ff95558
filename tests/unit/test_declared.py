"""A declared state is read as a whole, brought about in one commit, and changes nothing the second time."""

from pathlib import Path

import pytest

from gateway.declared import bring_about, read_declared
from gateway.errors import PolicyFileError
from models import changes, directory
from models.changes import ANY_ADMIN, ChangeError, Guard
from models.networks import canonical_address
from models.records import GroupKind, ObjectKey, Permission, UserType
from models.store import Store
from stores import TOP, change, rows, settle_in

ROLES = ("can_read_assets", "can_search")
STATE = """
domains:
  Main:
    status: WARNING
    role_model: GROUPS
    external_share: false
    allow_list:
      enabled: true
      rule: EVERY_LEVEL
      networks: [10.0.0.0/8, {cidr: 192.0.2.0/24, app: Player, note: the players}]
    groups:
      Crew: {description: who films, roles: [can_read_assets], members: [ada@example.com], networks: [10.0.0.0/8], template: Films}
      Editors: {kind: TEAM, members: []}
    templates:
      Films: {entries: [{to: "group:Crew", may: [read, write]}, {to: "group:Editors", may: [read], propagates: true}]}
    template: Films
    acl:
      collection:top:
        - {to: "group:Crew", may: [read, write], propagates: true}
        - {to: "user:ben@example.com", may: [read], until: 2999-01-01T00:00:00Z}
  New: {groups: {First: {roles: [can_search]}}}
"""


def declare(store: Store, folder: Path, text: str, guard: Guard | None = ANY_ADMIN) -> None:
    """Brings about what a text declares."""
    (folder / "state.yaml").write_text(text)
    with change(store) as session:
        bring_about(session, read_declared(folder / "state.yaml", ROLES), guard)


def test_what_is_declared_is_made_so(cast: Store, tmp_path: Path) -> None:
    """Every kind of thing that can be said, new and there already."""
    with change(cast) as session:
        changes.grant(session, TOP, "user:ada", Permission.DELETE, propagates=False)
    declare(cast, tmp_path, STATE)
    with cast.read() as session:
        main, crew = directory.find_domain(session, "Main"), directory.find_group(session, "main", "Crew")
        editors = directory.find_group(session, "main", "Editors")
        assert (main.status, main.external_share, main.allow_list_enabled) == ("WARNING", False, True)
        assert main.allow_list_rule == "EVERY_LEVEL"
        assert (crew.description, list(directory.list_roles(session, "crew"))) == (
            "who films",
            ["can_read_assets"],
        )
        assert [user.id for user in directory.list_members(session, "crew")] == ["ada"]
        assert editors.kind is GroupKind.TEAM
        lines = {
            (row.cidr, row.application_id, row.group_id, row.note)
            for row in directory.list_networks(session, "main")
        }
        assert lines == {
            ("10.0.0.0/8", None, None, ""),
            ("192.0.2.0/24", "app", None, "the players"),
            ("10.0.0.0/8", None, "crew", ""),
        }
        (template,) = directory.list_templates(session, "main")
        given = {
            (each.principal, each.permissions, each.propagates)
            for each in directory.list_template_entries(session, template.id)
        }
        assert given == {
            ("group:crew", Permission.READ | Permission.WRITE, False),
            (f"group:{editors.id}", Permission.READ, True),
        }
        assert {use.subject_id for use in directory.list_template_uses(session, template.id)} == {
            "main",
            "crew",
        }
        held = {
            (each.principal, each.propagates, each.end is None)
            for each in directory.list_entries(session, TOP)
        }
        assert held == {("group:crew", True, True), ("user:ben", False, False)}
        assert directory.list_roles(
            session, directory.find_group(session, directory.find_domain(session, "New").id, "First").id
        ) == ["can_search"]


def test_the_same_again_changes_nothing(cast: Store, tmp_path: Path) -> None:
    """Not a row, and so no revision."""
    declare(cast, tmp_path, STATE)
    before, revision = rows(cast), cast.load(None, []).mark.revision
    declare(cast, tmp_path, STATE)
    assert rows(cast) == before
    assert cast.load(None, []).mark.revision == revision


def test_what_is_not_named_stays(cast: Store, tmp_path: Path) -> None:
    """An empty list is a list; a thing that is not there is none."""
    declare(cast, tmp_path, STATE)
    before = rows(cast)
    declare(cast, tmp_path, "domains: {Main: {groups: {Crew: {}}}}")
    assert rows(cast) == before
    declare(
        cast,
        tmp_path,
        "domains: {Main: {allow_list: {networks: [10.0.0.0/8]}, groups: {Crew: {roles: [], networks: []}}, template: none, acl: {collection:top: []}}}",
    )
    with cast.read() as session:
        assert list(directory.list_roles(session, "crew")) == []
        assert [row.cidr for row in directory.list_networks(session, "main")] == ["10.0.0.0/8"]
        assert list(directory.list_entries(session, TOP)) == []
        assert [user.id for user in directory.list_members(session, "crew")] == ["ada"]


REFUSED = {
    "a user who is not there": (
        "domains: {Main: {groups: {Crew: {members: [eve@example.com]}}}}",
        "state.yaml:1: there is no user",
    ),
    "a user of another domain": (
        "domains: {Main: {groups: {Crew: {members: [zoe@example.com]}}}}",
        "there is no user",
    ),
    "an object that is not there": (
        "domains: {Main: {acl: {asset:none: [{to: 'group:Crew', may: [read]}]}}}",
        "does not exist",
    ),
    "an object of another domain": (
        "domains: {Other: {acl: {collection:top: [{to: 'group:Strangers', may: [read]}]}}}",
        "domain",
    ),
    "a group that becomes another kind": ("domains: {Main: {groups: {Crew: {kind: TEAM}}}}", "stays one"),
    "two entries for one": (
        "domains: {Main: {acl: {collection:top: [{to: 'group:Crew', may: [read]}, {to: 'group:Crew', may: [write]}]}}}",
        "two entries",
    ),
    "a template that is not there": ("domains: {Main: {template: None such}}", "there is no"),
    "a network that is none": ("domains: {Main: {allow_list: {networks: [10.0.0.0/99]}}}", "10.0.0.0/99"),
    "an end that is over": (
        "domains: {Main: {acl: {collection:top: [{to: 'group:Crew', may: [read], until: 2020-01-01T00:00:00Z}]}}}",
        "is over",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_model_refuses_is_told_with_its_line(
    sqlite_store: Store, tmp_path: Path, text: str, said: str
) -> None:
    """And nothing of the file is done."""
    with change(sqlite_store) as session:
        settle_in(session)
    before = rows(sqlite_store)
    with pytest.raises(ChangeError, match=r"state\.yaml:1: ") as caught:
        declare(sqlite_store, tmp_path, f"{text}")
    assert said in str(caught.value)
    assert rows(sqlite_store) == before


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """Before anything is changed, each with its line."""
    path = tmp_path / "state.yaml"
    path.write_text(
        "domains:\n  Main:\n    statu: ACTIVE\n    status: GONE\n    groups:\n      A: {roles: [can_fly]}\n"
        "    acl:\n      nonsense: []\n      asset:1: [{to: Crew, may: [fly]}, {to: 'user:a', may: [read], until: soon}]\n"
        "    templates:\n      T: {entries: [{to: 'user:a', may: [read], until: 2999-01-01T00:00:00Z}]}\n"
        "    allow_list: {networks: [{app: x}]}\n"
    )
    with pytest.raises(PolicyFileError) as caught:
        read_declared(path, ROLES)
    found = "\n".join(caught.value.problems)
    for said in (
        "state.yaml:3: a domain has no key `statu`",
        "state.yaml:4:",
        "no role `can_fly`",
        "state.yaml:8:",
        "`fly`",
        "with a zone",
        "state.yaml:11:",
        "says `cidr`",
    ):
        assert said in found, said
    path.write_text("other: {}")
    with pytest.raises(PolicyFileError, match="no key `other`"):
        read_declared(path, ROLES)
    with pytest.raises(PolicyFileError, match="cannot be read"):
        read_declared(tmp_path / "none", ROLES)


def test_nobody_is_locked_out_at_the_end(cast: Store, tmp_path: Path) -> None:
    """Lists may change one after the other; what counts is whether an admin could come in when all is done."""
    swap = "domains: {Main: {allow_list: {enabled: true, networks: [%s]}}}"
    declare(cast, tmp_path, swap % "10.0.0.0/8")
    declare(cast, tmp_path, swap % "192.0.2.0/24")
    guard = Guard(canonical_address("192.0.2.7"))
    with pytest.raises(ChangeError, match=r"192\.0\.2\.7"):
        declare(cast, tmp_path, swap % "10.0.0.0/8", guard)
    declare(cast, tmp_path, swap % "10.0.0.0/8", None)


def test_templates_and_entries_follow_what_is_declared(cast: Store, tmp_path: Path) -> None:
    """Permissions that are left out go, in templates and on objects alike."""
    declare(cast, tmp_path, STATE)
    fewer = STATE.replace("[read, write]", "[read]")
    declare(cast, tmp_path, fewer)
    with cast.read() as session:
        (template,) = directory.list_templates(session, "main")
        assert {each.permissions for each in directory.list_template_entries(session, template.id)} == {
            Permission.READ
        }
        assert {each.permissions for each in directory.list_entries(session, TOP)} == {Permission.READ}


def test_a_large_state_is_one_commit(sqlite_store: Store, tmp_path: Path) -> None:
    """Objects and groups by the hundred."""
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main", id_="main")
        changes.create_user(session, "main", "a@example.com", id_="a", type=UserType.POWER)
        for number in range(200):
            changes.register_object(session, ObjectKey("asset", str(number)), "main")
    groups = ", ".join(f"g{number}: {{members: [a@example.com]}}" for number in range(50))
    acl = ", ".join(
        f"'asset:{number}': [{{to: 'group:g{number % 50}', may: [read]}}]" for number in range(200)
    )
    before = sqlite_store.load(None, []).mark.revision
    declare(sqlite_store, tmp_path, f"domains: {{Main: {{groups: {{{groups}}}, acl: {{{acl}}}}}}}")
    assert sqlite_store.load(None, []).mark.revision == before + 1
