"""Runs a command of recvae in a separate process."""

import json
import subprocess
import sys
import time
from typing import Any

# The peak reported to a parent includes the time before exec, so it may be the parent's own.
CHILD = """
import json, os, resource, sys
from recvae.cli import main
status = main(sys.argv[1:])
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if os.path.exists("/proc/self/status"):
    with open("/proc/self/status") as lines:
        peak_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(json.dumps({"peak_mb": peak_kb / 1024, "torch": "torch" in sys.modules}))
sys.exit(status)
"""


def run(*arguments: str) -> dict[str, Any]:
    """Run `recvae ARGUMENTS --json`; return its result with wall_seconds, peak_mb and torch.

    Seconds include the start of Python; `torch` is whether it was imported. Ends the program if the
    command fails.
    """
    started = time.perf_counter()
    command = [sys.executable, "-c", CHILD, *arguments, "--json"]
    process = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"recvae {' '.join(arguments)} failed")
    told, own = process.stdout.splitlines()
    return json.loads(told) | json.loads(own) | {"wall_seconds": seconds}
