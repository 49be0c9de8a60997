# SPDX-License-Identifier: MIT
"""Takes the blocks of code out of a document, with what the comment before each says.

A comment is one of

    <!-- run: PLACE [WORD=VALUE...] -->   commands, and where they are run; see README.md
    <!-- file: NAME -->                   a file that commands after it use
    <!-- text -->                         no commands

Lines with a prompt are commands, and the others then what these print; without any
prompt all lines are commands.
"""
import re
import shlex

PROMPT = re.compile(r"(vm# |\$ |> )(.*)")
COMMENT = re.compile(r"<!-- (run|file|text)(?:: (.+?))? -->$")
FENCE = re.compile(r" {0,3}```(\w*)\s*$")


class Block:
    """A block of code."""

    def __init__(self, doc, number, language, lines, comment):
        self.doc, self.number, self.language, self.lines = doc, number, language, lines
        self.kind, words = comment or (None, "")
        self.words = shlex.split(words or "")
        if self.kind == "run" and self.words:
            self.place = self.words[0]
            self.acts = [tuple(word.split("=", 1)) for word in self.words[1:]]
        else:
            self.place, self.acts = None, []

    def __str__(self):
        return f"{self.doc}:{self.number}"

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    def has_prompts(self):
        return any(PROMPT.match(line) for line in self.lines)

    def steps(self):
        """(lines of a command, lines that it is to print) each."""
        if not self.has_prompts():
            return [([line for line in self.lines if line], [])]
        found = []
        for line in self.lines:
            match = PROMPT.match(line)
            if match and match.group(1) == "> " and found and not found[-1][1]:
                found[-1][0].append(match.group(2))
            elif match and match.group(1) != "> ":
                found.append(([match.group(2)], []))
            elif found:
                found[-1][1].append(line)
            else:
                raise ValueError(f"{self}: what printed this? {line}")
        return found

    def commands(self):
        return [line for lines, _ in self.steps() for line in lines]


def _dedent(lines):
    while lines and not lines[-1]:
        lines.pop()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return [line[margin:] for line in lines]


def _fenced(lines, at, margin):
    """The lines up to the closing fence, and the place behind it."""
    end = at
    while end < len(lines) and lines[end].strip() != "```":
        end += 1
    return [line[min(margin, len(line) - len(line.lstrip())):] for line in lines[at:end]], end + 1


def _indented(lines, at):
    end = at
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
        end += 1
    return _dedent([line.rstrip() for line in lines[at:end]]), end


def blocks(doc, text):
    """All of them, in order. doc is what it is called in complaints."""
    lines, at, comment, blank = text.splitlines(), 0, None, True
    while at < len(lines):
        line, number = lines[at], at + 1
        fence = FENCE.match(line)
        if fence:
            inside, at = _fenced(lines, at + 1, len(line) - len(line.lstrip()))
            yield Block(doc, number, fence.group(1), inside, comment)
            comment = None
            continue
        if blank and line.startswith("    ") and line.strip():
            inside, at = _indented(lines, at)
            yield Block(doc, number, "", inside, comment)
            comment, blank = None, True
            continue
        match = COMMENT.match(line.strip())
        if match:
            comment = match.groups()
        elif line.strip():
            comment = None
        blank = not line.strip() or bool(match)
        at += 1
