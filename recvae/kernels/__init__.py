"""Parts shared by the kernels of several packages: functions that numba inlines."""
