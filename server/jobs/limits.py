"""How much a tenant may ask for."""

MOST_OPEN = 100
"""Jobs of a tenant that are not done."""
MOST_FAMILIES, MOST_TASKS = 32, 1_000
"""Families of exercises, and tasks with tests, of one practice."""
