"""Questions as vectors: embedders, the queue before them, and what is stored."""
