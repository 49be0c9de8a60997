# SPDX-License-Identifier: MIT
"""Is what a command printed what the document shows? Numbers may differ."""
import re

SIZE = r"\d+(?:\.\d+)? ?(?:[KMGT]iB|[KMGT]\b|B\b|bytes\b|MB\b)"
# A bar, on a terminal
BAR = r"\[[^\]\w]*[█·#.|][^\]\w]*\] "
# In order: an earlier one takes what the later ones would take parts of
LOOSE = ((BAR, ""), (SIZE, "SIZE"), (r"0x[0-9a-fA-F]+", "N"), (r"\d+(?:[.,:]\d+)*", "N"))
ANY = "…"


def plain(line):
    """The line without what differs from run to run."""
    for pattern, word in LOOSE:
        line = re.sub(pattern, word, line)
    return re.sub(r"\s+", " ", line).strip()


def matches(expected, line):
    """May this be that line of the document? An ellipsis stands for anything."""
    parts = [re.escape(plain(part)) for part in expected.split(ANY)]
    return re.fullmatch(r"\s*.*\s*".join(parts), plain(line)) is not None


def missing(expected, output):
    """The first line that is to be printed and was not, in their order; or None."""
    lines = iter(output.splitlines())
    for line in expected:
        if line.strip() in ("", ANY):
            continue
        if not any(matches(line, said) for said in lines):
            return line
    return None


def check_itself():
    text = "VRAM  62.3 MiB of 255 MiB, 24.4 %\nnoise\nused 63772 = live 61440\n"
    assert missing(["VRAM 1 GiB of 2 GiB, 3 %", ANY, "used 1 = live 2"], text) is None
    assert missing(["used 1 = live 2", "VRAM 1 GiB of 2 GiB, 3 %"], text)
    assert missing(["used 1 = dead 2"], text) == "used 1 = dead 2"
    assert missing(["VRAM … 3 %", "used … 2"], text) is None
    assert missing(["VRAM … 3 KiB"], text)
    assert missing(["a 1 B of 2 KiB"], "  a  [██▋····] 1.5 GiB of 3 B") is None
