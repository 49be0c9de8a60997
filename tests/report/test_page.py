# SPDX-License-Identifier: MIT
"""How a browser shows the page: that it is drawn, fits, can be read, and asks for nothing."""
import os
import re

from common import QUICK, SCRATCH, chromium, equal, many, page_of, recording, run, scratch, shot

WIDTHS = (1200, 400)
READY = "document.documentElement.dataset.ready"

# What is drawn, as counts
DRAWN = """(() => ({
  areas: [...document.querySelectorAll("svg.chart path.area")].filter((p) =>
    p.getBBox().width > 50 && p.getBBox().height >= 1).length,
  maps: [...document.querySelectorAll("canvas")].filter((c) => {
    const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(c, 0, 0);
    const { data } = copy.getImageData(0, 0, c.width, c.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4)
      seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    return seen.size >= 2 && data[3];
  }).length,
  flames: document.querySelectorAll("[role=treeitem]").length,
  rows: document.querySelectorAll("tbody tr").length,
  badges: document.querySelectorAll("tbody .badge").length,
}))()"""

# Texts that are hard to read: contrast under 4.5, or 3 where they are large
PALE = """(() => {
  const colour = (text) => {
    const p = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    p.fillStyle = text;
    p.fillRect(0, 0, 1, 1);
    return [...p.getImageData(0, 0, 1, 1).data];
  };
  const behind = (node) => {
    const layers = [];
    for (; node; node = node.parentElement) {
      const c = colour(getComputedStyle(node).backgroundColor);
      if (c[3])
        layers.push(c);
      if (c[3] === 255)
        break;
    }
    return layers.reverse().reduce((low, c) => low.map((v, i) =>
      v + (c[i] - v) * c[3] / 255), [255, 255, 255]);
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) =>
    v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  let seen = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.getClientRects().length ||
        node.closest("script, style, title"))
      continue;
    seen++;
    const style = getComputedStyle(node);
    const back = behind(node);
    const alpha = node.closest(".above") ? 0.6 : 1;
    const front = colour(node instanceof SVGElement ? style.fill : style.color)
      .map((v, i) => i < 3 ? v * alpha + back[i] * (1 - alpha) : v);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 ||
      (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 600);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5))
      pale.push(walker.currentNode.data.trim().slice(0, 30) + " " +
        ((a + 0.05) / (b + 0.05)).toFixed(2));
  }
  return seen > 20 ? pale : ["only " + seen + " texts"];
})()"""

# What sticks out to the right, but for what can be scrolled by itself
WIDE = """[...document.querySelectorAll("body *")].filter((node) =>
  node.getBoundingClientRect().right > innerWidth + 1 && !node.closest(".scroll, .orders, .sr, thead, .flame"))
  .map((node) => node.tagName + "." + node.className).slice(0, 5)"""


def quiet(page):
    equal(page.complaints(), [])
    equal(page.requests(), [])


def opened(path, name, wanted):
    """At each width and in each scheme; what is drawn is at least that."""
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            with chromium().open(path, width, dark=scheme == "dark") as page:
                equal(page.eval(READY), "yes")
                page.settle()
                drawn = page.eval(DRAWN)
                for what, least in wanted.items():
                    assert drawn[what] >= least, (name, width, scheme, drawn)
                equal(page.eval("document.documentElement.scrollWidth > innerWidth"), False)
                equal(page.eval(WIDE), [])
                equal(page.eval(PALE), [])
                shot(page, f"{name}-{width}-{scheme}")
                quiet(page)


def test_leaky():
    opened(page_of("leaky"), "leaky", {"areas": 5, "maps": 2, "flames": 12, "rows": 15,
                                       "badges": 10})


def test_a_hundred_thousand():
    opened(many(), "many", {"areas": 1, "maps": 2, "flames": 20, "rows": 40, "badges": 20})


def test_widths_between():
    """Nothing is cut off, or has to be scrolled to, at any width."""
    for width in (320, 640, 800, 925, 1000, 1090, 1920):
        with chromium().open(page_of("leaky"), width) as page:
            page.settle()
            equal(page.eval("document.documentElement.scrollWidth > innerWidth"), False)
            equal(page.eval("[...document.querySelectorAll('.scroll')].filter((n) => "
                            "n.scrollWidth > n.clientWidth + 1).map((n) => innerWidth + ': ' + "
                            "n.scrollWidth + ' in ' + n.clientWidth)"), [])


def test_clean():
    with chromium().open(page_of("clean")) as page:
        assert "No leak is seen" in page.eval("document.querySelector('.headline').innerText")
        shot(page, "clean")
        quiet(page)


def headline(path):
    with chromium().open(path) as page:
        quiet(page)
        return page.eval("document.querySelector('.headline').innerText").replace("\u00a0", " ")


