"""What holds before anything is imported."""

import os

# Where tests run side by side, a thread that spins until another one is done keeps that one from
# running: some tests of two threads took 30 times as long. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
