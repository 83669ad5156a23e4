"""Temporary folders that show whether their owner lives, so that what a killed run left is swept.

The process that makes a folder holds a lock on it (`flock`) for as long as it lives. The system
takes the lock off, however the process ends. So a folder with our name that can be locked is
nobody's. A file system without such locks has nothing swept.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

MARK = "equiport-held-"
"""In the name of every folder that is ours; eight random characters follow."""

ATTEMPTS = 100
LONGEST_PREFIX = 150
"""Bytes of a longer prefix that are used: a name has 255 at most."""


class TemporaryFolder:
    """A folder of this process, removed at the end of a ``with``, of the object, or by `cleanup`.

    Attributes:
        path: the folder.
    """

    def __init__(self, prefix: str = "", parent: Path | None = None) -> None:
        """Make the folder.

        Args:
            prefix: begins its name.
            parent: where to make it; by default where temporary files go.

        Raises:
            OSError: it cannot be made there.
        """
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        for _ in range(ATTEMPTS):
            self.path = Path(tempfile.mkdtemp(prefix=_begin(prefix), dir=parent))
            lock = _locked(self.path)
            if lock is not None:
                break
        else:
            raise OSError(None, "another process removes what is made there", str(parent))
        self._end = weakref.finalize(self, _remove, self.path, lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Remove the folder with all that is in it."""
        self._end()


def sweep(prefix: str = "", parent: Path | None = None) -> list[Path]:
    """Remove the folders of processes that have ended; returns which those were.

    Args:
        prefix, parent: as they were made with.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    ours = re.compile(re.escape(_begin(prefix)) + "[a-z0-9_]{8}")
    swept = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if ours.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                lock = _locked(Path(entry.path), by_force=True)
                if lock is not None:
                    _remove(Path(entry.path), lock)
                    swept += [] if os.path.lexists(entry.path) else [Path(entry.path)]
    return sorted(swept)


@contextlib.contextmanager
def all_in_one_folder() -> Iterator[None]:
    """Send what this process and its children call temporary to a folder that is swept.

    TensorFlow and others make files of their own there, and remove them when they end in peace.
    PyTorch's compiler keeps there what it has compiled: that stays where it was.
    """
    sweep()
    compiled = os.path.join(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}")
    with TemporaryFolder() as folder:
        given = {name: os.environ.get(name) for name in ("TMPDIR", "TORCHINDUCTOR_CACHE_DIR")}
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        os.environ["TMPDIR"] = str(folder)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", compiled)
        try:
            yield
        finally:
            tempfile.tempdir = before
            for name, value in given.items():
                os.environ.pop(name, None)
                os.environ |= {} if value is None else {name: value}


def _begin(prefix: str) -> str:
    return prefix.encode()[:LONGEST_PREFIX].decode(errors="ignore") + MARK


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _locked(path: Path, by_force: bool = False) -> int | None:
    """Lock a folder; returns the descriptor that holds the lock, ``None`` where it is another's.

    Between its making and its locking another process may have taken a folder for one that was
    left, and removed it: then what was opened is not there any more.

    Args:
        by_force: ``None`` also where locks are unknown, and where the folder is another user's.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # removed; on Windows a folder cannot be opened at all
        return None if os.name == "posix" or by_force else os.open(os.devnull, os.O_RDONLY)
    try:
        mine = not by_force or os.fstat(descriptor).st_uid == os.getuid()
        known = _flock(descriptor)
        if mine and (known or not by_force) and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except OSError:  # another holds it, or it is gone
        pass
    os.close(descriptor)
    return None


def _flock(descriptor: int) -> bool:
    """Lock; ``False`` where the system or the file system knows no locks.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
