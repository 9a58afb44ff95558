"""Stage routes: `Inbound` → `Operation`, by route maps as data; the door is `RouteTable`.

table      the door: load, match, operation
rows       the values: `Row`, `Target`, `Operation`, `Creates`, `Deletes`
loading    route maps from files; with rowfile, naming and effects for the parts of a row, sheets for YAML with lines
matching   the tree of segments; with query, templates and patterns
reading    ids from path, query, headers, body and answers; with forms (canonical ids) and bodies (strict JSON)
"""

from gateway.routes.forms import ObjectForm
from gateway.routes.rows import Creates, Deletes, Operation, Row, Target
from gateway.routes.table import RouteTable

__all__ = ["Creates", "Deletes", "ObjectForm", "Operation", "RouteTable", "Row", "Target"]
