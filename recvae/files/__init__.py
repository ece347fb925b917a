"""Files that appear whole or not at all, and what errors of the system become.

Knows no images: `atomic` writes a file or folder under a temporary name; `partial` keeps what an
interrupted run has done; `errors` makes one line of the system's refusals.
"""

from recvae.files.atomic import atomic_file, atomic_folder
from recvae.files.errors import translate_os_errors
from recvae.files.partial import Partial, resumable_file

__all__ = ["Partial", "atomic_file", "atomic_folder", "resumable_file", "translate_os_errors"]
