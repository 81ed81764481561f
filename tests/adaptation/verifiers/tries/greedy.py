"""Tries to use up time, memory, disk, processes or the reader's patience."""

from __future__ import annotations

from collections.abc import Iterator

from tests.adaptation.verifiers.tries.kinds import Around, Try

TIMEOUT_S = 1.0
GREED = {
    "loop": "while True: pass",
    "sleep": "import time; time.sleep(60)",
    "waiting": "import threading; threading.Event().wait()",
    "deaf loop": "import signal\nfor n in range(1, 32):\n"
    " try: signal.signal(n, signal.SIG_IGN)\n except (OSError, ValueError): pass\n"
    "while True: pass",
    "stopping itself": "import os; os.kill(os.getpid(), 19)",
    "recursion": "def f(): return f()\nf()",
    "memory at once": "x = bytearray(2**34)",
    "memory bit by bit": "x = []\nwhile True: x.append(bytearray(2**20))",
    "memory of many": "import os\nfor _ in range(3): os.fork()\nx = []\n"
    "while True: x.append(bytearray(2**20))",
    "output": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "errors": "import sys\nwhile True: sys.stderr.write('x' * 65536)",
    "file": "f = open('/tmp/f', 'wb')\nwhile True: f.write(bytes(2**20))",
    "files": "for n in range(10_000): open(f'/tmp/{n}', 'w').write('x')",
    "sparse file": "import os; os.truncate(os.open('/tmp/f', 66), 2**40)",
    "descriptors": "import os\nwhile True: os.open('/dev/null', 0)",
    "processes": "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,))"
    ".start()",
    "locked memory": "import ctypes, mmap; m = mmap.mmap(-1, 2**33); ctypes.CDLL(None).mlockall(3)",
    "raised limits": "import resource as r\n"
    "for n in (r.RLIMIT_AS, r.RLIMIT_NPROC, r.RLIMIT_FSIZE, r.RLIMIT_CPU):\n"
    " r.setrlimit(n, (r.RLIM_INFINITY, r.RLIM_INFINITY))",
}
REPLIES = {
    "long result": "def add(a, b): return 'x' * 2**26",
    "long number": "def add(a, b): return 1 << 2**26",
    "endless result": "def add(a, b):\n while True: yield 0",
    "deep result": "def add(a, b):\n x = []\n for _ in range(400): x = [x]\n return x",
    "circular result": "def add(a, b):\n x = []; x.append(x); return x",
    "long error": "def add(a, b): raise ValueError('x' * 2**26)",
    "long name": "exec('a' * 2**20 + ' = 1')\ndef add(a, b): return 0",
    "many names": "globals().update({f'n{n}': n for n in range(200_000)})\ndef add(a, b): return 0",
    "slow equality": "import time\nclass S:\n def __eq__(s, o): time.sleep(60)\n"
    "def add(a, b): return S()",
    "endless length": "class S:\n def __len__(s):\n  while True: pass\n"
    " def __iter__(s): return s\n def __next__(s): return 0\ndef add(a, b): return S()",
    "broken reply": "def add(a, b):\n import os\n for fd in range(3, 64):\n"
    "  try: os.write(fd, b'x' * 60000)\n  except OSError: pass",
}


def tries(around: Around) -> Iterator[Try]:
    """Yield every try: at once and when called, and as a result."""
    del around
    for name, body in GREED.items():
        indented = body.replace("\n", "\n ")
        for place, code in (("at once", body), ("when called", f"def add(a, b):\n {indented}")):
            yield Try("greed", f"{name} {place}", code, timeout_s=TIMEOUT_S)
    for name, code in REPLIES.items():
        yield Try("reply", name, code, "assert list(add(1, 2)) == [3]", TIMEOUT_S)
