"""What is stored, as mapped classes; each says which facts depend on its rows.

Rules:

1. `__facts__` names, as templates over columns, the fact keys that a row touches when it is made, changed or deleted. The
   write door fills them in; nobody else keeps the revision log. A template with a column that is NULL is left out; one without
   columns is a key that all rows of the table share.
2. A column named in a template never changes in a row that exists: the row would leave one record and join another.
3. No foreign key cascades: a deletion that the unit of work does not see would miss the revision log.
4. Entries, placements and holds have no foreign key to `objects`, since a path is known through its folder
   without a row of its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from string import Formatter
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.columns import BYTEWISE, PermissionSet, UtcTime, choice
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

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of an ACL entry that has none: the end is part of the entry's key, and a key holds no NULL."""


class PrincipalKind(StrEnum):
    """Of whom an ACL entry speaks."""

    USER = "user"
    GROUP = "group"
    SHARE = "share"


class IntentKind(StrEnum):
    """What a forwarded request makes true if the backend says yes."""

    CREATE = "create"
    DELETE = "delete"


class IntentState(StrEnum):
    """OPEN while a worker waits for the backend's answer, UNKNOWN when none came that can be trusted."""

    OPEN = "open"
    UNKNOWN = "unknown"


class AclMode(StrEnum):
    """What becomes of entries that are there when others are set: APPEND adds, OVERWRITE replaces (`models.changes.bulk`)."""

    OVERWRITE = "OVERWRITE"
    APPEND = "APPEND"


class TemplateLevel(StrEnum):
    """For whom an ACL template is set (`models.changes.templates`)."""

    DOMAIN = "domain"
    GROUP = "group"
    USER = "user"
    STORAGE = "storage"


