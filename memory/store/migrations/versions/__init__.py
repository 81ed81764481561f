"""One file per schema version, oldest first; a released version is never edited."""
