"""Causes of an early end: bad input, a failing GPU, or a signal."""

import re

# How torch, Triton and the libraries below begin their GPU errors, for GPUs of any maker.
_OF_A_GPU = re.compile(r"(CUDA|cuDNN|CUBLAS|NVML|HIP|MIOpen|XPU|Triton Error|No CUDA GPUs)\b")
_OUT_OF_MEMORY = "out of memory"


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with status 2. It may quote names from elsewhere:
    unprintable characters, such as line ends or lone surrogates, are escaped as in Python.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class Terminated(KeyboardInterrupt):
    """A signal asked the program to end; `signal` is its number."""

    def __init__(self, signal: int, message: str = "") -> None:
        super().__init__(message)
        self.signal = signal


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that a GPU is out of memory."""
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY in str(error)


def gpu_failure(error: BaseException) -> str | None:
    """A one-line message for an error that comes from a GPU; None for any other error.

    It is not an `InputError`, since earlier work remains valid: an interrupted run can be resumed.
    """
    first_line = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        reason = first_line.partition(". GPU ")[0]  # the rest is numbers
        return f"{reason}: use smaller groups or the CPU"
    if isinstance(error, RuntimeError) and _OF_A_GPU.match(first_line):
        return f"the GPU failed: {first_line}: try again or use the CPU"
    return None


def tell_of_interrupt(error: BaseException, message: str) -> None:
    """Give an interrupt without a message one about the work it cut short."""
    if isinstance(error, KeyboardInterrupt) and not str(error):
        error.args = (message,)
