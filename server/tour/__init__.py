"""The tour's stations, one a file; each does something real and says what came of it."""
