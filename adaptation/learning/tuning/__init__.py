"""Finding the recipe of per-request training for a model, by its answers and not by its losses."""
