"""The measurements of the bench, one a file, each a function from a laboratory to a result."""
