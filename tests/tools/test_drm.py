# SPDX-License-Identifier: MIT
"""What top, watch, record and replay stand on: unit tests, fuzzers."""
import glob
import os
import subprocess
import tempfile

from command import BUILD, COMMAND, SANITIZERS, SCRATCH, Skip, environment
from drm import HERE, RECORDED, Machine

SECONDS = os.environ.get("FUZZ_SECONDS", "4")


def test_units():
    for path in sorted(glob.glob(os.path.join(HERE, "unit_*.c"))):
        name = os.path.basename(path)[:-2]
        done = subprocess.run([os.path.join(BUILD, name)], env={**os.environ, **SANITIZERS},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert not done.returncode, done.stdout.decode("utf-8", "replace")


def fuzz(name, seeds):
    program = os.path.join(BUILD, f"fuzz_{name}")
    if not os.path.exists(program):
        raise Skip("the fuzzers need clang")
    corpus = tempfile.mkdtemp(prefix="corpus-", dir=SCRATCH)
    for number, seed in enumerate(seeds):
        with open(os.path.join(corpus, str(number)), "wb") as f:
            f.write(seed)
    done = subprocess.run([program, f"-max_total_time={SECONDS}", "-max_len=16384",
                           "-rss_limit_mb=2000", f"-artifact_prefix={SCRATCH}/", corpus],
                          env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    said = done.stdout.decode("utf-8", "replace")
    assert not done.returncode and "Done " in said, said


def test_any_text_as_fdinfo():
    seeds = []
    for path in glob.glob(os.path.join(RECORDED, "*/*/fdinfo/*")):
        with open(path, "rb") as f:
            seeds.append(f.read())
    assert len(seeds) > 20
    fuzz("fdinfo", seeds)


def test_any_text_as_a_recording():
    seeds = []
    for driver in ("pddgpu", "xe"):
        machine = Machine(driver)
        seeds.append(subprocess.run(
            [COMMAND, "record", "-n", "3", "-i", "0.1", *machine.args()], check=True,
            stdout=subprocess.PIPE, env=environment((), None)).stdout)
    # The fuzzer gets further from lines that it has seen apart.
    lines = seeds[0].splitlines(keepends=True)
    seeds += [lines[0], lines[0] + lines[1], lines[0] + b'{"t":1}\n{"t":2,"gone":[0]}\n']
    fuzz("recording", seeds)
