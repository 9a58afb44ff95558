"""What the management API is made of, apart from how a request reaches it.

| file | what it holds |
|---|---|
| `conditions` | entity tags, and whether a change may go on by its `If-Match` |
| `paging` | which page of a list is asked for, and the envelope that it comes in |
"""
