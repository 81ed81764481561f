"""The front door: HTTP, the command line, composition, and the one module that imports vLLM."""
