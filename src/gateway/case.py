"""One request before the law: the pure part of the main path, from identity to verdict.

Rules:

1. Who asks comes first: a credential that is not valid is refused before anybody learns whether a route exists.
2. Everything is read at one revision: a missing fact leaves as `MissingFactError`, and the whole question is put again.
3. A row that reads the body gets it between two askings; nothing is read for a caller whose credential does not hold.
4. A request that is being carried is asked about again as one that was allowed: its token may have expired a stated time ago, and what a
   deletion holds is not asked (`gateway.rejudging`).
"""

from datetime import UTC, datetime, timedelta

import msgspec

from gateway.authorize import Authorizer, Verdict
from gateway.bundle import Bundle
from gateway.errors import GatewayError
from gateway.identity import ANONYMOUS, Credential, Identity, credential_of, identify
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes import Operation
from models.records import Facts


class Case(msgspec.Struct, eq=False, gc=False):
    """A request with what is known of it so far.

    Attributes:
        inbound: the request.
        bundle: what decides about it.
        facts: what is true.
        body: all of it, once it was read for the row (rule 3).
        awaits: bytes of the body that must be read before there is a verdict; None if none.
        carried: how long ago the token may have expired, once the request is being carried (rule 4); None before.
        identity: who asks; anonymous until `verdict` was asked.
        operation: what the request is; None until then.

    Raises:
        GatewayError: the credential is malformed.
    """

    inbound: Inbound
    bundle: Bundle
    facts: Facts
    body: bytes | None = None
    awaits: int | None = None
    carried: timedelta | None = None
    identity: Identity = ANONYMOUS
    operation: Operation | None = None
    _credential: Credential | None = None

    def __post_init__(self) -> None:
        self._credential = credential_of(self.inbound)

    @property
    def has_credential(self) -> bool:
        """Whether the caller claims to be somebody."""
        return self._credential is not None

    def verdict(self) -> Verdict | None:
        """Returns the verdict; None if the body must be read first, `awaits` bytes of it.

        Raises:
            MissingFactError: rule 2.
            GatewayError: the credential is not valid, no row covers the request, or what it names cannot be read.
        """
        now, carried, facts, bundle = datetime.now(UTC), self.carried, self.facts, self.bundle
        believed = now if carried is None else now - carried
        identity = self.identity = identify(self._credential, facts, believed)
        operation = self.operation or self._found()
        if operation is None:
            return None
        authorizer = Authorizer(bundle.policy, facts, bundle.role_floor, carried is None)
        return authorizer.judge(identity, operation, self.inbound.client, now)

    def under(self, bundle: Bundle) -> "Case":
        """Returns the same request, by the same caller, as one that `bundle` decides about: its row is found anew."""
        if bundle is self.bundle:
            return self
        case = Case(self.inbound, bundle, self.facts)
        case.body, case.carried, case.identity = self.body, self.carried, self.identity
        return case

    @property
    def decided(self) -> Operation:
        """The operation, once there is a verdict."""
        if self.operation is None:
            raise LookupError("no verdict was asked for yet")
        return self.operation

    def _found(self) -> Operation | None:
        """Returns what the request is; None if the body must be read first."""
        routes, inbound = self.bundle.routes, self.inbound
        row = routes.match(inbound)
        if row is None:
            missing = Reason.SIGNED_IN if self.identity.is_anonymous else Reason.NO_ROUTE
            raise GatewayError(missing, "no row of the route maps covers the request")
        if row.reads_body and self.body is None:
            self.awaits = row.body_limit
            return None
        self.awaits = None
        self.operation = routes.operation(row, inbound, self.body)
        return self.operation