def test_it_does_not_say_more_than_it_knows():
    path = scratch("short.html")
    run("--for", "10s", "-o", path, worlds="clean")
    said = headline(path)
    assert "No leak is seen yet" in said and "10 s is a short time" in said, said
    assert "grown by" in said, said
    run("--for", "0", "-o", path, worlds="many", program=QUICK)
    assert "a single look is a short time" in headline(path)
    run("--for", "0", "-o", path, worlds="old")
    equal(headline(path), "No buffer is older than buffers usually get.")
    said = headline(page_of("leaky"))
    assert re.match(r"\u25b2 \d+ buffers of [\d.]+ MiB are leaks", said), said
    assert "python3 (3310), \u201cworkspace\u201d" in said and "VRAM is full in" in said, said


def test_several_cards():
    path = scratch("several.html")
    run("--for", "60s", "-o", path, worlds="leaky,empty,denied")
    with chromium().open(path) as page:
        equal(page.eval("document.querySelectorAll('nav a').length"), 3)
        equal(page.eval("document.querySelectorAll('section.card').length"), 3)
        assert "Permission denied" in page.eval("document.getElementById('card2').innerText")
        shot(page, "several")
        quiet(page)


def test_others_that_know_less():
    for world in ("old", "user", "empty", "gone"):
        with chromium().open(page_of(world), 400) as page:
            equal(page.eval(READY), "yes")
            equal(page.eval(WIDE), [])
            shot(page, world)
            quiet(page)


def test_a_recording():
    path = scratch("shown.html")
    run("--from", recording(scratch("shown.rec")), "-o", path, worlds="")
    with chromium().open(path) as page:
        equal(page.eval(DRAWN)["areas"], 2)
        text = page.eval("document.body.innerText")
        assert "<b>grows</b>" in text and "0000:03:00.0" in text and "amdgpu" in text
        shot(page, "recording")
        quiet(page)


def test_hostile():
    """What others wrote is shown as what it is, and does nothing."""
    with chromium().open(page_of("hostile")) as page:
        equal(page.eval(READY), "yes")
        page.settle()
        equal(page.eval("document.title"), "GPU memory report")
        equal(page.eval("document.querySelectorAll('script').length"), 2)
        equal(page.eval("document.querySelectorAll('img, iframe, b, object, link, base').length"), 0)
        text = page.eval("document.body.innerText")
        for there in ("</script><scrip", "<!--<script>", "\\u{202e}live\\u{202c}",
                      "\\u{1b}[31mred\\u{7}", "&lt;&amp;", "\\u{2028}", "__proto__",
                      "\u05e9\u05dc\u05d5\u05dd"):
            assert there in text, there
        shown = page.eval("document.body.textContent")
        for gone in ("\u202e", "\x1b", "\x07", "\u2028"):
            equal(page.eval(f"[...document.querySelectorAll('main *')].some((n) => "
                            f"n.children.length === 0 && n.textContent.includes("
                            f"String.fromCodePoint({ord(gone)})))"), False)
        assert shown
        shot(page, "hostile")
        quiet(page)
    with chromium().open(page_of("hostile"), scripts=False) as page:
        equal(page.eval("document.title"), "GPU memory report")
        equal(page.eval("document.querySelectorAll('img').length"), 0)


def test_nothing_else_runs():
    """The policy lets in neither a script nor a request that gets into the page."""
    with open(page_of("leaky"), encoding="utf-8") as file:
        text = file.read()
    path = os.path.join(SCRATCH, "injected.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("</footer>", "</footer><script>document.title='in'</script>"
                                "<img src='https://example.org/x.png' onerror=\"document.title='in'\">"
                                "<style>body { display: none }</style>"
                                "<link rel=stylesheet href='https://example.org/x.css'>"))
    with chromium().open(path) as page:
        equal(page.eval("document.title"), "GPU memory report")
        equal(page.eval("getComputedStyle(document.body).display"), "block")
        equal(page.eval(READY), "yes")
        said = " ".join(page.complaints())
        for what in ("script-src", "style-src", "img-src"):
            assert what in said, said


def test_without_scripts():
    with chromium().open(page_of("leaky"), scripts=False) as page:
        text = page.eval("document.querySelector('main').innerText")
        for there in ("orphaned", "workspace", "compositor (pid 1404)", "VRAM",
                      "are taken for leaks"):
            assert there in text, there
        equal(page.eval("document.querySelectorAll('svg, canvas').length"), 0)
        equal(page.eval(PALE), [])
        shot(page, "without-scripts")
        equal(page.requests(), [])


def test_print():
    with chromium().open(page_of("leaky"), dark=True) as page:
        page.browser.call("Emulation.setEmulatedMedia", media="print")
        page.settle()
        # Ink is for what is drawn
        equal(page.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        equal(page.eval("getComputedStyle(document.querySelector('.switch')).display"), "none")
        equal(page.eval(PALE), [])
        path = scratch("page.pdf")
        page.pdf(path)
        with open(path, "rb") as file:
            assert file.read(5) == b"%PDF-"
        assert os.path.getsize(path) > 20000
        quiet(page)
