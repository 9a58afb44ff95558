"""What those who run the gateway may know of it: liveness, readiness with details, metrics; on a listener of its own.

| file | what it holds |
|---|---|
| `tally` | what a worker counts on the request path |
| `counted` | such counts written down, and those of several workers added |
| `report` | what a worker writes down of itself at every beat |
| `board` | what the main process knows of all workers |
| `metrics` | that, as Prometheus reads it |
| `listener` | who is told |
"""
