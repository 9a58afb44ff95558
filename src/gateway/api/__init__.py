"""The management API: what the gateway answers itself on the paths of local services (`gateway.local_services`).

A request comes here judged and audited, as it would go on to a backend; what an operation asks besides, it asks the same policy.

| file | what it holds |
|---|---|
| `desk` | takes a judged request to its operation and answers it |
| `operations` | what an operation is, and what each service has |
| `call` | what an operation gets: who asks, what was said, the store, the policy |
| `conditions` | entity tags, and whether a change may go on by its `If-Match` |
| `paging` | which page of a list is asked for, and the envelope that it comes in |
| `attempts` | how often and how many at once passwords are tried |
| `services` | all operations, by service |
| `openapi` | the description of all of it |
| `shares`, `share_users`, `share_tokens` | the operations of the service `shares`; `share_documents` is what they tell and take |
| `acl_documents` | access control lists as they are told and taken |
| `acls`, `acl_entries`, `acl_templates`, `acl_content` | the operations of the service `acls` |
| `users`, `groups` | those of `users`; `user_documents` is what they tell and take |
| `applications`, `tokens` | those of `auth` |
| `settings`, `group_settings`, `user_settings` | those of `settings`; `setting_values` is what they tell and take, `allow_lists` how lists are set |
| `own` | those of our own API below the management prefix |
"""
