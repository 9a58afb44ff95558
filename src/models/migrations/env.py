"""Alembic's entry: runs migrations on the connection that `models.schema` hands over, in that connection's transaction."""

from alembic import context

from models.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
context.run_migrations()
