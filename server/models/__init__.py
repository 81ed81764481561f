"""Models at hand: what a name stands for, where it lies, and how it gets there.

Knows packages and folders. How weights are read is `adaptation.conversion`'s business.
"""
