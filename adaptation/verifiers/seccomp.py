"""The system-call filter of the sandbox, as the BPF program `bwrap --seccomp` loads.

Denies what ordinary Python never needs and kernel exploits often do: new namespaces, mounts,
tracing, BPF, io_uring, keyrings, modules, and every socket but local ones (vsock is not covered by
network namespaces). Everything else is allowed: the namespaces and limits do the rest.
"""

from __future__ import annotations

import errno
import struct

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_NEW_NAMESPACE = 0x7E020080  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}
_AF_UNIX = 1
_X32 = 0x40000000

_SAME_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442)
"""io_uring_*, open_tree, move_mount, fs*, pidfd_getfd, mount_setattr"""

MACHINES: dict[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    # machine: (audit arch, clone, clone3, socket, denied)
    "x86_64": (0xC000003E, 56, 435, 41, (
        101, 272, 308, 165, 166, 155, 161,  # ptrace unshare setns mount umount2 pivot_root chroot
        321, 250, 248, 249, 298, 323,  # bpf keyctl add_key request_key perf_event userfaultfd
        246, 320, 175, 313, 176,  # kexec_load kexec_file_load init/finit/delete_module
        310, 311, 135, 167, 169, 179, 303, 304,  # process_vm_* personality swapon reboot quotactl
    )),
    "aarch64": (0xC00000B7, 220, 435, 198, (
        117, 97, 268, 40, 39, 41, 51,
        280, 219, 217, 218, 241, 282,
        104, 294, 105, 273, 106,
        270, 271, 92, 224, 142, 60, 264, 265,
    )),
}  # fmt: skip


def program(machine: str) -> bytes | None:
    """Return the filter for `machine` (as `platform.machine()` names it), or None if unknown."""
    if machine not in MACHINES:
        return None
    arch, clone, clone3, socket, denied = MACHINES[machine]
    deny = _ERRNO | errno.EPERM
    code = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, deny),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, deny),
        (_JUMP_EQUAL, 0, 1, clone3),  # its flags are in memory; libc falls back to clone
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in (*denied, *_SAME_EVERYWHERE):
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, deny)]
    code += [
        (_JUMP_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_BITS, 0, 1, _NEW_NAMESPACE),
        (_RETURN, 0, 0, deny),
        (_RETURN, 0, 0, _ALLOW),
        (_JUMP_EQUAL, 0, 3, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, deny),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
