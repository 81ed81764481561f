"""Whet's settings by what they are about; `server.config` joins them."""
