"""Erasure that can be shown: what goes with a record, a signed statement of it, and the search."""
