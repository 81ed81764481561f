"""What jobs train on, the processor or an accelerator: one job at a time on each, of whatever
process of this machine, data folder or user.

The lock of a device is a file that all of them can open. It is free again when the process that
holds it ends, however that ended.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memory.offline.job import JobKind
from server.config import ConfigError, Settings

TRAINS = frozenset({JobKind.DISTILL, JobKind.FINE_TUNE, JobKind.TUNE})
"""Kinds that need the device to themselves."""
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""Files of which one exists where there may be an accelerator."""
LOOK = (
    "import sys, torch; number = int(sys.argv[1]); is_there = number < torch.cuda.device_count(); "
    "print(torch.cuda.get_device_properties(number).uuid if is_there else '')"
)
LOOK_TIMEOUT_S = 120.0
MOST_SAID = 200
FOR_ALL = 0o666


def device_name(device: str = "auto", setting: str = "trainer_device") -> str:
    """Return what is worked on where a setting says `device`: `cpu`, or `cuda-` and its UUID.

    Devices are counted as `CUDA_VISIBLE_DEVICES` leaves them. Raises `ConfigError` where the one
    that is asked for is not there.
    """
    if device == "cpu":
        return "cpu"
    if uuid := _uuid(int(device.partition(":")[2] or 0)):
        return f"cuda-{uuid}"
    if device != "auto":
        told = f"{setting} = {device}: torch sees no such accelerator here"
        raise ConfigError(f"{told}: set it to auto or cpu")
    return "cpu"


def check_devices(settings: Settings) -> None:
    """Raise `ConfigError` where an accelerator that is asked for is not there."""
    for setting in ("trainer_device", "reward_device"):
        device = getattr(settings, setting)
        if device.startswith("cuda"):
            device_name(device, setting)


def _uuid(number: int) -> str:
    """Return a CUDA device's UUID, "" where there is none.

    Torch is asked in another process, as this one may not need it.
    """
    if not any(driver.exists() for driver in DRIVERS):
        return ""
    asked = [sys.executable, "-c", LOOK, str(number)]
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(asked, capture_output=True, text=True, timeout=LOOK_TIMEOUT_S)
        return said.stdout.strip()
    return ""


def lock_of(folder: Path, name: str) -> Path:
    """Return the file that is the lock of a device, or of a data folder's jobs."""
    return folder / f"whet-{name}.lock"


def lock_of_device(settings: Settings) -> Path:
    """Return the lock of what jobs train on by these settings; asks torch, for seconds."""
    return lock_of(settings.device_locks, device_name(settings.trainer_device))


class Lock:
    """A lock, perhaps held."""

    def __init__(self, file: int, *, is_ours: bool) -> None:
        self._file = file
        self.is_ours = is_ours

    def say(self, who: str) -> None:
        """Say who works under it, for those that wait; nothing where it is not ours."""
        with suppress(OSError):  # another user's file that only he may write
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, who.encode(), 0)


@contextmanager
def held(path: Path) -> Iterator[Lock]:
    """Hold a lock in the block; not ours where another has it.

    Raises `ConfigError` where the file cannot be used.
    """
    file = _locked(path)
    if file is None:
        yield Lock(-1, is_ours=False)
        return
    lock = Lock(file, is_ours=True)
    try:
        yield lock
    finally:
        lock.say("")
        os.close(file)


def holder_of(path: Path) -> str | None:
    """Return what the holder of a lock says of itself; None where nobody holds it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, MOST_SAID, 0).decode(errors="replace")
    else:
        return None
    finally:
        os.close(file)


def _locked(path: Path) -> int | None:
    """Return the file of a lock that is ours; None where another holds it."""
    while True:
        file = _opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        if _is_there(path, file):
            return file
        os.close(file)  # it was deleted meanwhile, and another may have made a new one


def _opened(path: Path) -> int:
    """Open the file of a lock; made where there is none, for every user.

    Opened without O_CREAT where it is there: in a sticky folder the kernel keeps others from that
    (fs.protected_regular).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with suppress(FileNotFoundError):
                return _readable(path, flags)
            with suppress(FileExistsError):
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, FOR_ALL)
                os.fchmod(file, FOR_ALL)  # whatever the umask
                return file
    except OSError as error:
        told = f"the lock {path} cannot be used ({error.strerror}): set device_locks"
        raise ConfigError(f"{told} to a folder that all who share the device may write") from error


def _readable(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except PermissionError:  # it can be held all the same
        return os.open(path, flags & ~os.O_RDWR | os.O_RDONLY)


def _is_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
