"""Load, benchmarks and the guided tour: everything here speaks to a server over HTTP."""
