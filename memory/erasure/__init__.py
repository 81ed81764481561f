"""Forgetting: what holds a record's texts, their removal, and what stays to tell of it."""
