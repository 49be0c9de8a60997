# SPDX-License-Identifier: MIT
"""Chooses how QEMU runs the guest's CPUs."""
import argparse
import os
import re

from . import initramfs
from .initramfs import Error
from .machine import Machine

# A kernel that works under KVM is up in a second or two.
_TRIAL_SECONDS = 30


def _cpu_can():
    with open("/proc/cpuinfo") as f:
        return re.search(r"^flags\s*:.*\b(vmx|svm)\b", f.read(), re.M)


def _trial(o, kernel, cache, folder):
    """Boots with KVM once, without a card."""
    run = os.path.join(folder, "trial")
    os.mkdir(run)
    initrd = os.path.join(run, "initrd")
    here = os.path.dirname(os.path.dirname(__file__))
    with open(initrd, "wb") as out:
        base = initramfs.base(cache, os.path.join(here, "guest/init"))
        with open(base, "rb") as f:
            out.write(f.read())
        archive = initramfs.Archive(out)
        archive.data("etc/vm/settings", "VM_MODE=command VM_LOGLEVEL=4\n")
        archive.data("etc/vm/command", "exec true\n")
        archive.end()
    plain = argparse.Namespace(
        no_device=True, devices=0, mem=512, lowmem=2048, smp=o.smp, swap=None,
        append="", qemu=o.qemu, qemu_args="", console=False,
        device_may_die=False, restart_device=False, monitor=False)
    machine = Machine(plain, run, kernel, initrd, "kvm")
    machine.run(_TRIAL_SECONDS)
    return machine.status == 0


def _kvm_works(o, kernel, cache, folder):
    """Whether KVM is there and proven; the verdict holds until the host is
    booted again."""
    if not _cpu_can() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id") as f:
        verdict = os.path.join(cache, "kvm-" + f.read().strip())
    if os.path.exists(verdict):
        with open(verdict) as f:
            return f.read() == "works\n"
    works = _trial(o, kernel, cache, folder)
    os.makedirs(cache, exist_ok=True)
    with open(f"{verdict}.{os.getpid()}", "w") as f:
        f.write("works\n" if works else "fails\n")
    os.rename(f"{verdict}.{os.getpid()}", verdict)
    return works


def choose(o, kernel, cache, folder):
    """Returns kvm, or the TCG threading to use: single or multi."""
    if o.accel == "tcg":
        return o.tcg_thread
    if _kvm_works(o, kernel, cache, folder):
        return "kvm"
    if o.accel == "kvm":
        raise Error("KVM does not work on this host")
    return o.tcg_thread
