"""A data folder in one archive, and back again.

Knows what of the folder cannot be had anew, how it is packed, and how it is put in place at once.
"""
