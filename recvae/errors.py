"""What ends a command early: input at fault, not the program; a signal."""


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with status 2. Names that come from elsewhere may stand in
    it: what could not be printed, as a line end or half a character, is escaped as in Python.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class Terminated(KeyboardInterrupt):
    """A signal asked the program to end; `signal` is its number, the text says what is kept."""

    def __init__(self, signal: int, message: str = "") -> None:
        super().__init__(message)
        self.signal = signal
