"""`mediagate explain`: why a request would be allowed or refused, rule by rule, and where a grant came from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import Desk, desk_of
from gateway.cli.failures import DONE, REFUSED
from gateway.cli.objects import principal_text
from gateway.cli.options import DomainOption, examples
from gateway.cli.text import table
from models.networks import AddressError, canonical_address

if TYPE_CHECKING:
    from gateway.bundle import Bundle
    from gateway.explain import Ask, Explanation

NOBODY: Final = "-"
SUPPORT: Final = "support:"
SHARE: Final = "share:"
HERE: Final = "127.0.0.1"
_VERDICTS: Final = {
    "gate": {True: "passes", False: "refuses", None: "error"},
    "permit": {True: "allows", False: "no", None: "error"},
}
EXAMPLES = examples(
    "mediagate explain stan@example.org read asset:42",
    "mediagate explain stan@example.org write file:/news/a.mp4 --from 10.0.0.7 --role can_write_files",
    "mediagate explain - read asset:42   (somebody without a credential)",
    "mediagate explain support: read asset:42   (support, where the domain lets it in)",
    "mediagate explain share:3f1c0a52-... download asset:42   (a visitor of that share)",
    "mediagate explain ada@example.org read asset:42 --at 2030-01-31T23:30:00+01:00",
)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("explain", epilog=EXAMPLES)(explain)


def explain(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    user: Annotated[
        str,
        typer.Argument(
            metavar="USER",
            help="E-mail or id; `-` for nobody, `support:` for support, `share:ID` for a visitor.",
            show_default=False,
        ),
    ],
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION", help="As in route maps: read, write, create, ...", show_default=False
        ),
    ],
    object_: Annotated[
        str,
        typer.Argument(metavar="OBJECT", help="TYPE:ID; `-` for the user's own domain.", show_default=False),
    ],
    *,
    address: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="Where the request comes from.")
    ] = HERE,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="A role that the route demands; may repeat."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="ISO time of the request; now by default.", show_default=False
        ),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="NAME", help="The application whose token comes.", show_default=False),
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Prints every gate and permit in order with its verdict and place, and the entries that grant something.

    The bundle that is live judges, as the gateway recorded it; if none is recorded, the folder does. Where they differ, it says so.
    Exit code 0: allowed, 1: refused.
    """
    from gateway.explain import Ask
    from gateway.explain import explain as explained

    desk = desk_of(context)
    key = None if object_ == NOBODY else naming.object_named(object_)
    canonical, time = _address(address), _time(at)
    policy = _policy(desk)
    with desk.store() as store:
        with store.read() as session:
            share = naming.the_share(session, user.removeprefix(SHARE)).id if user.startswith(SHARE) else ""
            is_user = user not in (NOBODY, SUPPORT) and not share
            asker = naming.the_user(session, user, domain) if is_user else None
            known = naming.known_application(session, asker.domain_id, app) if asker and app else None
        user_id, support = asker.id if asker else None, "support" if user == SUPPORT else ""
        ask = Ask(
            user_id,
            action,
            key,
            canonical,
            time,
            tuple(role or ()),
            known.id if known else "",
            support,
            share,
        )
        found = explained(policy.bundle, store, ask)
        with store.read() as session:
            document = {**_document(session, user, ask, found), "policy": policy.document}
    desk.tell(document, _text(document))
    raise typer.Exit(DONE if found.decision.allowed else REFUSED)


@dataclass(frozen=True, slots=True)
class _Judging:
    """The bundle that judges, whether it is the live one, and what to say of the folder; empty if there is nothing."""

    bundle: "Bundle"
    live: bool
    by: str = "folder"
    notice: str = ""

    @property
    def document(self) -> dict[str, Any]:
        return {
            "digest": self.bundle.digest,
            "judged_by": "live" if self.live else self.by,
            "notice": self.notice or None,
        }


