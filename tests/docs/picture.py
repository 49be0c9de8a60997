# SPDX-License-Identifier: MIT
"""A terminal's screen as SVG."""
from xml.sax.saxutils import escape

# A character's place, in pixels
WIDTH, HEIGHT, MARGIN = 8, 17, 10
BACKGROUND, FOREGROUND = "#1c1c1c", "#d0d0d0"
COLOURS = {"black": "#000000", "red": "#d75f5f", "green": "#87af5f", "brown": "#d7af5f",
           "blue": "#5f87d7", "magenta": "#af87d7", "cyan": "#5fafaf", "white": "#d0d0d0"}
BRIGHT = {"black": "#808080", "red": "#ff8787", "green": "#afd787", "brown": "#ffd787",
          "blue": "#87afff", "magenta": "#d7afff", "cyan": "#87d7d7", "white": "#ffffff"}


def _colour(name, default, bold):
    if name == "default":
        return "#ffffff" if bold and default == FOREGROUND else default
    name = name.replace("bright", "")
    if name in COLOURS:
        return (BRIGHT if bold else COLOURS)[name]
    return f"#{name}"


def _style(cell):
    fg = _colour(cell.fg, FOREGROUND, cell.bold)
    bg = _colour(cell.bg, BACKGROUND, False)
    return (bg, fg, cell.bold) if cell.reverse else (fg, bg, cell.bold)


def _runs(row, columns):
    """(column, text, style) of what looks alike."""
    start, text, style = 0, "", None
    for column in range(columns):
        cell = row[column]
        if _style(cell) != style:
            if text:
                yield start, text, style
            start, text, style = column, "", _style(cell)
        text += cell.data or " "
    yield start, text, style


def _draw(y, column, text, style):
    fg, bg, bold = style
    x, width = MARGIN + column * WIDTH, len(text) * WIDTH
    if bg != BACKGROUND:
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" fill="{bg}"/>'
    if text.strip():
        lead = len(text) - len(text.lstrip())
        text = text.strip()
        yield (f'<text x="{x + lead * WIDTH}" y="{y + 13}" textLength="{len(text) * WIDTH}" '
               f'fill="{fg}"{" font-weight=" + chr(34) + "bold" + chr(34) if bold else ""}>'
               f'{escape(text)}</text>')


def svg(screen):
    """A pyte screen as a document; empty lines at its end are left out."""
    rows = [number for number, line in enumerate(screen.display) if line.strip()]
    last = (rows or [0])[-1] + 1
    width, height = (screen.columns * WIDTH + 2 * MARGIN, last * HEIGHT + 2 * MARGIN)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="monospace" font-size="13.3" '
             'xml:space="preserve">',
             f'<rect width="{width}" height="{height}" rx="6" fill="{BACKGROUND}"/>']
    for number in range(last):
        for column, text, style in _runs(screen.buffer[number], screen.columns):
            lines += _draw(MARGIN + number * HEIGHT, column, text, style)
    return "\n".join(lines + ["</svg>", ""])
