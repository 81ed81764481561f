"""A server of one page that can be told to die: stands in for one that takes a minute to load."""

from __future__ import annotations

import argparse
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Page(BaseHTTPRequestHandler):
    """Answers everything, and ends the process on `/die`."""

    def do_GET(self) -> None:
        if self.path == "/die":
            print("out of luck", flush=True)
            os._exit(3)
        self.send_response(200)
        self.end_headers()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    args = parser.parse_args()
    HTTPServer((args.host, args.port), Page).serve_forever()
