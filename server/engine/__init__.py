"""The one room that imports vLLM; everything that moves between its releases is here.

Read and run against 0.32. `launch` has its flags and its HTTP application, `vllm_engine` draws
samples, `outputs` turns what it generates into samples and back, `responses` mends its
handler of stored responses, `refusals` words what it refuses.
"""
