"""The error that means "the input is at fault", not the program."""


class InputError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do.

    The command line prints it and exits with status 2.
    """
