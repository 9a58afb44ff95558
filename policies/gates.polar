# Gates: what must hold before any grant is looked at.
#
# `gates` states the order. A gate is named by the refusal that it gives: the first one that does not hold refuses
# the request, and its name is the reason. Gates are positive on purpose: a mistyped gate refuses, it never opens.
# Gates are the only things that refuse; everything in permits.polar only grants.
#
# The object gates come last, so that nobody who fails an earlier one learns whether an object exists.

# This is the order in which the gates are asked.
gates(["signed-in", "share-off", "user-status", "domain", "network", "role", "unknown-object", "support-off", "foreign-object"]);

# A valid credential came with the request, unless the route is open to all.
gate("signed-in", subject, _action, _resource, request) if
    subject.is_signed_in() or request.open_to_all();

# A visitor's share has not ended, and the domain lets its users share with visitors. What else a visitor may do is asked in the name of
# who shared as well: nobody shares more than he may do himself.
gate("share-off", subject, _action, _resource, request) if
    subject.has_account() or subject.is_support() or request.open_to_all();
gate("share-off", subject, _action, _resource, request) if
    subject.in_open_share(request);

# The user's status is ACTIVE: inactive, blocked and deleted users may do nothing.
gate("user-status", subject, _action, _resource, request) if
    subject.is_active() or request.open_to_all();
gate("user-status", subject, _action, _resource, _request) if
    subject.is_support() or subject.is_visitor();

# The user's system domain works. In a frozen one everybody may still read, in one that is deactivated nobody does anything.
gate("domain", subject, _action, _resource, request) if
    subject.in_working_domain() or request.open_to_all();
gate("domain", subject, action, _resource, _request) if
    reads(action) and subject.in_frozen_domain();
gate("domain", subject, _action, _resource, _request) if
    subject.is_support() or subject.is_visitor();

# The client's address is on the allow-list that applies to the user. This binds admins too.
gate("network", subject, _action, _resource, request) if
    subject.admitted_from(request) or request.open_to_all();

# The user holds every role that the route demands: from groups, or all but what role groups take away, as the domain
# says, and never more than the user's type may hold. Admins hold all roles. An object owner needs none to change who has access.
gate("role", subject, _action, _resource, request) if
    subject.is_admin() or request.roles_held_by(subject) or request.open_to_all();
gate("role", subject, "change-acl", resource, _request) if
    resource.owned_by(subject);
gate("role", subject, _action, _object, request) if
    subject.is_support() and support_roles(roles) and request.demands_only(roles);
gate("role", subject, action, _object, request) if
    subject.is_visitor() and lends(right, action, roles) and subject.has_right(right) and request.demands_only(roles);

# The object is known, or stands in a folder that is.
gate("unknown-object", _subject, _action, resource, request) if
    resource.exists() or request.open_to_all();

# Support stands outside all domains, and sees only what belongs to one that has support access switched on, for as long as that was
# switched on for. Told outside as an object that is not there.
gate("support-off", subject, _action, _resource, request) if
    subject.has_account() or subject.is_visitor() or request.open_to_all();
gate("support-off", _subject, _action, resource, request) if
    resource.open_to_support(request);

# The object belongs to the user's own system domain: domains are hard walls, for admins too.
gate("foreign-object", subject, _action, resource, request) if
    resource.shares_domain_with(subject) or request.open_to_all();
gate("foreign-object", subject, _action, _resource, _request) if
    subject.is_support();
