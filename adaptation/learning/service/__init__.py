"""The training service: many adapters of one frozen base, trained in one forward and backward."""