class JobState(StrEnum):
    """How a job stands: OPEN while there is more to do."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class Base(DeclarativeBase):
    """The root of all mapped classes."""

    __facts__: ClassVar[tuple[str, ...]]

    metadata = MetaData(
        naming_convention={  # a later migration can name what it changes
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: BYTEWISE,
        datetime: UtcTime,
        Permission: PermissionSet,
        dict[str, Any]: JSON,
        list[str]: JSON,
        UserType: choice(UserType),
        UserStatus: choice(UserStatus),
        DomainStatus: choice(DomainStatus),
        AllowListRule: choice(AllowListRule),
        RoleModel: choice(RoleModel),
        GroupKind: choice(GroupKind),
        PrincipalKind: choice(PrincipalKind),
        IntentKind: choice(IntentKind),
        IntentState: choice(IntentState),
        AclMode: choice(AclMode),
        JobState: choice(JobState),
        TemplateLevel: choice(TemplateLevel),
    }

    def fact_keys(self) -> Iterator[str]:
        """Yields the keys of the records that depend on this row (rule 1)."""
        for template in self.__facts__:
            values = {name: getattr(self, name) for name in columns_of(template)}
            if None not in values.values():
                yield template.format(**values)


def columns_of(template: str) -> tuple[str, ...]:
    """Returns the columns that a template of `__facts__` is filled from."""
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name)


class SystemDomain(Base):
    """A system domain: the hard wall around users, groups and objects."""

    __tablename__ = "system_domains"
    __facts__ = ("domain:{id}",)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    status: Mapped[DomainStatus] = mapped_column(default=DomainStatus.ACTIVE)
    allow_list_enabled: Mapped[bool] = mapped_column(default=False)
    allow_list_rule: Mapped[AllowListRule] = mapped_column(default=AllowListRule.MOST_SPECIFIC)
    role_model: Mapped[RoleModel] = mapped_column(default=RoleModel.GROUPS)
    max_propagating: Mapped[int] = mapped_column(default=1_000)
    warn_above: Mapped[int] = mapped_column(default=1_000)
    support_until: Mapped[datetime | None]
    external_share: Mapped[bool] = mapped_column(default=True)
    token_lifetime: Mapped[int | None]


class User(Base):
    """A person's account in one domain; the same e-mail in two domains is two users."""

    __tablename__ = "users"
    __facts__ = ("user:{id}",)
    __table_args__ = (UniqueConstraint("domain_id", "email"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"))
    email: Mapped[str] = mapped_column(index=True)
    first_name: Mapped[str] = mapped_column(default="")
    last_name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    avatar_url: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    hide_email: Mapped[bool] = mapped_column(default=False)
    hide_phone: Mapped[bool] = mapped_column(default=False)
    type: Mapped[UserType] = mapped_column(default=UserType.STANDARD)
    status: Mapped[UserStatus] = mapped_column(default=UserStatus.ACTIVE)
    is_admin: Mapped[bool] = mapped_column(default=False)
    password: Mapped[str | None]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    user_metadata: Mapped[dict[str, Any]] = mapped_column(default=dict)
    primary_group_id: Mapped[str | None] = mapped_column(ForeignKey("groups.id"), index=True)
    created: Mapped[datetime]
    modified: Mapped[datetime]


class Group(Base):
    """A group of users of one of the kinds of `GroupKind`."""

    __tablename__ = "groups"
    __facts__ = ("group:{id}",)
    __table_args__ = (UniqueConstraint("domain_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"))
    name: Mapped[str]
    kind: Mapped[GroupKind] = mapped_column(default=GroupKind.GROUP)
    description: Mapped[str] = mapped_column(default="")


class GroupRole(Base):
    """One role that a group gives to its members, or to which a role group narrows them."""

    __tablename__ = "group_roles"
    __facts__ = ("group:{group_id}",)

    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Membership(Base):
    """A user in a group; the user's record lists the groups, the group's does not list the users."""

    __tablename__ = "memberships"
    __facts__ = ("user:{user_id}",)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True, index=True)


class Application(Base):
    """A program that acts for users: one half of an App-ID and token pair."""

    __tablename__ = "applications"
    __facts__ = ()
    __table_args__ = (UniqueConstraint("domain_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    url: Mapped[str] = mapped_column(default="")
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)


class Token(Base):
    """A credential, known by the SHA-256 digest of its text, which is stored nowhere: of a user and an application, of support, or of a share."""

    __tablename__ = "tokens"
    __facts__ = ("token:{digest}",)

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    support: Mapped[str | None]
    share_id: Mapped[str | None] = mapped_column(ForeignKey("shares.id"), index=True)
    recipient_id: Mapped[str | None] = mapped_column(ForeignKey("share_recipients.id"), index=True)
    scope: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class TokenUse(Base):
    """When a token was last used, coarsely; no decision depends on it, so it stands outside the revision log."""

    __tablename__ = "token_uses"
    __facts__ = ()

    token_id: Mapped[str] = mapped_column(ForeignKey("tokens.id"), primary_key=True)
    last_used: Mapped[datetime]


class Share(Base):
    """What a user has shared with visitors: an object, until when, with which rights, from where, how often at most, and behind which password."""

    __tablename__ = "shares"
    __facts__ = ("share:{id}",)
    __table_args__ = (Index(None, "object_type", "object_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"), index=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    object_type: Mapped[str]
    object_id: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    rights: Mapped[list[str]]
    networks: Mapped[list[str]] = mapped_column(default=list)
    max_visits: Mapped[int | None]
    password: Mapped[str | None]
    watermark: Mapped[bool] = mapped_column(default=False)
    metadata_views: Mapped[list[str]] = mapped_column(default=list)
    created: Mapped[datetime]
    expires: Mapped[datetime]

    @property
    def key(self) -> ObjectKey:
        """What is shared."""
        return ObjectKey(self.object_type, self.object_id)


class ShareRecipient(Base):
    """One link to a share, known by the SHA-256 digest of its text: a person's or, without an e-mail, for whoever has it."""

    __tablename__ = "share_recipients"
    __facts__ = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    share_id: Mapped[str] = mapped_column(ForeignKey("shares.id"), index=True)
    email: Mapped[str | None]
    digest: Mapped[str] = mapped_column(unique=True)
    visits: Mapped[int] = mapped_column(default=0)
    last_visit: Mapped[datetime | None]


class ShareTerms(Base):
    """What a domain's shares are like when they are made: defaults, and which of them nobody may depart from; lives are in seconds.

    Decisions ask the shares that were made and not these.
    """

    __tablename__ = "share_terms"
    __facts__ = ()

    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"), primary_key=True)
    rights: Mapped[list[str]] = mapped_column(default=list)
    locked: Mapped[list[str]] = mapped_column(default=list)
    life: Mapped[int]
    longest_life: Mapped[int]
    needs_password: Mapped[bool] = mapped_column(default=False)
    watermark: Mapped[bool] = mapped_column(default=False)


class Object(Base):
    """A registered object of the backend: an asset, a collection, a folder, a storage."""

    __tablename__ = "objects"
    __facts__ = ("object:{type}:{id}",)

    type: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"), index=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str | None]
    created: Mapped[datetime]

    @property
    def key(self) -> ObjectKey:
        """The object's name."""
        return ObjectKey(self.type, self.id)


class Placement(Base):
    """An object (child) stands in a collection (parent); the child's record names the parent."""

    __tablename__ = "placements"
    __facts__ = ("object:{child_type}:{child_id}",)
    __table_args__ = (Index(None, "child_type", "child_id"),)

    parent_type: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str] = mapped_column(primary_key=True)
    child_type: Mapped[str] = mapped_column(primary_key=True)
    child_id: Mapped[str] = mapped_column(primary_key=True)

    @property
    def parent(self) -> ObjectKey:
        """What the object stands in."""
        return ObjectKey(self.parent_type, self.parent_id)

    @property
    def child(self) -> ObjectKey:
        """The object that stands there."""
        return ObjectKey(self.child_type, self.child_id)


class AclEntry(Base):
    """What one principal may do with an object and, if the entry propagates, with its content at any depth, until it expires."""

    __tablename__ = "acl_entries"
    __facts__ = ("object:{object_type}:{object_id}",)
    __table_args__ = (Index(None, "principal_kind", "principal_id"),)

    object_type: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    principal_kind: Mapped[PrincipalKind] = mapped_column(primary_key=True)
    principal_id: Mapped[str] = mapped_column(primary_key=True)
    propagates: Mapped[bool] = mapped_column(primary_key=True)
    expires: Mapped[datetime] = mapped_column(primary_key=True, default=NEVER)
    permissions: Mapped[Permission]

    @property
    def key(self) -> ObjectKey:
        """The object that the entry stands on."""
        return ObjectKey(self.object_type, self.object_id)

    @property
    def principal(self) -> str:
        """The principal's name: `user:ID`, `group:ID` or `share:ID`."""
        return f"{self.principal_kind.value}:{self.principal_id}"

    @property
    def end(self) -> datetime | None:
        """When it expires; None if it does not."""
        return None if self.expires == NEVER else self.expires


class AclTemplate(Base):
    """Entries that a new object gets, once; no decision depends on it (`models.changes.templates`)."""

    __tablename__ = "acl_templates"
    __facts__ = ()
    __table_args__ = (UniqueConstraint("domain_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"))
    name: Mapped[str]
    created: Mapped[datetime]
    modified: Mapped[datetime]


class AclTemplateEntry(Base):
    """An entry that a template gives."""

    __tablename__ = "acl_template_entries"
    __facts__ = ()
    __table_args__ = (Index(None, "principal_kind", "principal_id"),)

    template_id: Mapped[str] = mapped_column(ForeignKey("acl_templates.id"), primary_key=True)
    principal_kind: Mapped[PrincipalKind] = mapped_column(primary_key=True)
    principal_id: Mapped[str] = mapped_column(primary_key=True)
    propagates: Mapped[bool] = mapped_column(primary_key=True)
    permissions: Mapped[Permission]

    @property
    def principal(self) -> str:
        """The principal's name: `user:ID` or `group:ID`."""
        return f"{self.principal_kind.value}:{self.principal_id}"


class AclTemplateUse(Base):
    """For whom a template is set: a domain, group or user by its id, a storage by its type and id."""

    __tablename__ = "acl_template_uses"
    __facts__ = ()

    level: Mapped[TemplateLevel] = mapped_column(primary_key=True)
    subject_type: Mapped[str] = mapped_column(primary_key=True, default="")
    subject_id: Mapped[str] = mapped_column(primary_key=True)
    template_id: Mapped[str] = mapped_column(ForeignKey("acl_templates.id"), index=True)


class StorageFolder(Base):
    """A folder whose content comes from a storage, so that what is new in it gets the storage's template."""

    __tablename__ = "storage_folders"
    __facts__ = ()
    __table_args__ = (Index(None, "storage_type", "storage_id"),)

    object_type: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    storage_type: Mapped[str]
    storage_id: Mapped[str]

    @property
    def folder(self) -> ObjectKey:
        """The folder."""
        return ObjectKey(self.object_type, self.object_id)

    @property
    def storage(self) -> ObjectKey:
        """Where its content comes from."""
        return ObjectKey(self.storage_type, self.storage_id)


class AclJob(Base):
    """Entries that are being applied to the content of an object (`models.changes.jobs`); no decision depends on it."""

    __tablename__ = "acl_jobs"
    __facts__ = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"))
    object_type: Mapped[str]
    object_id: Mapped[str]
    principals: Mapped[list[str]]
    permissions: Mapped[Permission]
    expires: Mapped[datetime | None]
    left_out: Mapped[list[str]] = mapped_column(default=list)
    mode: Mapped[AclMode]
    state: Mapped[JobState] = mapped_column(default=JobState.OPEN, index=True)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    last_type: Mapped[str | None]
    last_id: Mapped[str | None]
    holder: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    failure: Mapped[str | None]
    created: Mapped[datetime]

    @property
    def key(self) -> ObjectKey:
        """The object whose content is visited."""
        return ObjectKey(self.object_type, self.object_id)


class Network(Base):
    """A line of an allow-list: a group's or user's, else the domain's; for one application or, where that is NULL, for all."""

    __tablename__ = "networks"
    __facts__ = ("domain:{domain_id}", "group:{group_id}", "user:{user_id}")

    id: Mapped[str] = mapped_column(primary_key=True)
    domain_id: Mapped[str] = mapped_column(ForeignKey("system_domains.id"), index=True)
    group_id: Mapped[str | None] = mapped_column(ForeignKey("groups.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"))
    cidr: Mapped[str]
    note: Mapped[str] = mapped_column(default="")


class Intent(Base):
    """What a request is about to make true, written before the backend is touched (DESIGN, "Effects")."""

    __tablename__ = "intents"
    __facts__ = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[IntentKind]
    state: Mapped[IntentState] = mapped_column(default=IntentState.OPEN)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]
    created: Mapped[datetime]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Hold(Base):
    """An intent's lock on one object; one that closes keeps everybody out until it is settled."""

    __tablename__ = "holds"
    __facts__ = ("object:{object_type}:{object_id}",)

    object_type: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    intent_id: Mapped[str] = mapped_column(ForeignKey("intents.id"), index=True)
    closes: Mapped[bool]

    @property
    def key(self) -> ObjectKey:
        """The object that is locked."""
        return ObjectKey(self.object_type, self.object_id)


class PolicyFile(Base):
    """One file of a published bundle of policies; what stands under a digest is what gives that digest."""

    __tablename__ = "policy_files"
    __facts__ = ()

    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes]


class Publication(Base):
    """A bundle of policies became the live one; the one with the highest number is."""

    __tablename__ = "policy_publications"
    __facts__ = ("policies:live",)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    at: Mapped[datetime]
    author: Mapped[str]


class Revision(Base):
    """The number of commits so far: one row, advanced as the last thing before COMMIT."""

    __tablename__ = "revision"
    __facts__ = ()

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


class LogEntry(Base):
    """One commit: the fact keys that it touched, and a random id by which a lost or restored history is noticed."""

    __tablename__ = "revision_log"
    __facts__ = ()

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    commit_id: Mapped[str]
    keys: Mapped[list[str]]
    at: Mapped[datetime]
    author: Mapped[str]


class ChangeEntry(Base):
    """What a commit did to one row (`models.told`): NULL before it was made, or after it was removed.

    The commit is named by its random id: a store that was restored counts revisions again.
    """

    __tablename__ = "change_log"
    __facts__ = ()
    __table_args__ = (Index(None, "kind", "key"),)

    commit_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger, index=True)
    at: Mapped[datetime]
    author: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
