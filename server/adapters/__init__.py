"""The distilled adapters that are served: champions, candidates on trial, and their scope."""
