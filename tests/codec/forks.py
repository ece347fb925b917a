"""Work in forked processes and in threads, at the same time."""

import faulthandler
import os
import threading
import traceback
import warnings
from collections.abc import Callable

SECONDS = 30  # then a process that waits forever is ended


def fork(work: Callable[[], object]) -> int:
    """Start a process that exits with 0 if all goes well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tests' own threads stay here
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def in_processes(*works: Callable[[], object]) -> None:
    children = [fork(work) for work in works]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * len(
        works
    )


def in_threads(*works: Callable[[], object]) -> None:
    """Raise the exception of the first that failed."""
    raised: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in raised:
        raise error
