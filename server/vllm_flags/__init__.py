"""vLLM's flags without vLLM, whose import takes eight seconds: for help, and to refuse slips.

`description` is what is known of them, `finding` where that is found for the installed release,
`parser` reads a command line by it, `page` prints it. What is served is read by vLLM's own parser.
"""
