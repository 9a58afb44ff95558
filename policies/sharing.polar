# Sharing: what visitors, who have no account, may do through what a user has shared with them.
#
# `lends` says what each right of a share stands for: an action, and the roles that a route may demand of it. A visitor has no other
# roles. Whatever a rule here grants, the gateway asks the same of who shared it, who must hold `can_write_shares` besides: a share
# never gives more than the sharer may do at that moment.

lends("view", "read", ["can_read_assets", "can_read_collections", "can_read_proxies", "can_read_segments",
    "can_read_metadata_values", "can_read_metadata_views"]);
lends("view", "list", ["can_read_assets", "can_read_collections", "can_read_proxies", "can_read_segments"]);
lends("download", "download", ["can_read_assets", "can_read_formats", "can_read_files"]);
lends("download-proxy", "download-proxy", ["can_read_assets", "can_read_proxies", "can_read_formats"]);
lends("comment", "comment", ["can_read_assets", "can_read_segments", "can_create_segments"]);
lends("approve", "approve", ["can_read_assets", "can_read_approval_request", "can_write_approval_status"]);
lends("upload", "create", ["can_create_assets", "can_create_formats", "can_write_files"]);
lends("versions", "read", ["can_read_assets", "can_read_versions"]);
lends("transcriptions", "read", ["can_read_assets", "can_read_transcriptions", "can_read_asset_subtitles"]);
lends("custom-actions", "read", ["can_read_assets", "can_read_collections", "can_read_custom_actions"]);

# A share gives its visitors what its rights stand for, on what is shared and all that stands in it at that moment.
permit(subject, action, resource, _request, "share") if
    subject.is_visitor() and lends(right, action, _roles) and subject.has_right(right) and resource.shared_with(subject);

# A visitor reads metadata by the metadata views that the share names, and by no others.
permit(subject, "read", resource, _request, "share-view") if
    subject.is_visitor() and resource.is_view_of(subject);

# An entry that names the share gives its visitors more objects than the one that was shared, by the rights of the share and no others.
permit(subject, action, resource, _request, "share-entry") if
    subject.is_visitor() and lends(right, action, _roles) and subject.has_right(right)
    and needs(action, permission) and resource.given_to_share(permission, subject);
