"""What ends a program early: the input is at fault, a GPU fails, or a signal asks for it."""

import re

# As torch, Triton and the libraries below them begin what they say of a GPU of any maker.
_OF_A_GPU = re.compile(r"(CUDA|cuDNN|CUBLAS|NVML|HIP|MIOpen|XPU|Triton Error|No CUDA GPUs)\b")
_OUT_OF_MEMORY = "out of memory"


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with status 2. Names that come from elsewhere may stand in
    it: what could not be printed, as a line end or half a character, is escaped as in Python.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class Terminated(KeyboardInterrupt):
    """A signal asked the program to end; `signal` is its number."""

    def __init__(self, signal: int, message: str = "") -> None:
        super().__init__(message)
        self.signal = signal


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU has too little memory for what was tried."""
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY in str(error)


def gpu_failure(error: BaseException) -> str | None:
    """What to say, in one line, of an error that comes from a GPU; None of any other.

    It is no `InputError`, since what was done before it is good: an interrupted run can be resumed.
    """
    first_line = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        reason = first_line.partition(". GPU ")[0]  # what follows are numbers
        return f"{reason}: take smaller groups or the CPU"
    if isinstance(error, RuntimeError) and _OF_A_GPU.match(first_line):
        return f"the GPU failed: {first_line}: try again, or take the CPU"
    return None


def tell_of_interrupt(error: BaseException, message: str) -> None:
    """Give an interrupt, if it is one without a message, what to say of the work it broke off."""
    if isinstance(error, KeyboardInterrupt) and not str(error):
        error.args = (message,)
