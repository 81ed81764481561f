"""What is vLLM's and no HTTP: everything that moves between its releases is here or in the gateway.

Read and run against 0.32. `launch` has its flags and its server, `vllm_engine` draws samples,
`outputs` turns what it generates into samples and back, `refusals` words what it refuses.
"""
