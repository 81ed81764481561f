"""An engine that is another process, or another machine: `vllm serve --enable-scale-out`.

vLLM's client stays in this process, with its renderer, parsers and detokenizer; in the place of its
core is one that asks over HTTP, tokens in and tokens out. `line` is the way there, `wire` what
crosses it, `core` what vLLM's client asks, `probing` what has to hold at the other end, `opening`
puts them together and brings them back after the other end was away.
"""