def _policy(desk: Desk) -> _Judging:
    """Returns what a request would meet: the live bundle if one is recorded, whatever was saved or published meanwhile."""
    from gateway.bundle import load_bundle
    from gateway.cli.policy_store import LIVE, named, placed
    from gateway.folder import read_once
    from gateway.reload import bounds_of, history_of

    settings = desk.settings()
    policies, prefix, targets = settings.policies, settings.server.prefix, set(settings.targets)
    past = history_of(policies)
    last = next(reversed(past.lives()), None)
    kept = past.bundle(last.digest) if last else None
    if kept is None:
        with placed(desk) as place:
            bundle = load_bundle(place.folder, targets or None, prefix, max_file=policies.max_file)
        name = place.name if policies.in_store else "the folder"
        missing = f"the files of the live bundle {last.digest} are missing: {name} judged" if last else ""
        return _Judging(bundle, live=False, by=policies.source, notice=missing)
    bundle = load_bundle(kept, None, prefix, proved=True, max_file=policies.max_file)
    name = "the published bundle" if policies.in_store else "the folder"
    now = named(desk, LIVE) if policies.in_store else read_once(policies.folder, bounds_of(policies))
    if now.digest == bundle.digest:
        return _Judging(bundle, live=True)
    what = f"is {now.digest}" if now.digest else f"cannot be read ({'; '.join(now.problems)})"
    said = f"{name} {what}, and is not what is live: `mediagate policy status` says why"
    return _Judging(bundle, live=True, notice=said)


def _address(text: str) -> Any:  # noqa: ANN401 - netaddr has no types
    try:
        return canonical_address(text)
    except AddressError as error:
        raise typer.BadParameter(str(error)) from None


def _time(text: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.now(UTC)
    except ValueError:
        raise typer.BadParameter(f"`{text}` is no time: write 2030-01-31T23:30:00+01:00") from None


def _document(session: Session, user: str, ask: "Ask", found: "Explanation") -> dict[str, Any]:
    decision = found.decision
    return {
        "user": user,
        "action": ask.action,
        "object": str(ask.object) if ask.object else None,
        "judged": str(found.judged) if found.judged else None,
        "from": str(ask.address),
        "at": ask.at.isoformat(),
        "allowed": decision.allowed,
        "reason": str(decision.reason),
        "says": _says(found),
        "rule": decision.rule,
        "detail": decision.detail,
        "steps": [
            {
                "kind": step.kind,
                "name": step.name,
                "holds": step.holds,
                "rule": step.rule,
                "detail": step.detail,
            }
            for step in found.steps
        ],
        "grants": [
            {
                "permission": permission,
                "to": principal_text(session, grant.principal),
                "on": str(grant.on),
                "inherited": grant.inherited,
                "expires": grant.expires.isoformat() if grant.expires else None,
            }
            for permission, grants in found.grants.items()
            for grant in grants
        ],
        "revision": found.revision,
    }


def _says(found: "Explanation") -> str:
    from gateway.reasons import TABLE

    return "" if found.decision.allowed else TABLE[found.decision.refusal].says


def _text(document: dict[str, Any]) -> str:
    asked = f"{'nobody' if document['user'] == NOBODY else document['user']} {document['action']}"
    what = document["object"] or "in the own domain"
    verdict = "allowed" if document["allowed"] else "refused"
    lines = [f"{verdict}: {asked} {what} from {document['from']}", f"because: {document['reason']}"]
    lines[1] += f" ({document['rule']})" if document["rule"] else ""
    lines += [f"means: {document['says']}"] if document["says"] else []
    lines += [f"detail: {document['detail']}"] if document["detail"] else []
    lines += [f"judged: {document['judged']}"] if document["judged"] != document["object"] else []
    policy = document["policy"]
    lines += [f"policy: {policy['digest']}, live"] if policy["judged_by"] == "live" else []
    lines += [f"notice: {policy['notice']}"] if policy["notice"] else []
    steps = [{**step, "verdict": _VERDICTS[step["kind"]][step["holds"]]} for step in document["steps"]]
    lines += ["", table(steps, ("kind", "name", "verdict", "rule"), "the policy has no rules")]
    lines += [f"  {step['name']}: {step['detail']}" for step in steps if step["detail"]]
    grants = [{**grant, "how": "inherited" if grant["inherited"] else "own"} for grant in document["grants"]]
    lines += ["", table(grants, ("permission", "to", "on", "how", "expires"), "no entry grants anything")]
    return "\n".join(lines)
