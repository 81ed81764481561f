"""Tries to reach what is outside: files, sockets, processes, the environment."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.adaptation.verifiers.tries.kinds import Around, Try, doing, leaking

READERS = {
    "open": "return open(PATH).read()",
    "os.open": "import os; return os.read(os.open(PATH, 0), 99)",
    "FileIO": "import io; return io.FileIO(PATH).read()",
    "open_code": "import io; return io.open_code(PATH).read()",
    "pathlib": "import pathlib; return pathlib.Path(PATH).read_text()",
    "linecache": "import linecache; return linecache.getlines(PATH)",
    "fileinput": "import fileinput; return list(fileinput.input(PATH))",
    "loader": "from importlib.machinery import SourceFileLoader as S\n"
    "return S('x', PATH).get_data(PATH)",
    "copy": "import shutil; shutil.copyfile(PATH, '/tmp/c'); return open('/tmp/c').read()",
    "symlink": "import os; os.symlink(PATH, '/tmp/l'); return open('/tmp/l').read()",
    "hard link": "import os; os.link(PATH, '/tmp/h'); return open('/tmp/h').read()",
    "libc": "import ctypes, os; f = ctypes.CDLL(None).open(PATH.encode(), 0)\n"
    "return os.read(f, 99)",
    "cat": "import subprocess; return subprocess.run(['cat', PATH], capture_output=True).stdout",
    "listing": "import os; return [open(os.path.join(d, f)).read() "
    "for d, _, fs in os.walk(os.path.dirname(PATH)) for f in fs]",
}
PATHS = ("{0}", "/tmp/../..{0}", "/proc/1/root{0}", "/proc/self/root{0}")
WRITERS = {
    "open": "open(PATH, 'w').write('changed')",
    "append": "open(PATH, 'a').write('changed')",
    "rename": "import os; open('/tmp/n', 'w').write('changed'); os.replace('/tmp/n', PATH)",
    "unlink": "import os; os.unlink(PATH)",
    "truncate": "import os; os.truncate(PATH, 0)",
    "chmod": "import os; os.chmod(PATH, 0o777)",
    "times": "import os; os.utime(PATH, (1, 1))",
    "tree": "import shutil; shutil.rmtree(FOLDER)",
    "new file": "open(FOLDER + '/new', 'w').write('x')",
    "new folder": "import os; os.makedirs(FOLDER + '/new')",
    "pipe": "import os; os.mkfifo(FOLDER + '/new')",
    "link": "import os; os.symlink('/', FOLDER + '/new')",
    "libc": "import ctypes; ctypes.CDLL(None).unlink(PATH.encode())",
    "shell": "import os; os.system(f'echo changed > {PATH}')",
    "database": "import sqlite3; sqlite3.connect(FOLDER + '/new').execute('create table t (x)')",
    "mount": "import ctypes; c = ctypes.CDLL(None)\n"
    "c.mount(b'none', b'/', None, 32, None); open(PATH, 'w').write('changed')",
    "namespace": "import ctypes; ctypes.CDLL(None).unshare(0x10020000)\n"
    "open(PATH, 'w').write('changed')",
}
CONNECTIONS = {
    "tcp": "import socket; socket.create_connection(('127.0.0.1', PORT), 1).send(b'x')",
    "tcp 6": "import socket; socket.create_connection(('::ffff:127.0.0.1', PORT), 1).send(b'x')",
    "by name": "import socket; socket.create_connection(('localhost', PORT), 1).send(b'x')",
    "udp": "import socket as s; s.socket(2, s.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "raw": "import socket as s; s.socket(s.AF_INET, s.SOCK_RAW, 1).sendto(b'x', ('127.0.0.1', 0))",
    "packet": "import socket as s; s.socket(17, s.SOCK_RAW).bind(('lo', 0))",
    "netlink": "import socket as s; x = s.socket(16, s.SOCK_RAW, 0); x.bind((0, 0))",
    "vsock": "import socket as s; s.socket(40, s.SOCK_STREAM).connect((2, PORT))",
    "local path": "import socket as s; s.socket(s.AF_UNIX).connect(SOCKET)",
    "local name": "import socket as s; s.socket(s.AF_UNIX).connect('\\0' + SOCKET)",
    "http": "import urllib.request as u; u.urlopen(f'http://127.0.0.1:{PORT}/', timeout=1)",
    "http.client": "import http.client as h; h.HTTPConnection('127.0.0.1', PORT, timeout=1)"
    ".request('GET', '/')",
    "ftp": "import ftplib; ftplib.FTP().connect('127.0.0.1', PORT, 1)",
    "asyncio": "import asyncio; asyncio.run(asyncio.open_connection('127.0.0.1', PORT))",
    "bash": "import subprocess as s; s.run(['bash', '-c', f'echo x > /dev/tcp/127.0.0.1/{PORT}'])",
    "libc": "import ctypes; c = ctypes.CDLL(None); fd = c.socket(2, 1, 0)\n"
    "c.connect(fd, bytes([2, 0]) + PORT.to_bytes(2) + bytes([127, 0, 0, 1] + [0] * 8), 16)",
    "own network": "import ctypes, socket; ctypes.CDLL(None).setns(0, 0)\n"
    "socket.create_connection(('127.0.0.1', PORT), 1)",
}
SLEEPER = "[sys.executable, '-c', 'import time; time.sleep(60)', MARKER]"
PROCESSES = {
    "child": f"import subprocess as s, sys; s.Popen({SLEEPER})",
    "own session": f"import subprocess as s, sys; s.Popen({SLEEPER}, start_new_session=True)",
    "own group": f"import subprocess as s, sys; s.Popen({SLEEPER}, process_group=0)",
    "spawn": "import os, sys\nos.posix_spawn(sys.executable, "
    "[sys.executable, '-c', 'import time; time.sleep(60)', MARKER], {})",
    "shell": "import os, sys; os.system(f\"nohup {sys.executable} -c 'import time; time.sleep(60)' "
    '{MARKER} >/dev/null 2>&1 &")',
    "daemon": f"import os, sys\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
    f"  os.closerange(0, 64); a = {SLEEPER}; os.execv(a[0], a)\n os._exit(0)",
    "deaf": f"import os, signal, sys\nif os.fork() == 0:\n os.setsid()\n"
    f" for n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n"
    f"  except (OSError, ValueError): pass\n a = {SLEEPER}; os.execv(a[0], a)",
    "stopped": f"import os, subprocess as s, sys; os.kill(s.Popen({SLEEPER}).pid, 19)",
    "many": f"import subprocess as s, sys\nfor _ in range(8): s.Popen({SLEEPER})",
    "in a namespace": "import subprocess as s, sys\ns.Popen(['unshare', '-Urpf', "
    "sys.executable, '-c', 'import time; time.sleep(60)', MARKER])",
    "in a sandbox": "import subprocess as s, sys\ns.Popen(['bwrap', '--bind', '/', '/', "
    "sys.executable, '-c', 'import time; time.sleep(60)', MARKER])",
    "as root": "import subprocess as s, sys\ns.Popen(['su', '-c', "
    "f'{sys.executable} -c \"import time; time.sleep(60)\" {MARKER}'])",
}
SIGNALS = {
    "kill": "import os; os.kill(VICTIM, 9)",
    "terminate": "import os; os.kill(VICTIM, 15)",
    "stop": "import os; os.kill(VICTIM, 19)",
    "group": "import os; os.killpg(VICTIM, 9)",
    "group by number": "import os; os.kill(-VICTIM, 9)",
    "libc": "import ctypes; ctypes.CDLL(None).kill(VICTIM, 9)",
    "queued": "import ctypes; ctypes.CDLL(None).sigqueue(VICTIM, 9, 0)",
    "handle": "import os, signal; signal.pidfd_send_signal(os.pidfd_open(VICTIM), 9)",
    "shell": "import os; os.system(f'kill -9 {VICTIM}')",
    "limit": "import resource as r; r.prlimit(VICTIM, r.RLIMIT_CPU, (0, 0))",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, VICTIM, 19)",
    "affinity": "import os; os.sched_setaffinity(VICTIM, {0})",
}
ENVIRONMENT = {
    "environ": "import os; return os.environ[NAME]",
    "all": "import os; return dict(os.environ)",
    "getenv": "import ctypes; c = ctypes.CDLL(None); c.getenv.restype = ctypes.c_char_p\n"
    "return c.getenv(NAME.encode())",
    "shell": "import subprocess as s; return s.run(['env'], capture_output=True).stdout",
    "own process": "return open('/proc/self/environ').read()",
    "first process": "return open('/proc/1/environ').read()",
    "parent": "import os; return open(f'/proc/{os.getppid()}/environ').read()",
    "victim": "return open(f'/proc/{VICTIM}/environ').read()",
    "arguments": "import sys; return sys.argv, sys.orig_argv, sys.path, sys.flags",
    "name of the machine": "import os; return os.uname().nodename, open('/etc/hostname').read()",
}


def tries(around: Around) -> Iterator[Try]:
    """Yield every try, with what lies around written into it."""
    known = (
        f"PATH, FOLDER, PORT = {around.secret!r}, {around.folder!r}, {around.port}\n"
        f"SOCKET, VICTIM, MARKER = {around.socket!r}, {around.victim}, {around.marker!r}\n"
        f"NAME = {around.environment!r}\n"
    )
    for (name, body), path in product(READERS.items(), PATHS):
        shown = f"PATH = {path.format(around.secret)!r}\n"
        yield Try("read", f"{name} {path}", known + shown + leaking(body))
    for name, body in ENVIRONMENT.items():
        yield Try("environment", name, known + leaking(body))
    for kind, bodies in (
        ("write", WRITERS), ("socket", CONNECTIONS), ("process", PROCESSES), ("signal", SIGNALS)
    ):  # fmt: skip
        for name, body in bodies.items():
            yield Try(kind, name, known + doing(body))
