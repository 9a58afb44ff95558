"""What a decision should be, written a second time from the seeds in plain Python; shares no code with the gateway.

It reads a scenario's facts as written and answers (allowed, reason).
"""

import ipaddress
from datetime import UTC, datetime
from typing import Any

PERMISSION = {name: name for name in ("read", "write", "delete", "change-acl")}
PERMISSION |= {"list": "read", "download": "read", "comment": "read", "create": "write", "approve": "read"}
PERMISSION |= {"download-proxy": "read"}
LOOKED_AT = ("asset", "collection", "file", "metadata_view")
SUPPORT_ROLES = {f"can_read_{name}" for name in ("assets", "collections", "proxies", "segments", "versions")}
SUPPORT_ROLES |= {f"can_read_metadata_{name}" for name in ("categories", "fields", "values", "views")}
LENT_READING = (
    ("view", "read", {"assets", "collections", "proxies", "segments", "metadata_values", "metadata_views"}),
    ("view", "list", {"assets", "collections", "proxies", "segments"}),
    ("download", "download", {"assets", "formats", "files"}),
    ("download-proxy", "download-proxy", {"assets", "proxies", "formats"}),
    ("comment", "comment", {"assets", "segments", "can_create_segments"}),
    ("approve", "approve", {"assets", "approval_request", "can_write_approval_status"}),
    ("upload", "create", {"can_create_assets", "can_create_formats", "can_write_files"}),
    ("versions", "read", {"assets", "versions"}),
    ("transcriptions", "read", {"assets", "transcriptions", "asset_subtitles"}),
    ("custom-actions", "read", {"assets", "collections", "custom_actions"}),
)
LENT = [
    (right, action, {name if name.startswith("can_") else f"can_read_{name}" for name in roles})
    for right, action, roles in LENT_READING
]
READS = ("read", "list", "download", "download-proxy")
FAR = datetime(2200, 1, 1, tzinfo=UTC)
NOON, ALWAYS = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
RANK = {"BROWSE_API_ONLY": 0, "BROWSE_ONLY": 0, "STANDARD": 1, "POWER": 2}


