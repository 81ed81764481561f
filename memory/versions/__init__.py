"""Adapter versions: their files, names and numbers, what they learned from and how they fared."""
