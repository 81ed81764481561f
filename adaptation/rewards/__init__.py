"""Scoring replies by a reward model."""
