"""What Alembic runs: migrations over the connection that `dispatcher.store.migrate` hands it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
