"""What a new object should get from ACL templates, written a second time in plain Python; shares no code with the gateway.

It reads a world as written:

    templates: template -> list of {to, may, propagates}
    set_for:   `storage:ID`, `user:ID`, `group:ID` or `domain:ID` -> template
    primary:   user -> group
    mapped:    folder -> storage
    holds:     object -> list of entries, {to, may, propagates, ends}
    gone:      what was removed since that was written: templates, groups, storages and, as deleted, users
"""

from typing import Any

Entry = tuple[str, bool]
"""To whom, and whether it propagates."""
Given = dict[Entry, set[str]]
"""Permissions by entry."""


def given_to_new(
    world: dict[str, Any], path: str | None, creator: str | None, storage: str | None = None
) -> Given:
    """Returns what an object gets that a member creates or that is ingested: at `path`, if it is one."""
    template = template_for(world, path, creator, storage)
    return given_by(world, template) if template is not None else {}


def template_for(
    world: dict[str, Any], path: str | None, creator: str | None, storage: str | None = None
) -> str | None:
    """Returns the first template that is set: the storage's, the creator's, that of the creator's primary group, the domain's."""
    came_from = storage or storage_around(world, path)
    subjects = [f"storage:{came_from}"] if came_from else []
    if creator is not None:
        subjects += [f"user:{creator}", f"group:{world['primary'].get(creator)}"]
    for subject in [*subjects, "domain:d0"]:
        template = world["set_for"].get(subject)
        if template is not None and template not in world["gone"]:
            return str(template)
    return None


def storage_around(world: dict[str, Any], path: str | None) -> str | None:
    """Returns the storage of the longest mapped folder that a path is, or lies in."""
    folders = {
        folder: storage
        for folder, storage in world["mapped"].items()
        if path is not None
        and storage not in world["gone"]
        and (path == folder or path.startswith(folder.rstrip("/") + "/"))
    }
    return str(folders[max(folders, key=len)]) if folders else None


def given_by(world: dict[str, Any], template: str, within: str | None = None) -> Given:
    """Returns what a template gives an object; within a collection only what that gives the same principal for good."""
    given: Given = {}
    for entry in world["templates"][template]:
        kind_and_id = entry["to"]
        if kind_and_id.partition(":")[2] in world["gone"]:
            continue
        may = set(entry["may"])
        if within is not None:
            may &= _held(world, within, kind_and_id, content=entry["propagates"])
        if may:
            given.setdefault((kind_and_id, entry["propagates"]), set()).update(may)
    return given


def _held(world: dict[str, Any], collection: str, principal: str, *, content: bool) -> set[str]:
    return {
        permission
        for entry in world["holds"].get(collection, ())
        if entry["to"] == principal and not entry["ends"] and (entry["propagates"] or not content)
        for permission in entry["may"]
    }
