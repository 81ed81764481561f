"""The proving ground: suites put to a server under several arms, and what came of it.

Owns asking, judging, keeping and comparing. Knows servers by HTTP alone, so that any
OpenAI-compatible one is measured with the same ruler.
"""
