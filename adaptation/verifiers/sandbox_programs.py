"""What the sandbox itself runs inside: the launcher before every program, and the self-test."""

LAUNCHER = """
import os, resource as r, sys
cpu, memory, processes, size, uid = map(int, sys.argv[1:6])
os.setsid()
if uid:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
for what, limit in ((r.RLIMIT_CORE, 0), (r.RLIMIT_CPU, cpu), (r.RLIMIT_AS, memory),
                    (r.RLIMIT_NPROC, processes), (r.RLIMIT_FSIZE, size), (r.RLIMIT_NOFILE, 64)):
    hard = r.getrlimit(what)[1]
    limit = limit if hard == r.RLIM_INFINITY else min(limit, hard)
    r.setrlimit(what, (limit, limit))
sys.argv[:] = ["/program/main.py"]
with open(sys.argv[0], "rb") as program:
    code = compile(program.read(), sys.argv[0], "exec")
main = sys.modules["__main__"] = type(sys)("__main__")
main.__file__, main.__builtins__ = sys.argv[0], __builtins__
exec(code, vars(main))
"""
"""Arguments: the limits, and the user id to become (0: stay).

The program runs in the launcher's own interpreter: starting a second one would cost more than all
the isolation, and the launcher holds nothing that the program may not have.
"""

SELF_TEST = """
import ctypes, os, socket, sys
for path in ("/etc/passwd", "/run", "/proc/1", "/sys", "/var"):
    assert not os.path.exists(path), path + " is visible"
for path in ("/usr/x", "/x", "/program/x"):
    try: open(path, "w")
    except OSError: pass
    else: sys.exit(path + " is writable")
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError: pass
else: sys.exit("sockets are allowed")
assert ctypes.CDLL(None).unshare(0x10000000) != 0, "namespaces are allowed"
release, hold = os.pipe()
children, limited = [], False
for _ in range(64):
    try: child = os.fork()
    except OSError: limited = True; break
    if child == 0:
        os.close(hold); os.read(release, 1); os._exit(0)
    children.append(child)
os.close(hold)
for child in children: os.waitpid(child, 0)
assert limited, "processes are not limited"
sys.stdout.write("isolated")
"""
"""Says `isolated` if it finds no way out."""
