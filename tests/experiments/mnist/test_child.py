"""Work in a child process ends with its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PARENT = """
from recvae.experiments.mnist import child

child.PRELOADED = []
if __name__ == "__main__":
    child.in_child(exec, open("work").read())
"""
WORK = """
import os, time
file = os.open("fifo", os.O_WRONLY)
os.write(file, b"begun")
time.sleep(20)
os.write(file, b", and ended")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "work").write_text(WORK)
    os.mkfifo(tmp_path / "fifo")
    command = [sys.executable, "parent.py"]
    parent = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    with open(tmp_path / "fifo", "rb", buffering=0) as fifo:
        assert fifo.read(5) == b"begun"
        parent.send_signal(number)
        parent.wait()
        assert fifo.read() == b""  # end of file: nobody has it open any more
