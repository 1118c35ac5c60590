"""What the C library does with memory that is free again."""

_BLOCK_BYTES = 16 << 20


def keep_freed_memory() -> None:
    """Let the process keep the memory that messages leave, instead of returning it after each of them.

    At first glibc returns all but 128 KiB. With messages of hundreds of KB that happens all the time, and
    having each page given and cleared anew took longer than everything else in a transfer. glibc learns
    from the largest block that was returned, so it is shown one, in which nothing is written: from then on
    up to twice as much stays with the process. Where the C library is another, this changes nothing.
    """
    bytes(_BLOCK_BYTES)
