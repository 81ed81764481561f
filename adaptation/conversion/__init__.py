"""A model in one GGUF file, made into the ordinary folder that engine and trainer load.

Importing this package costs nothing: what reads weights runs in a process of its own (`apart`).
"""
