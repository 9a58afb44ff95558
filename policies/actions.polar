# Actions: which permission of an access control list each action of the route maps needs.
#
# An action that is missing here is granted to admins and object owners only. Those that `reads` names change nothing
# in the backend: they are all that a frozen domain lets through. A comment reads the asset, but writes a note.

needs("read", "read");
needs("list", "read");
needs("download", "read");
needs("comment", "read");

needs("write", "write");
needs("create", "write");

needs("delete", "delete");

needs("change-acl", "change-acl");

reads("read");
reads("list");
reads("download");
