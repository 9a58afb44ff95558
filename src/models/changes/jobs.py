"""Applying entries to the content of a collection: a job that any worker carries on, a batch at a time.

Rules:

1. A job gives each object that stands in the collection, at any depth, an entry of its own. It stays when the object leaves the collection or the
   collection's own list changes (the seed's other way, entries that propagate, is `models.changes.acl`).
2. Objects are done in the order of their keys. The entries of a batch and the mark of how far the job came are one commit: a worker that dies
   leaves nothing half done, whoever goes on does so at the mark, and a batch that is done again changes nothing.
3. One worker holds a job at a time, by a lease that each batch renews; when it has run out anybody may take the job.
4. What joins the content behind the mark is not visited; what is refused ends the job as FAILED, and what was done stays.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.changes.acl import check_principal, checked_end, parse_principal
from models.changes.bulk import MAX_OBJECTS, MAX_PAIRS, Terms, set_entries
from models.changes.errors import ChangeError, InvalidError
from models.changes.names import checked_choice, checked_key, new_id
from models.changes.propagation import content_of
from models.changes.rows import add, the_domain_of
from models.records import ObjectKey
from models.tables import AclJob, AclMode, JobState

BATCH = 200
"""Objects that one commit does."""

LEASE = timedelta(seconds=60)
"""How long a worker that says nothing keeps a job."""


def start_job(
    session: Session,
    key: ObjectKey,
    principals: Sequence[str],
    terms: Terms,
    mode: AclMode,
    *,
    left_out: Sequence[str] = (),
) -> AclJob:
    """Begins to apply entries to the content of an object; returns the job, of which nothing is done yet.

    Args:
        session: of the write door.
        key: the object.
        principals: each `user:ID` or `group:ID`.
        terms: what each of them may do with each object of the content.
        mode: what becomes of entries that are there.
        left_out: types of objects that are passed over; what stands in them is not.

    Raises:
        ConflictError: a principal belongs to another domain, or is a role group.
        InvalidError: nobody or nothing is named, the terms propagate, or one of them is malformed.
        UnknownError: there is no such object, user or group.
    """
    domain_id, whom = the_domain_of(session, checked_key(key)), tuple(dict.fromkeys(principals))
    if terms.propagates:
        raise InvalidError(
            "what is applied to content does not propagate: grant it on the collection instead"
        )
    if not whom or len(whom) > MAX_OBJECTS or not (terms.permissions or mode is AclMode.OVERWRITE):
        raise InvalidError(f"name 1 to {MAX_OBJECTS} users or groups, and what they may do")
    checked_end(terms.expires)
    for kind, id_ in map(parse_principal, whom):
        check_principal(session, kind, id_, domain_id)
    job = AclJob(
        id=new_id(),
        domain_id=domain_id,
        object_type=key.type,
        object_id=key.id,
        principals=list(whom),
        permissions=terms.permissions,
        expires=terms.expires,
        mode=checked_choice(mode, AclMode, "mode of setting entries"),
        state=JobState.OPEN,
        left_out=sorted(set(left_out)),
        total=sum(1 for each in content_of(session, key) if each.type not in left_out),
        done=0,
        created=datetime.now(UTC),
    )
    return add(session, job)


def open_jobs(session: Session, holder: str, now: datetime) -> Sequence[AclJob]:
    """Returns the jobs that `holder` may go on with, oldest first: its own, and those that nobody holds (rule 3)."""
    free = or_(AclJob.lease_until.is_(None), AclJob.lease_until <= now, AclJob.holder == holder)
    query = select(AclJob).where(AclJob.state == JobState.OPEN, free)
    return session.scalars(query.order_by(AclJob.created, AclJob.id)).all()


def advance_job(session: Session, holder: str, now: datetime) -> AclJob | None:
    """Does the next batch of the oldest job that `holder` may go on with; returns the job, None if there is none."""
    job = next(iter(open_jobs(session, holder, now)), None)
    if job is None:
        return None
    batch = _next_batch(session, job)
    job.holder, job.lease_until = holder, now + LEASE
    try:
        if batch:
            terms = Terms(job.permissions, expires=job.expires)
            set_entries(session, batch, job.principals, terms, job.mode)
    except ChangeError as error:  # rule 4
        _end(job, JobState.FAILED, str(error))
    else:
        job.done += len(batch)
        if batch:
            job.last_type, job.last_id = batch[-1]
        else:
            _end(job, JobState.DONE)
    session.flush()
    return job


def _next_batch(session: Session, job: AclJob) -> list[ObjectKey]:
    last = ObjectKey(job.last_type or "", job.last_id or "")
    ahead = sorted(key for key in content_of(session, job.key) if key > last and key.type not in job.left_out)
    return ahead[: min(BATCH, MAX_PAIRS // len(job.principals))]


def _end(job: AclJob, state: JobState, failure: str | None = None) -> None:
    job.state, job.failure = state, failure
    job.holder = job.lease_until = None
