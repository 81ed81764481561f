"""The targets by name, each with inputs to begin from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loadtests.fuzz import bodies, files, learning, replies
from loadtests.fuzz.target import Target

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "adapter": files.adapter,
        "answers": replies.answers,
        "archive": files.archive,
        "batch": bodies.batch,
        "body": bodies.body,
        "findings": files.findings,
        "headers": bodies.headers,
        "json": bodies.json_scan,
        "lines": bodies.lines,
        "manifest": files.manifest,
        "pattern": replies.pattern,
        "replies": replies.replies,
        "request": bodies.request,
        "settings": files.settings,
        "snapshot": files.snapshot,
        "upload": bodies.upload,
        **learning.TARGETS,
    }
)
_MANIFEST = (
    b'{"format": 1, "schema_version": "0001", "whet": "1", "created_at": "2026-01-01T00:00:00Z",'
    b' "records": 1, "adapters": [], "left_out": [], "members": [{"name": "whet.db", "size": 1,'
    b' "sha256": "' + b"0" * 64 + b'"}]}'
)
_CHAT = b'{"model": "m:ttt", "messages": [{"role": "user", "content": "x"}], "n": 2}'
SEEDS: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        "adapter": (b'{"r": 8}\n\n\x02\0\0\0\0\0\0\0{}', b'{"r": [8]}\n\n'),
        "answers": (b"The answer is \\boxed{\\frac{1}{2}}.", b"#### 1,234.5 km", b'{"a": [1, 2]}'),
        "archive": (b"manifest.json\n" + _MANIFEST + b"\n\nwhet.db\nx", b"../x\ny"),
        "batch": (
            b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n',
            b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", '
            b'"body": {"a": "\xed\xa0\x80", "a": 1}}\n',
        ),
        "body": (_CHAT, b'{"a": "\\ud800"}', b"[" * 200),
        "findings": (b'{"m": {"right": 1, "untrained": 0, "questions": 3}}',),
        "headers": (
            b"authorization: Bearer whet-x", b"x-tenant: ann\nx-tenant: bob", b"x-api-key: \xff",
            b"host: [::1", b"origin: null",
        ),
        "json": (_CHAT, b'{"\\\\\\"[": [[[]]]}'),
        "lines": (
            b'{"question": "1+1?", "answer": "2"}\n',
            b'[{"messages": [{"role": "user", "content": "q"}], "answer": "a"}]',
            b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant",'
            b' "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}',
        ),
        "manifest": (_MANIFEST,),
        "pattern": (b"ans=([0-9]+)\nans=4", b"(?i)a{2,3}\nAAA"),
        "replies": (
            b'["names", [["add", ["handle", 0]]]]\n["value", ["int", "0x3"], ["tuple"]]\n',
            b'["error", "ValueError", "x"]\n',
            b'["names", [["abs", null], ["__builtins__", ["dict"]]]]\n',
        ),
        "request": (
            _CHAT[:-1] + b', "adaptation": {"strategy": "auto", "answer": {"kind": "math"}}}',
            b'{"input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}',
        ),
        "settings": (b'strategy = "ttt"\nmax_samples = 3', b'wall_s = "x"', b"[a]\nb = 1979-05-27"),
        "snapshot": (b'{"count": 1}\n' + bytes(24), b'{"count": -1}\n', b'{"seq": 1e999}\n'),
        "upload": (
            b'--B\nContent-Disposition: form-data; name="purpose"\n\nbatch\n--B\n'
            b'Content-Disposition: form-data; name="file"; filename="a"\n\nx\n--B--\n',
        ),
        **learning.SEEDS,
    }
)  # fmt: skip
