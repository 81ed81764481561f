"""How much a tenant may ask for."""

MOST_OPEN = 100
"""Jobs of a tenant that are not done."""
