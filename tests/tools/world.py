# SPDX-License-Identifier: MIT
"""Makes what the made-up library answers: machines with cards, for tests.

What belongs together is made from one list of buffers, as in the driver: owners,
blocks and sums agree unless a test spoils them.
"""
import json

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
REGIONS = ("vram", "gtt", "cpu")
STATES = ("LIVE", "ORPHAN", "ZOMBIE")
# A process that is not there: the kernel gives no such number
GONE = 4194305


class Owner:
    """Who has buffers: (region, state, bytes) each."""

    def __init__(self, client, pid, comm, buffers):
        self.client, self.pid, self.comm = client, pid, comm
        self.buffers = list(buffers)

    def name(self):
        if isinstance(self.comm, bytes):
            return {"comm_hex": self.comm.hex()}
        return {"comm": self.comm}

    def json(self):
        found = {"client": self.client, "pid": self.pid, **self.name(),
                 "objects": [sum(s == state for _, s, _ in self.buffers)
                             for state in STATES]}
        for region in REGIONS:
            found[region] = [sum(size for r, s, size in self.buffers
                                 if (r, s) == (region, state)) for state in STATES]
        return found


def ownership(owners, kernel):
    rows = []
    for region, extra in zip(REGIONS, kernel):
        row = {"kernel": extra}
        for state in STATES:
            sizes = [size for owner in owners for r, s, size in owner.buffers
                     if (r, s) == (region, state)]
            row[state.lower()] = sum(sizes)
            row[f"{state.lower()}_objects"] = len(sizes)
        rows.append(row)
    return rows


def blocks(owners, region, total, kernel):
    """The kernel's first, then each buffer, with a free page behind each."""
    found, at = [], 0

    def block(size, state, owner=None):
        nonlocal at
        found.append({"offset": at, "size": size, "state": state,
                      "client": owner.client if owner else 0,
                      "pid": owner.pid if owner else 0,
                      **(owner.name() if owner else {"comm": ""})})
        at += size

    if kernel:
        block(kernel, "KERNEL")
    for owner in owners:
        for where, state, size in owner.buffers:
            if where == region:
                block(size, state, owner)
                block(4096, "FREE")
    # As the buddy allocator has it: powers of two, at multiples of themselves
    while at < total:
        size = 4096
        while at % (size * 2) == 0 and at + size * 2 <= total:
            size *= 2
        block(size, "FREE")
    return found


HEALTH = """device_state: READY
device_healthy: 1
vram_total_size: 268435456
vram_state: READY
vram_healthy: 1
vram_cause: -
vram_errors: 0
gtt_state: READY
gtt_healthy: 1
gtt_cause: -
"""
RESET = "state: ready\nengines_lost: 0\nengine_resets: 2\nchip_resets: 1\n"


def card(owners=(), /, number=0, vram=256 * MIB, gtt=512 * MIB, kernel=2 * MIB, **more):
    """A card's entry; more replaces members of it, and None takes them away."""
    own = ownership(owners, (kernel, 0, 0))
    used = [sum(row[k] for k in ("live", "orphan", "zombie", "kernel")) for row in own]
    stats = {
        "vram_total": vram, "vram_used": used[0], "vram_free": vram - used[0],
        "vram_visible_total": vram, "vram_visible_used": used[0],
        "gtt_total": gtt, "gtt_used": used[1], "gtt_free": gtt - used[1],
        "total_allocations": 1000, "total_deallocations": 900, "evictions": 7,
        "moves": 12, "bytes_moved": 12 * MIB, "kernel_bytes": kernel,
        "avg_allocation_time": 12345, "avg_move_time": 2000000,
        "allocation_histogram": [0] * 12 + [3, 800, 197] + [0] * 17,
        "move_histogram": [0] * 20 + [12] + [0] * 11,
    }
    stats.update(more.pop("stats", {}))
    found = {
        "pci": f"0000:00:{4 + number:02x}.0", "card": number,
        "primary": f"/dev/dri/card{number}", "render": f"/dev/dri/renderD{128 + number}",
        "info": {"name": "PDD1000", "revision": 1, "state": 2, "vram_size": vram,
                 "vram_visible_size": vram, "gtt_size": gtt},
        "usage": [
            {"total": vram, "used": used[0], "visible_total": vram, "visible_used": used[0]},
            {"total": gtt, "used": used[1]}, {"total": 0, "used": used[2]}],
        "ownership": own, "stats": stats,
        "owners": [owner.json() for owner in owners], "leaks": [],
        "vram_blocks": blocks(owners, "vram", vram, kernel),
        "gtt_blocks": blocks(owners, "gtt", gtt, 0),
        "debugfs": {"health": HEALTH, "reset": RESET},
    }
    found.update(more)
    return {key: value for key, value in found.items() if value is not None}


def leak(size, age_ms, **more):
    return {"size": size, "age_ms": age_ms, "domain": 4, "state": "LIVE",
            "confirmed": False, "pid": 1, "comm": "init", "label": "",
            "stack": "pddgpu_gem_create_ioctl+0x54/0x90 [pddgpu]", **more}


def thing(number, size, birth_ms, **more):
    """A buffer as the driver tells of it."""
    return {"id": number, "size": size, "birth_ms": birth_ms, "client": 7, "pid": GONE,
            "comm": "leaker", "site": 1, **more}


def looks(*lists, start_ms=10 ** 7, step_ms=1000):
    """What each look sees; the last one stays as it is."""
    return {"start_ms": start_ms, "step_ms": step_ms, "looks": list(lists)}


def unfreed(number, size, count=1, **more):
    """What a client has left when it closed its file."""
    return {"id": number, "bytes": size, "objects": count, "client": 7, "pid": GONE,
            "comm": "leaker", "site": 1, "oldest_ms": 10 ** 7, **more}


def user(entry):
    """The same card for somebody who may not read debugfs."""
    entry = dict(entry)
    for name in ("owners", "leaks", "vram_blocks", "gtt_blocks", "debugfs"):
        entry.pop(name, None)
    return entry


def save(path, *cards):
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"devices": list(cards)}, f)
    return path
