"""Fuzzing of every parser that reads what others send: a target each."""
