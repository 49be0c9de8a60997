# SPDX-License-Identifier: MIT
"""What can be known of the documents without running anything: that each block of code
says where it is run, that what is not run could be, that links lead somewhere, and that
the functions which docs/tour.md names are where it says."""
import os
import re
import shlex
import shutil

from blocks import blocks

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# Run by packaging/tests/guide
PACKAGES = ("install", "machine", "remove", "prometheus", "card")
PLACES = ("vm", "shell", "host", "tree", "dry", *PACKAGES)
ACTS = {"shell": (), "vm": ("wait", "seconds", "key", "picture"), "host": ("prefix",), "tree": (), "dry": ("why",)}
BUILTIN = {"cd", "echo", "export", "exec", "exit", "kill", "read", "set", "test", "wait"}
# Words that begin a line of a shell, and what no text begins with
COMMANDS = BUILTIN | {"make", "pddgpu", "cat", "sudo", "apt-get", "cc", "modprobe"}
FUNCTION = re.compile(r"`(\w+)\(\)`")
FILE = re.compile(r"\b([\w-]+\.[ch])\b")
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


def documents():
    """README.md and all of docs/."""
    yield "README.md"
    for name in sorted(os.listdir(os.path.join(TOP, "docs"))):
        if name.endswith(".md"):
            yield f"docs/{name}"


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return f.read()


# ----------------------------------------------------------------- comments --

def _text_is_text(block):
    for line in block.lines:
        first = line.split(" ", 1)[0]
        if line.startswith(("vm# ", "$ ", "scripts/", "vm/run")) or first in COMMANDS:
            yield f"{block}: this looks like a command: {line}"


def check_comment(block):
    """What is wrong with the comment before a block."""
    if block.kind is None:
        # tests/lib compiles these
        if not (block.language == "c" and block.doc == "docs/library.md"):
            yield f"{block}: nothing says where this is run: {block.lines[:1]}"
    elif block.kind == "text":
        yield from _text_is_text(block)
    elif block.kind == "file":
        if len(block.words) != 1 or "/" in block.words[0]:
            yield f"{block}: a file has a name"
    elif block.place not in PLACES:
        yield f"{block}: there is no place {block.place}"
    elif block.place in PACKAGES:
        if block.doc != "docs/operator.md":
            yield f"{block}: {block.place} is for docs/operator.md"
    else:
        for act in block.acts:
            if len(act) != 2 or act[0] not in ACTS.get(block.place, ()):
                yield f"{block}: {block.place} knows no {act[0]}"


# ------------------------------------------------------------ what is not run --

def _targets(folder):
    """Of a Makefile, the words that may stand behind make."""
    path = os.path.join(TOP, folder, "Makefile")
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as f:
        return set(re.findall(r"^([\w-]+)(?=[\w -]*:(?!=))", f.read(), re.M))


def _check_make(words):
    folder, targets, at = "", [], 1
    while at < len(words):
        if words[at] == "-C":
            folder = words[at + 1]
            at += 1
        elif not words[at].startswith("-") and "=" not in words[at]:
            targets.append(words[at])
        at += 1
    # A kernel's tree, or another project
    if folder.startswith(("/", "~")):
        return
    for target in set(targets) - _targets(folder):
        yield f"make {target}: no such target in {folder or '.'}/Makefile"


def _check_options(path, words):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        text = f.read()
    for word in words:
        name = word.split("=", 1)[0]
        if name == "--":
            break
        if re.fullmatch(r"--[a-z][\w-]+", name) and name[2:] not in text:
            yield f"{path} knows no {name}"


def _source(word):
    """The file whose text has a program's options."""
    if "/" in word and os.path.isfile(os.path.join(TOP, word)):
        return word
    return {"pddgpu-device": "device/options.c"}.get(word)


def check_words(words):
    """One simple command."""
    while words and (re.match(r"\w+=", words[0]) or words[0] in ("sudo", "exec", "nohup")):
        words = words[1:]
    if not words:
        return
    first = words[0]
    if first == "make":
        yield from _check_make(words)
    elif _source(first):
        yield from _check_options(_source(first), words[1:])
    elif first == "pddgpu":
        if len(words) > 1 and not words[1].startswith("-") and \
                not os.path.exists(os.path.join(TOP, f"tools/cmd_{words[1]}.c")):
            yield f"pddgpu has no {words[1]}"
    elif first not in BUILTIN and not first.startswith(("$", "build/")) and \
            not (shutil.which(first) or first.startswith("qemu-system-")):
        yield f"{first}: not found"


