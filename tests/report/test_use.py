# SPDX-License-Identifier: MIT
"""Using the page: by keyboard alone, and with a pointer."""
from common import chromium, equal, many, page_of

NAME = """(() => {
  const node = document.activeElement;
  return node.getAttribute("aria-label") || node.textContent;
})()"""
TIPS = "[...document.querySelectorAll('.tip')].filter((t) => !t.hidden).map((t) => t.innerText)"


def reach(page, what, most=200):
    """Tab until what is asked for has the focus."""
    for _ in range(most):
        page.key("Tab")
        if page.eval(f"!!document.activeElement.closest({what!r})"):
            return
    raise AssertionError(f"Tab does not lead to {what}")


def test_the_flame_graph_by_keyboard():
    with chromium().open(page_of("leaky")) as page:
        page.eval("document.querySelector('[role=tree]').scrollIntoView()")
        reach(page, "[role=tree]")
        assert page.eval(NAME).startswith("all, ")
        boxes = page.eval("document.querySelectorAll('[role=treeitem]').length")
        page.key("ArrowDown")
        first = page.eval(NAME)
        assert first.startswith("python3, "), first
        page.key("ArrowRight")
        assert page.eval(NAME).startswith("compositor, ")
        page.key("ArrowRight")
        page.key("ArrowLeft")
        page.key("Enter")
        assert page.eval(NAME).startswith("compositor, ")
        inside = page.eval("document.querySelectorAll('[role=treeitem]').length")
        assert 2 < inside < boxes, (inside, boxes)
        assert page.eval("parseFloat(document.activeElement.style.width)") > 99
        assert "leaked" in page.eval("document.querySelector('.details').innerText")
        page.key("ArrowUp")
        page.key("Enter")
        equal(page.eval("document.querySelectorAll('[role=treeitem]').length"), boxes)
        page.key("ArrowDown")
        page.key("Enter")
        page.key("Escape")
        equal(page.eval("document.querySelectorAll('[role=treeitem]').length"), boxes)
        equal(page.complaints(), [])


def test_the_flame_graph_by_pointer():
    with chromium().open(page_of("leaky")) as page:
        page.eval("document.querySelectorAll('[role=treeitem].f-process')[1].click()")
        crumbs = page.eval("document.querySelector('.crumbs').innerText")
        assert "all" in crumbs and "compositor" in crumbs, crumbs
        page.eval("document.querySelector('.crumbs button').click()")
        equal(page.eval("document.querySelectorAll('.crumbs button').length"), 0)
        page.eval("""(() => {
          const field = document.querySelector("input[aria-label='Find a function']");
          field.value = "LIBTRAIN";
          field.dispatchEvent(new Event("input"));
        })()""")
        equal(page.eval("[...document.querySelectorAll('.match')].every((n) => "
                        "n.innerText.includes('libtrain'))"), True)
        assert page.eval("document.querySelectorAll('.match').length") >= 2
        widths = ("[...document.querySelectorAll('[role=treeitem].f-process')].map((n) => "
                  "n.textContent)")
        equal(page.eval(widths), ["python3", "compositor", "player"])
        page.eval("[...document.querySelectorAll('.switch button')].find((b) => "
                  "b.textContent === 'All bytes').click()")
        assert "game" in page.eval(widths)
        equal(page.complaints(), [])


def test_the_chart():
    with chromium().open(page_of("leaky")) as page:
        page.eval("document.querySelector('svg.chart').scrollIntoView({ block: 'center' })")
        reach(page, ".draw[role=group]")
        page.key("End")
        tip = page.eval(TIPS)
        equal(len(tip), 1)
        assert tip[0].startswith("5\u00a0min") and "game (2101)" in tip[0].replace("\u00a0", " "), tip
        page.key("Home")
        assert page.eval(TIPS)[0].startswith("0")
        page.key("ArrowRight")
        assert page.eval(TIPS)[0].startswith("1\u00a0s")
        page.key("Escape")
        equal(page.eval(TIPS), [])
        box = page.eval("(() => { const b = document.querySelector('svg.chart')"
                        ".getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")
        page.move(box[0] + box[2] / 2, box[1] + box[3] / 2)
        equal(len(page.eval(TIPS)), 1)
        page.move(1, 1)
        equal(page.eval(TIPS), [])
        for name in ("VRAM", "GTT", "System", "By rating", "By owner"):
            page.eval(f"[...document.querySelectorAll('.switch button')].find((b) => "
                      f"b.textContent === '{name}').click()")
            assert page.eval("document.querySelectorAll('svg.chart path.area').length") >= 1, name
        equal(page.complaints(), [])


