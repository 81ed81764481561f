"""The web page: its sources, and how they are sent."""
