"""What `make bench-ttt` runs: this trainer, an older one, and an ordinary loop, in turn."""
