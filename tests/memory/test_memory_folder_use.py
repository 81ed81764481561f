"""A folder in use cannot be had alone, by what every process sees, and a kill leaves no trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memory.errors import StorageBusyError
from memory.store.database import open_database
from memory.store.folder_use import sole_use

pytestmark = pytest.mark.sqlite

HOLDER = """
import sys, time
from pathlib import Path
from memory.store.database import open_database
database = open_database(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(600)
"""


def test_a_folder_is_in_use_while_another_process_has_its_database_open_and_no_longer(
    data_dir: Path,
) -> None:
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StorageBusyError, match="stop the server"), sole_use(data_dir):
            pass
        open_database(data_dir).close()  # beside others it is used all the same
        holder.kill()
    with sole_use(data_dir):
        pass


def test_a_folder_that_one_has_alone_is_not_opened_until_it_is_free(data_dir: Path) -> None:
    with sole_use(data_dir), pytest.raises(StorageBusyError, match="is being restored"):
        open_database(data_dir)
    open_database(data_dir).close()


def test_what_is_not_there_is_in_nobodys_use(tmp_path: Path) -> None:
    with sole_use(tmp_path / "absent"):
        assert not (tmp_path / "absent").exists()


def test_a_database_that_is_closed_is_in_use_no_more(data_dir: Path) -> None:
    first, second = open_database(data_dir), open_database(data_dir)
    first.close()
    with pytest.raises(StorageBusyError), sole_use(data_dir):
        pass
    second.close()
    with sole_use(data_dir):
        assert list(data_dir.iterdir())
