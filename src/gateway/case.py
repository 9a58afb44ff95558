"""One request before the law: the pure part of the main path, from identity to verdict.

Rules:

1. Who asks comes first: a credential that is not valid is refused before anybody learns whether a route exists.
2. Everything is read at one revision: a missing fact leaves as `MissingFactError`, and the whole question is put again.
3. A row that reads the body gets it between two askings; nothing is read for a caller whose credential does not hold.
4. A request that is being carried is asked about again as one that was allowed: its token may have expired a stated time ago, and what a
   deletion holds is not asked (`gateway.rejudging`).
"""

from datetime import UTC, datetime, timedelta

from gateway.authorize import Authorizer, Verdict
from gateway.bundle import Bundle
from gateway.errors import GatewayError
from gateway.identity import ANONYMOUS, Identity, credential_of, identify
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes import Operation
from models.records import Facts


class Case:
    """A request with what is known of it so far.

    Attributes:
        inbound: the request.
        body: all of it, once it was read for the row (rule 3).
        awaits: bytes of the body that must be read before there is a verdict; None if none.
        carried: how long ago the token may have expired, once the request is being carried (rule 4); None before.
        identity: who asks; anonymous until `verdict` was asked.
        operation: what the request is; None until then.
    """

    __slots__ = (
        "_authorizer",
        "_bundle",
        "_credential",
        "_facts",
        "awaits",
        "body",
        "carried",
        "identity",
        "inbound",
        "operation",
    )

    def __init__(self, inbound: Inbound, bundle: Bundle, facts: Facts) -> None:
        """Opens the case of a request.

        Raises:
            GatewayError: the credential is malformed.
        """
        self.inbound, self._bundle, self._facts = inbound, bundle, facts
        self.body: bytes | None = None
        self.awaits: int | None = None
        self.carried: timedelta | None = None
        self.identity: Identity = ANONYMOUS
        self.operation: Operation | None = None
        self._credential = credential_of(inbound)

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
        now = datetime.now(UTC)
        carried = self.carried
        believed = now if carried is None else now - carried
        identity = self.identity = identify(self._credential, self._facts, believed)
        operation = self.operation or self._found()
        if operation is None:
            return None
        bundle = self._bundle
        judge = Authorizer(bundle.policy, self._facts, bundle.role_floor, holds=carried is None).judge
        return judge(identity, operation, self.inbound.client, now)

    @property
    def bundle(self) -> Bundle:
        """What decides about it."""
        return self._bundle

    def under(self, bundle: Bundle) -> "Case":
        """Returns the same request, by the same caller, as one that `bundle` decides about: its row is found anew."""
        if bundle is self._bundle:
            return self
        case = Case(self.inbound, bundle, self._facts)
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
        routes, inbound = self._bundle.routes, self.inbound
        row = routes.match(inbound)
        if row is None:
            missing = Reason.NO_ROUTE if self.identity.user else Reason.SIGNED_IN
            raise GatewayError(missing, "no row of the route maps covers the request")
        needed = routes.reads(row, inbound) if self.body is None else None
        if needed is not None:
            self.awaits = needed
            return None
        self.awaits = None
        self.operation = routes.operation(row, inbound, self.body)
        return self.operation
