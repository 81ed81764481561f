"""Tenants: who asks, what a key may do, and to whom each thing belongs."""