def test_the_map():
    count = """(() => { const c = document.querySelector("canvas");
      const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(c, 0, 0);
      const { data } = copy.getImageData(0, 0, c.width, c.height);
      let n = 0; for (let i = 0; i < data.length; i += 4)
        n += data[i] === 0 && data[i + 1] === 0x72 && data[i + 2] === 0xb2; return n; })()"""
    with chromium().open(page_of("leaky")) as page:
        page.eval("document.querySelector('canvas').scrollIntoView({ block: 'center' })")
        reach(page, "canvas")
        page.key("ArrowRight")
        tip = page.eval(TIPS)
        assert len(tip) == 1 and "kernel" in tip[0], tip
        for _ in range(12):
            page.key("ArrowDown")
        assert page.eval(TIPS) != tip
        page.key("End")
        assert "free" in page.eval(TIPS)[0], page.eval(TIPS)
        page.key("Escape")
        before = page.eval(count)
        assert before > 1000, before
        # Another owner is looked at alone: this one is pale now
        page.eval("[...document.querySelectorAll('.keys button')].find((b) => "
                  "b.textContent.startsWith('compositor')).click()")
        page.settle()
        equal(page.eval(count), 0)
        equal(page.eval("document.querySelectorAll('.keys button[aria-pressed=true]').length"), 2)
        assert page.eval("document.querySelectorAll('svg.chart .dim').length") >= 3
        page.eval("[...document.querySelectorAll('.keys button')].find((b) => "
                  "b.textContent.startsWith('compositor')).click()")
        page.settle()
        equal(page.eval(count), before)
        page.eval("[...document.querySelectorAll('.switch button')].find((b) => "
                  "b.textContent === 'By state').click()")
        page.settle()
        equal(page.eval(count), 0)
        equal(page.complaints(), [])


def names(page, table):
    return page.eval(f"[...document.querySelectorAll('table')][{table}].querySelectorAll('tbody tr').length")


def test_the_tables():
    column = ("[...document.querySelectorAll('table')[0].querySelectorAll('tbody tr')].map((r) => "
              "r.querySelector('.owner').innerText.split('\\n')[0])")
    with chromium().open(page_of("leaky")) as page:
        all_rows = names(page, 0)
        assert all_rows >= 6
        page.eval("[...document.querySelectorAll('.switch button')].find((b) => "
                  "b.textContent === 'Leaks').click()")
        equal(names(page, 0), 3)
        page.eval("[...document.querySelectorAll('.switch button')].filter((b) => "
                  "b.textContent === 'All').pop().click()")
        page.eval("[...document.querySelectorAll('th button')].find((b) => "
                  "b.textContent === 'Owner, label').click()")
        found = page.eval(column)
        equal(found, sorted(found))
        equal(page.eval("document.querySelector('th[aria-sort]').textContent"), "Owner, label")
        page.eval("""(() => {
          const field = document.querySelector("input[aria-label='Find in the table']");
          field.value = "libtrain";
          field.dispatchEvent(new Event("input"));
        })()""")
        equal({name.split("\u00a0")[0] for name in page.eval(column)}, {"python3"})
        page.eval("document.querySelector('td.place details').open = true")
        stack = page.eval("document.querySelector('td.place ol').innerText")
        assert "pddgpu_gem_create_ioctl" in stack and "libtrain" in stack
        equal(page.complaints(), [])


def test_many_rows():
    with chromium().open(many()) as page:
        equal(names(page, 0), 20)
        page.eval("document.querySelector('.more button').click()")
        equal(names(page, 0), 400)
        assert "more groups" in page.eval("document.querySelector('.more').innerText")
        equal(page.complaints(), [])
