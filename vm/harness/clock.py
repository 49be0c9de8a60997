# SPDX-License-Identifier: MIT
"""How fast the CPU's time stamp counter runs.

A guest without KVM reads the host's counter, and finds out how fast it is by an
emulated timer. When the host is busy that may be wrong by a factor of forty, and
then every time limit in the guest is.
"""
import ctypes
import mmap
import platform
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
_CODE = bytes((0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3))
_SECONDS = 0.02
_TRIES = 50


def tsc_khz():
    """In kHz, or None where there is no way to measure it."""
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE,
                         prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None     # forbidden
    page.write(_CODE)
    code = ctypes.c_char.from_buffer(page)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))

    def sample():
        """The counter and the time, with the least between them of some tries."""
        best = None
        for _ in range(_TRIES):
            before = time.monotonic_ns()
            count = read()
            after = time.monotonic_ns()
            if best is None or after - before < best[0]:
                best = after - before, count, (before + after) // 2
        return best[1:]

    count, began = sample()
    time.sleep(_SECONDS)
    count_then, ended = sample()
    del read, code
    page.close()
    if count_then <= count:
        return None
    return (count_then - count) * 1000000 // (ended - began)
