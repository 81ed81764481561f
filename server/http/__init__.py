"""The layers between a client's bytes and a route: bodies, places, ids, headers, the drain."""
