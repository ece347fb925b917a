"""The stress test of `stress.py`, for minutes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SMALL_DISK = 'mount -t tmpfs -o size=32k tmpfs "$0" && exec "$@"'


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_wrong(tmp_path: Path) -> None:
    for name in ("work", "small"):
        (tmp_path / name).mkdir()
    script = Path(__file__).with_name("stress.py")
    command = [sys.executable, str(script), str(tmp_path / "work"), "--seconds=100"]
    in_namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK]
    in_namespace.append(str(tmp_path / "small"))
    if (
        shutil.which("unshare")
        and not subprocess.run([*in_namespace, "true"], check=False).returncode
    ):
        command = [*in_namespace, *command, "--small", str(tmp_path / "small")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "all as it should be"
