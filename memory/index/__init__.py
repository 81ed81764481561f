"""How a record is found again: a vector index for each tenant, derived from the database."""
