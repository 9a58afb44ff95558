# Actions: which permission of an access control list each action of the route maps needs.
#
# An action that is missing here is granted to admins and object owners only. Those that `reads` names change nothing
# in the backend: they are all that a frozen domain lets through. A comment or an approval reads the asset, but writes a note.
# `supports` says what support may do where it is let in, and with which type of object; `support_roles` which roles a route may
# demand of it: those to look at assets and metadata. Support holds no others, and downloads nothing.

needs("read", "read");
needs("list", "read");
needs("download", "read");
needs("download-proxy", "read");
needs("comment", "read");
needs("approve", "read");

needs("write", "write");
needs("create", "write");

needs("delete", "delete");

needs("change-acl", "change-acl");

reads("read");
reads("list");
reads("download");
reads("download-proxy");

supports("read", "asset");
supports("list", "asset");
supports("read", "collection");
supports("list", "collection");
supports("read", "file");
supports("list", "file");
supports("read", "metadata_view");
supports("list", "metadata_view");

support_roles([
    "can_read_assets", "can_read_collections", "can_read_proxies", "can_read_segments", "can_read_versions",
    "can_read_metadata_categories", "can_read_metadata_fields", "can_read_metadata_values", "can_read_metadata_views"
]);
