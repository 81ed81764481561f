"""What is vLLM's and no HTTP: everything that moves between its releases is here or in the gateway.

Read and run against 0.32; what 0.33 has otherwise is in `versions`. `launch` has vLLM's flags and
its server, `vllm_engine` draws samples, `outputs` turns what it generates into samples and back,
`refusals` words what it refuses; `remote` is an engine that another process has.
"""