class Oracle:
    """One scenario's world."""

    def __init__(self, facts: dict[str, Any], role_floor: dict[str, str]) -> None:
        """Takes the facts as written and role → lowest user type."""
        self.domains = facts.get("domains") or {"home": {}}
        self.first = next(iter(self.domains))
        self.groups, self.users = facts.get("groups") or {}, facts.get("users") or {}
        self.objects, self.acl = facts.get("objects") or {}, facts.get("acl") or []
        self.shares = facts.get("shares") or {}
        self.floor = role_floor

    def answer(self, case: dict[str, Any]) -> tuple[bool, str]:
        """Returns the verdict and its reason for a case as written."""
        if case.get("open"):
            return True, "open-to-all"
        if case["who"] == "support":
            return self.to_support(case)
        if case["who"] in self.shares:
            return self.to_visitor(case, self.shares[case["who"]])
        user = self.users.get(case["who"])
        what = case.get("what")
        if user is None:
            return False, "signed-in"
        if user.get("status", "ACTIVE") != "ACTIVE":
            return False, "user-status"
        domain = self.domains[user.get("domain", self.first)]
        frozen = domain.get("status") == "FROZEN" and case["does"] in READS
        if domain.get("status", "ACTIVE") not in ("ACTIVE", "WARNING") and not frozen:
            return False, "domain"
        if not case.get("absent") and not self.address_is_fine(user, domain, case):
            return False, "network"
        admin = user.get("admin", False) and user.get("type") == "POWER"
        owner = what is not None and self.objects.get(what, {}).get("owner") == case["who"]
        role_free = admin or (owner and case["does"] == "change-acl")
        if not role_free and not all(self.holds(user, role) for role in case.get("roles", ())):
            return False, "role"
        return self.about_object(case, user, admin=admin, owner=owner)

    def to_support(self, case: dict[str, Any]) -> tuple[bool, str]:
        if not SUPPORT_ROLES.issuperset(case.get("roles", ())):
            return False, "role"
        what = case.get("what")
        if what is None:
            return False, "support-off"
        home = next((self.objects[name] for name in self.path(what) if name in self.objects), None)
        if home is None:
            return False, "unknown-object"
        domain = self.domains[home.get("domain", self.first)]
        until = domain.get("support_until")
        if until is None or case.get("at", NOON) >= until or domain.get("status") == "DEACTIVATED":
            return False, "support-off"
        looks = case["does"] in ("read", "list") and what.partition(":")[0] in LOOKED_AT
        return (True, "support") if looks else (False, "no-grant")

    def to_visitor(self, case: dict[str, Any], share: dict[str, Any]) -> tuple[bool, str]:
        home_of_share = self.users[share["by"]].get("domain", self.first)
        switch = self.domains[home_of_share].get("external_share", True)
        if case.get("at", NOON) >= share.get("until", FAR) or not switch:
            return False, "share-off"
        ip = ipaddress.ip_address(case.get("from", "10.0.0.1"))
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if share.get("networks") and not any(ip in ipaddress.ip_network(net) for net in share["networks"]):
            return False, "network"
        lent = [(action, roles) for right, action, roles in LENT if right in share["may"]]
        asked = case.get("roles", ())
        if asked and not any(each == case["does"] and roles.issuperset(asked) for each, roles in lent):
            return False, "role"
        what = case.get("what")
        if what is None:
            return False, "no-grant"
        home = next((self.objects[name] for name in self.path(what) if name in self.objects), None)
        if home is None:
            return False, "unknown-object"
        if home.get("domain", self.first) != home_of_share:
            return False, "foreign-object"
        inside = share["of"] == what or share["of"] in self.above(what)
        kind, _, id_ = what.partition(":")
        view = kind == "metadata_view" and id_ in share.get("views", ()) and case["does"] == "read"
        entry = self.entry_for(f"share:{case['who']}", case, what)
        lends = any(each == case["does"] for each, _ in lent)
        if not view and not (lends and (inside or entry)):
            return False, "no-grant"
        roles = [*asked, "can_write_shares"]
        sharers = self.answer({**case, "who": share["by"], "roles": roles, "absent": True})
        because = "share" if inside and lends else "share-view" if view else "share-entry"
        return (True, because) if sharers[0] else (False, "sharer")

    def entry_for(self, name: str, case: dict[str, Any], what: str) -> bool:
        wanted, now, above = PERMISSION.get(case["does"]), case.get("at", NOON), self.above(what)
        hits = [entry for entry in self.acl if entry["to"] == name and wanted in entry["may"]]
        lasting = [entry for entry in hits if now < entry.get("until", ALWAYS)]
        return any(
            entry["object"] == what or (entry["object"] in above and entry.get("propagates"))
            for entry in lasting
        )

    def about_object(
        self, case: dict[str, Any], user: dict[str, Any], *, admin: bool, owner: bool
    ) -> tuple[bool, str]:
        what = case.get("what")
        if what is not None:
            home = next((self.objects[name] for name in self.path(what) if name in self.objects), None)
            if home is None:
                return False, "unknown-object"
            if home.get("domain", self.first) != user.get("domain", self.first):
                return False, "foreign-object"
        if admin:
            return True, "admin"
        if owner:
            return True, "object-owner"
        names = {f"user:{case['who']}"} | {f"group:{group}" for group in user.get("groups", ())}
        wanted = PERMISSION.get(case["does"])
        now = case.get("at", NOON)
        lasting = [entry for entry in self.acl if now < entry.get("until", ALWAYS)]
        hits = [entry for entry in lasting if entry["to"] in names and wanted in entry["may"]]
        if any(entry["object"] == what for entry in hits):
            return True, "own-acl"
        above = self.above(what) if what else set()
        if any(entry["object"] in above and entry.get("propagates") for entry in hits):
            return True, "inherited-acl"
        return (True, "by-role") if what is None else (False, "no-grant")

    def address_is_fine(self, user: dict[str, Any], domain: dict[str, Any], case: dict[str, Any]) -> bool:
        ip = ipaddress.ip_address(case.get("from", "10.0.0.1"))
        ip = getattr(ip, "ipv4_mapped", None) or ip
        groups = [self.groups[name] for name in user.get("groups", ())]
        levels = [self.lines(some, case.get("app", "app")) for some in ([user], groups, [domain])]
        binding = [lines for lines in levels if lines] if domain.get("allow_list") else []
        if domain.get("allow_list_rule") != "EVERY_LEVEL":
            binding = binding[:1]
        return all(any(ip in ipaddress.ip_network(net) for net in lines) for lines in binding)

    def lines(self, whose: list[dict[str, Any]], app: str) -> list[str]:
        found = [line for entry in whose for line in entry.get("networks", ())]
        plain = [line if isinstance(line, dict) else {"cidr": line, "app": app} for line in found]
        return [line["cidr"] for line in plain if line["app"] == app]

    def holds(self, user: dict[str, Any], role: str) -> bool:
        narrowing = self.domains[user.get("domain", self.first)].get("role_model") == "ROLE_GROUPS"
        kind = "ROLE_GROUP" if narrowing else "GROUP"
        groups = [self.groups[name] for name in user.get("groups", ())]
        named = [
            one for group in groups if group.get("kind", "GROUP") == kind for one in group.get("roles", ())
        ]
        given = role in named or (narrowing and not named)
        return given and RANK[user.get("type", "STANDARD")] >= RANK[self.floor.get(role, "POWER")]

    def path(self, name: str) -> list[str]:
        kind, _, id_ = name.partition(":")
        parts = id_.split("/")
        cuts = [f"{kind}:{'/'.join(parts[:n]) or '/'}" for n in range(len(parts), 0, -1)]
        return list(dict.fromkeys(cuts)) if id_.startswith("/") else [name]

    def above(self, name: str) -> set[str]:
        found, waiting = set[str](), [name]
        while waiting:
            one = waiting.pop()
            parents = [*self.path(one)[1:], *self.objects.get(one, {}).get("in", ())]
            waiting += [parent for parent in parents if parent not in found]
            found.update(parents)
        return found - {name}
