"""Supervised fine-tuning of an adapter on examples that a client brings."""
