"""What the kernels of several packages share: functions that numba inlines."""
