#!/usr/bin/env bash
# s3fs 2026.9.0 with aiobotocore 3.10.0: a store that refuses the connection, and credentials that
# are missing, raise errors that are no OSError.
#
# Code that is written for fsspec catches OSError: its local and HTTP file systems raise it, and s3fs
# itself turns what the store answers (no such bucket, forbidden) into FileNotFoundError and
# PermissionError. Here nobody listens on the port, and then nobody says who asks.
#
# expected: both are an OSError, as the same refusal is through fsspec's HTTP file system
# seen:     botocore's EndpointConnectionError and NoCredentialsError, which are not: whoever
#           catches OSError to go on without the store dies of them
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "s3fs==2026.9.0" "fsspec[http]==2026.9.0" "aiobotocore==3.10.0"

cat >"$folder/check.py" <<'PYTHON'
import os
import socket
import sys
from importlib.metadata import version

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
               "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "1"}  # fmt: skip

import fsspec

with socket.socket() as probe:  # a port that nobody listens on
    probe.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{probe.getsockname()[1]}"


def error_of(protocol, path, **options):
    files = fsspec.filesystem(protocol, skip_instance_cache=True, **options)
    try:
        files.cat_file(path)
    except Exception as error:
        return error
    sys.exit(f"{path} was read")


store = {"endpoint_url": url, "client_kwargs": {"region_name": "us-east-1"}}
seen = {
    "HTTP, refused": error_of("http", f"{url}/file"),
    "S3, refused": error_of("s3", "bucket/file", key="a", secret="b", **store),
    "S3, no credentials": error_of("s3", "bucket/file", **store),
}
print(f"s3fs {version('s3fs')}, aiobotocore {version('aiobotocore')}, fsspec {version('fsspec')}")
print("expected: an OSError each time")
for what, error in seen.items():
    print(f"seen, {what}: {type(error).__name__}, an OSError: {isinstance(error, OSError)}")
if [isinstance(error, OSError) for error in seen.values()] != [True, False, False]:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
