"""Distillation: offline, verified records become the adapter that is served to everyone."""
