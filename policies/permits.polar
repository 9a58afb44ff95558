# Permits: who may do what, once every gate holds.
#
# Each rule gives one reason, which the audit names. Rules only grant: adding one, or adding an ACL entry, never
# takes access away. Where no rule holds, the request is refused with the reason no-grant.

# The route is open to all: login pages, static files, preflights.
permit(_subject, _action, _resource, request, "open-to-all") if
    request.open_to_all();

# A domain owner (admin) may do everything in the own domain; roles and access control lists do not bind admins.
permit(subject, _action, _resource, _request, "admin") if
    subject.is_admin();

# The object owner (who created it) may do everything with it, also change who has access.
permit(subject, _action, resource, _request, "object-owner") if
    resource.owned_by(subject);

# An entry on the object itself grants what the action needs, to the user or to one of the user's groups.
permit(subject, action, resource, _request, "own-acl") if
    needs(action, permission) and resource.grants(permission, subject);

# A propagating entry on a collection that contains the object, at any depth, grants what the action needs.
permit(subject, action, resource, _request, "inherited-acl") if
    needs(action, permission) and resource.inherits(permission, subject);

# Support reads assets and metadata, where it is let in, and nothing else.
permit(subject, action, resource, _request, "support") if
    subject.is_support() and supports(action, kind) and resource.is_type(kind);

# The route names no object: the roles that it demands are all there is to ask.
permit(subject, _action, resource, _request, "by-role") if
    resource.is_domain() and subject.has_account();
