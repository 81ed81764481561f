"""The reference, written from the code: `python -m docs.generate` fills the marked parts of the
pages in `docs/reference`, and `make docs` does so before it builds the site.

What stands outside of the marks is written by hand and left alone.
"""
