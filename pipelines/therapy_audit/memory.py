"""Memory of the process that Arrow and the C library keep for later, and DuckDB cannot use."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Give memory that is free back to the system, where it can be told to: DuckDB has an allocator of its own.

    After the notes a third of what a run of a million lines holds is such memory, and the models would come on top.
    """
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    try:
        trim = ctypes.CDLL(None).malloc_trim  # of glibc
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
