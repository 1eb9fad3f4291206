"""Make file names from free text."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Half of what common file systems allow for a name, in bytes: a suffix and a folder's own limits
# need room too.
_MAX_BYTES = 120
_HASH_LENGTH = 8


def safe_name(*parts: str, unread: str = "") -> str:
    """Return a file name that is valid on any file system and differs for different parts.

    Letters and digits of any script are kept, other characters become "-", and long text is cut.
    A short hash of all parts distinguishes names that look the same after that.

    Args:
        parts: Texts that the name shows.
        unread: Text that only changes the hash, such as the folder of a file.
    """
    hashed = (*parts, unread) if unread else parts
    digest = hashlib.sha256("\0".join(hashed).encode(errors="surrogatepass")).hexdigest()[
        :_HASH_LENGTH
    ]
    normal = (unicodedata.normalize("NFC", part).lower() for part in parts)
    words = [re.sub(r"[\W_]+", "-", part).strip("-") for part in normal]
    readable = "-".join(word for word in words if word)
    room = _MAX_BYTES - _HASH_LENGTH - 1
    # Cut in bytes, as file systems count; a character that is cut in two is dropped.
    readable = readable.encode()[:room].decode(errors="ignore").rstrip("-")
    return f"{readable}-{digest}" if readable else digest
