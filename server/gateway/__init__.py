"""vLLM's HTTP handlers, subclassed alike: the report rides on the answer. Beside `server.engine`
the only room that imports vLLM.
"""
