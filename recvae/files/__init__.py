"""Files that appear whole or not at all, and system errors as input errors.

Independent of images: `atomic` writes a file or folder under a temporary name; `partial` keeps the
progress of an interrupted run; `errors` turns system errors into one line.
"""

from recvae.files.atomic import atomic_file, atomic_folder
from recvae.files.errors import translate_os_errors
from recvae.files.partial import Partial, resumable_file

__all__ = ["Partial", "atomic_file", "atomic_folder", "resumable_file", "translate_os_errors"]
