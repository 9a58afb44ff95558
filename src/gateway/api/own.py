"""The gateway's own API: taking up what a storage brings, how jobs fare, and the documentation of all services.

Rules:

1. Ingest is for programs that scan storages. It says of an id that is not known what it is, so that whoever could say it of any id would
   take what nobody has registered yet: who is no admin names a storage that they may write to, and collections that they may write to.
2. Owners are named by admins alone: an owner may do everything with an object.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.api.acl_documents import PermissionName
from gateway.api.call import Call
from gateway.api.openapi import described
from gateway.api.operations import Answer, Service, told
from gateway.api.paging import Listed
from gateway.errors import GatewayError
from gateway.local_services import documented_of
from gateway.reasons import Reason
from models import changes
from models.changes import Ingested
from models.tables import AclJob, JobState

SERVICE: Final = Service("own")


class ObjectName(msgspec.Struct):
    """An object, by the documented name of its type, or the type itself, and its id."""

    object_type: str
    object_id: str


class IngestBody(msgspec.Struct):
    """What a storage brings. A path stands in its folders, so that collections are for objects of other types."""

    object_type: str
    object_id: str
    storage_id: str | None = None
    collections: Annotated[list[ObjectName], msgspec.Meta(max_length=100)] = []
    owner_id: str | None = None
    title: str | None = None


class Given(msgspec.Struct):
    """What a template gave somebody."""

    principal: str
    permissions: list[PermissionName]


class IngestedDocument(msgspec.Struct):
    """What became of it: whether it is new, where it came from, and what the storage's template gave whom."""

    object_type: str
    object_id: str
    is_new: bool
    storage_id: str | None
    template: str | None
    given: list[Given]
    left_out: list[str]


class Job(msgspec.Struct):
    """A job that applies entries to the content of a collection; `total` and `done` count objects."""

    id: str
    object_type: str
    object_id: str
    state: JobState
    total: int
    done: int
    failure: str | None
    date_created: datetime


class Jobs(Listed, kw_only=True):
    """A page of the domain's jobs, the newest first."""

    objects: list[Job]


@SERVICE.operation()
def get_openapi(call: Call) -> dict[str, Any]:
    """This API's description, OpenAPI 3.1."""
    from gateway.api.services import SERVICES  # which has this one in it

    return described(call.case.bundle.routes.rows, SERVICES)


@SERVICE.operation(201, 200)
def ingest(call: Call, body: IngestBody) -> Answer[IngestedDocument]:
    """Registers what a storage brings, where it stands, and the entries of the storage's template: 201, or 200 where it is known already."""
    key = call.key_of(body.object_type, body.object_id)
    storage = call.key_of("storages", body.storage_id) if body.storage_id is not None else None
    parents = [call.key_of(each.object_type, each.object_id) for each in body.collections]
    for other in (*([storage] if storage is not None else []), *parents):
        if not call.may("write", other):
            raise GatewayError(Reason.NO_GRANT, f"write {other}")
    if storage is None:
        call.admins_only("taking up what no storage brings")
    if body.owner_id is not None:
        call.admins_only("naming an owner")
    with call.write() as session:
        if body.owner_id is not None:
            changes.the_user(session, body.owner_id, call.domain_id)
        found = changes.ingest(
            session,
            key,
            call.domain_id,
            storage=storage,
            parents=parents,
            owner_id=body.owner_id,
            title=body.title,
        )
        return Answer(_ingested(found), 201 if found.is_new else 200)


@SERVICE.operation()
def list_jobs(call: Call) -> Jobs:
    """The jobs that apply entries to content."""
    mine = select(AclJob).where(AclJob.domain_id == call.domain_id)
    with call.read() as session:
        return call.listed(session, mine.order_by(AclJob.created.desc(), AclJob.id), _job, Jobs)


@SERVICE.operation()
def get_job(call: Call) -> Job:
    """How a job fares."""
    with call.read() as session:
        return _job(_the_job(session, call))


def _ingested(found: Ingested) -> IngestedDocument:
    given = [Given(principal, list(held.names)) for principal, held in found.applied.given]  # type: ignore[arg-type] # names of permissions
    return IngestedDocument(
        documented_of(found.key.type),
        found.key.id,
        found.is_new,
        found.storage.id if found.storage is not None else None,
        found.applied.template,
        given,
        [principal for principal, _ in found.applied.left_out],
    )


def _job(job: AclJob) -> Job:
    return Job(
        job.id,
        documented_of(job.object_type),
        job.object_id,
        job.state,
        job.total,
        job.done,
        job.failure,
        job.created,
    )


def _the_job(session: Session, call: Call) -> AclJob:
    job = session.get(AclJob, call.parameter("job_id"))
    if job is None or job.domain_id != call.domain_id:
        raise told(Reason.NOT_FOUND, "there is no such job")
    return job
