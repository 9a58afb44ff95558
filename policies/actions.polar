# Actions: which permission of an access control list each action of the route maps needs.
#
# An action that is missing here is granted to admins and object owners only.

needs("read", "read");
needs("list", "read");
needs("download", "read");
needs("comment", "read");

needs("write", "write");
needs("create", "write");

needs("delete", "delete");

needs("change-acl", "change-acl");
