"""How the model learns: what trains adapters, and what judges them."""
