"""Alembic's entry: migrates the one connection that ``proxy.store.schema`` hands in, in the caller's transaction.

On SQLite tables are altered by copying (batch mode). On PostgreSQL a migration gives up rather than queue behind
others and hold everybody up: the connection's own lock and statement timeouts apply, tightened here.
"""

from alembic import context
from sqlalchemy import Connection

from proxy.store import models

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise RuntimeError("Migrations run through `schoolgate store upgrade`, which hands them a connection.")  # noqa: TRY004 -- told to a person

if connection.dialect.name == "postgresql":
    connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
    connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")

context.configure(
    connection=connection,
    target_metadata=models.METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
