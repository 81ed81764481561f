"""Whet's own HTTP routes: one router per file, built by a function from what it needs."""
