"""All commands under their nouns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from gateway.cli.desk import Desk
from gateway.cli.options import examples
from gateway.cli.root import Noun, Root


class Mediagate(Root):
    """The command `mediagate`."""

    nouns: ClassVar[Mapping[str, Noun]] = {
        "init": Noun("gateway.cli.init", "Write settings, policies and a store to begin with."),
        "serve": Noun("gateway.cli.serve", "Serve until told to stop."),
        "demo": Noun("gateway.demo.command", "Try it: two media services behind the gateway."),
        "explain": Noun("gateway.cli.explain", "Why a request would be allowed or refused."),
        "user": Noun("gateway.cli.users", "People's accounts."),
        "group": Noun("gateway.cli.groups", "Groups and teams: roles and members."),
        "token": Noun("gateway.cli.tokens", "Credentials of users."),
        "support": Noun("gateway.cli.support", "Credentials of support."),
        "object": Noun("gateway.cli.objects", "Registered objects of the backends."),
        "collection": Noun("gateway.cli.objects", "Collections and what stands in them."),
        "grant": Noun("gateway.cli.grants", "Grant permissions on an object."),
        "revoke": Noun("gateway.cli.grants", "Take permissions back."),
        "acl": Noun("gateway.cli.acl", "Entries on many objects at once."),
        "share": Noun("gateway.cli.shares", "What users share with visitors."),
        "template": Noun("gateway.cli.templates", "ACL templates: entries that new objects get."),
        "storage": Noun("gateway.cli.storages", "Folders that belong to storages."),
        "ingest": Noun("gateway.cli.storages", "Take up what a storage brings."),
        "history": Noun("gateway.cli.history", "Who changed what and when."),
        "allow-ip": Noun("gateway.cli.networks", "Allow-lists of addresses and networks."),
        "client-ip": Noun("gateway.cli.client_ip", "Which client address would be believed."),
        "api": Noun("gateway.cli.api", "Describe what the gateway answers itself (OpenAPI)."),
        "identity-key": Noun("gateway.cli.identity_key", "Make a key that signs identity tokens."),
        "selftest": Noun("gateway.cli.selftest", "Fire known bypasses at a live deployment."),
        "policy": Noun("gateway.cli.policy", "Check Polar files, roles, route maps and scenarios."),
        "domain": Noun("gateway.cli.domains", "System domains."),
        "apply": Noun("gateway.cli.apply", "Bring the model to a declared state."),
        "export": Noun("gateway.cli.moving", "Write the whole model as JSON lines."),
        "import": Noun("gateway.cli.moving", "Read a whole model into a new store."),
        "upgrade": Noun("gateway.cli.serve", "Bring the store up to date after an upgrade."),
    }


EPILOG = examples(
    "mediagate init --admin ada@example.org --upstream media=http://127.0.0.1:9000",
    "mediagate serve",
    "mediagate user add stan@example.org --group editors",
    "mediagate grant group:editors read,write collection:news --propagate",
    "mediagate explain stan@example.org read asset:42 --from 10.0.0.7",
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if asked:
        from importlib.metadata import version

        print(version("mediagate"))
        raise typer.Exit


def _start(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="The TOML file; else MEDIAGATE_CONFIG, else mediagate.toml here.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
    _asked: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Mediagate, an authorization gateway for media services.

    --config and --json may stand anywhere. Exit codes: 0 done or allowed, 1 refused or differs, 2 wrong use, 3 failure.
    """
    context.obj = Desk(config, as_json)


def make_app() -> typer.Typer:
    """Returns the command line."""
    return typer.Typer(
        name="mediagate",
        cls=Mediagate,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog=EPILOG,
        callback=_start,
    )
