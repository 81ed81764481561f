"""Who asks, what he may, and whose everything is."""
