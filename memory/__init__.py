"""Long-term memory: what was learned and how to find it again.

Owns the database (records, completions, adapter versions), the embeddings and the vector index.
Knows nothing of engines, training or HTTP.
"""
