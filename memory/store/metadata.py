"""Where the tables are registered; see `memory.store.schema`."""

from sqlalchemy import MetaData

metadata = MetaData()