def simple_commands(lines):
    """The words of each command."""
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = []
        for word in list(lexer) + [";"]:
            if word and set(word) <= set("|&;"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def check_dry(block):
    """A block that takes too long, or changes the machine: it could be run."""
    if not dict(block.acts).get("why"):
        yield f"{block}: why is this not run?"
    try:
        for words in simple_commands(block.commands()):
            for said in check_words(words):
                yield f"{block}: {said}"
    except ValueError as error:
        yield f"{block}: {error}"


# ------------------------------------------------------------ links and names --

def _anchors(text):
    """As the headings' links are made."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)", text, re.M)}


def check_pictures(name, text):
    """Each picture is of a run of this document, and each that is kept is shown."""
    shown = set(re.findall(r"\]\(pictures/([^)]+)\)", text))
    kept = {value.partition(":")[0] for block in blocks(name, text)
            for act, value in filter(lambda act: len(act) == 2, block.acts)
            if act == "picture"}
    for picture in sorted(shown ^ kept):
        yield f"{name}: {picture} is {'not kept' if picture in shown else 'not shown'}"


def check_links(name, text):
    """Each link to a file leads to one, and to a heading of it."""
    for target in LINK.findall(text):
        # Pictures may be about to be drawn
        if re.match(r"\w+:|pictures/", target):
            continue
        path, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(TOP, os.path.dirname(name), path))
        if path and not os.path.exists(full):
            yield f"{name}: there is no {target}"
            continue
        if not anchor or not (path or name).endswith(".md"):
            continue
        if anchor not in _anchors(read(full) if path else text):
            yield f"{name}: {path or name} has no heading #{anchor}"


def _sources():
    """Paths of C files by their name."""
    found = {}
    for folder in ("driver", "device", "lib", "examples", "include", "tests/vm"):
        for parent, _, names in os.walk(os.path.join(TOP, folder)):
            for name in names:
                if name.endswith((".c", ".h")):
                    found.setdefault(name, []).append(os.path.join(parent, name))
    return found


def check_functions(name, text):
    """A paragraph that names functions names the file where each of them is, or is used."""
    sources = _sources()
    for paragraph in re.split(r"\n\s*\n", text):
        files = set(FILE.findall(paragraph))
        for file in files - set(sources):
            yield f"{name}: there is no {file}"
        code = ""
        for path in sum((sources.get(file, []) for file in files), []):
            with open(path, encoding="utf-8") as f:
                code += f.read()
        for function in FUNCTION.findall(paragraph):
            if not re.search(rf"\b{function}\b", code):
                yield f"{name}: {function}() is in none of: {' '.join(sorted(files))}"


# --------------------------------------------------------------------- all --

def check(name, text):
    """Everything that is wrong with one document."""
    for block in blocks(name, text):
        said = list(check_comment(block))
        yield from said
        if not said and block.place == "dry":
            yield from check_dry(block)
    yield from check_links(name, text)
    yield from check_pictures(name, text)
    if name == "docs/tour.md":
        yield from check_functions(name, text)


def _wrong(*lines, name="a.md"):
    return list(check(name, "\n".join(lines)))


def check_the_checks():
    """Each of them finds what it is there to find."""
    good = ("# Title", "", "<!-- run: vm -->", "", "    vm# echo a", "    a", "",
            "<!-- text -->", "", "```", "words", "```", "[a](#title)")
    assert not _wrong(*good), _wrong(*good)
    bad = {
        "nothing says": ("", "    make test"),
        "no place": ("<!-- run: moon -->", "", "    make test"),
        "looks like a command": ("<!-- text -->", "", "    make test"),
        "knows no key": ("<!-- run: host key=q -->", "", "    make test"),
        "why": ("<!-- run: dry -->", "", "    make test"),
        "no such target": ("<!-- run: dry why=long -->", "", "    make everything"),
        "knows no --moon": ("<!-- run: dry why=long -->", "", "    vm/run --moon -- true"),
        "pddgpu has no": ("<!-- run: dry why=long -->", "", "    cat a | pddgpu moon"),
        "not found": ("<!-- run: dry why=long -->", "", "    true && no-such-command"),
        "there is no b.md": ("[a](b.md)",),
        "b.svg is not kept": ("![b](pictures/b.svg)",),
        "b.svg is not shown": ("<!-- run: vm key=q picture=b.svg -->", "", "    vm# a"),
        "no heading": ("[a](#b)",),
    }
    for said, lines in bad.items():
        assert any(said in line for line in _wrong(*lines)), (said, _wrong(*lines))
    tour = ("`pddgpu_bo_create()` is in `pddgpu_bo.c`.", "", "`no_such()` in `pddgpu_bo.c`.",
            "", "`a.c`")
    assert _wrong(*tour, name="docs/tour.md") == [
        "docs/tour.md: no_such() is in none of: pddgpu_bo.c", "docs/tour.md: there is no a.c"]
