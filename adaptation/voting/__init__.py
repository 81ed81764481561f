"""Counting what many samples say, and stopping when another can no longer matter."""
