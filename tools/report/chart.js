// SPDX-License-Identifier: MIT
// Memory through time: areas on top of each other.

const REGIONS = { all: ["vram", "gtt", "cpu"], vram: ["vram"], gtt: ["gtt"], cpu: ["cpu"] };

function sumOf(part, regions, length) {
  const sums = new Array(length).fill(0);
  for (const region of regions)
    (part[region] || []).forEach((value, i) => {
      sums[i] += value;
    });
  return sums;
}

// [{ name, class, place, values }], the first at the bottom
function layers(card, by, where) {
  const { ms, series, rated } = card.time;
  if (by === "rating")
    return Object.entries(rated).map(([name, values]) =>
      ({ text: name, class: ratingClass(name), place: null, values }))
      .filter((layer) => layer.values.some((v) => v));
  return series.map((one) => ({
    text: one.owner === null ? "others" : ownerText(card.owners[one.owner]),
    class: ownerClass(one.owner), place: one.owner,
    values: sumOf(one, REGIONS[where], ms.length),
  })).filter((layer) => layer.values.some((v) => v));
}

// Four to eight round steps; bytes in powers of two
function byteSteps(most) {
  let step = 4096;
  while (most / step > 6)
    step *= 2;
  return step;
}

const TIME_STEPS = [100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5,
  216e5, 432e5, 864e5];

function timeStep(span, most) {
  return TIME_STEPS.find((step) => span / step <= most) || Math.ceil(span / most / 864e5) * 864e5;
}

function areaPath(xs, low, high) {
  const there = xs.map((x, i) => x.toFixed(1) + "," + high[i].toFixed(1));
  const back = xs.map((x, i) => x.toFixed(1) + "," + low[i].toFixed(1)).reverse();
  return "M" + there.join("L") + "L" + back.join("L") + "Z";
}

const HEIGHT = 280;
const FRAME = { left: 66, right: 14, top: 12, bottom: 30 };

function axes(root, scale, width) {
  const step = byteSteps(scale.most);
  for (let value = 0; value <= scale.most; value += step) {
    const y = scale.y(value);
    root.append(svg("line", { class: "grid", x1: FRAME.left, x2: width - FRAME.right, y1: y, y2: y }),
      svg("text", { x: FRAME.left - 8, y: y + 4, "text-anchor": "end" }, size(value)));
  }
  const span = scale.last || 1;
  const gap = timeStep(span, Math.max(2, Math.floor(width / 110)));
  for (let t = 0; t <= span; t += gap)
    root.append(svg("text", { x: scale.x(t), y: HEIGHT - 8,
      "text-anchor": t ? scale.x(t) > width - 40 ? "end" : "middle" : "start" }, t ? time(t) : "0"));
}

const MARKS = { alert: "c-bad", clear: "c-good", wedged: "c-bad", removed: "c-bad",
  unfreed: "c-soft", aged: "c-bad" };

function eventMarks(root, card, scale) {
  let drawn = -10;
  for (const line of card.log) {
    const mark = line.event === "rating" ? (line.leak ? "c-bad" : "c-good") : MARKS[line.event];
    const x = scale.x(Math.min(line.ms, scale.last));
    // Those that cannot be told apart are in the log
    if (!mark || x - drawn < 3)
      continue;
    drawn = x;
    root.append(svg("g", { class: mark },
      svg("line", { class: "mark", x1: x, x2: x, y1: FRAME.top, y2: HEIGHT - FRAME.bottom }),
      svg("path", { class: "flag", d: `M${x - 4},${HEIGHT - FRAME.bottom + 7}h8l-4,-7z` },
        svg("title", null, time(line.ms) + ": " + logText(line)))));
  }
}

function limits(card, where, most) {
  const regions = REGIONS[where];
  const total = sumOf(Object.fromEntries(regions.map((r) => [r, [card.regions[r].total]])), regions, 1)[0];
  return where === "vram" || where === "gtt" ? (total && total <= most * 2.2 ? total : 0) : 0;
}

function chartScale(card, list, used, where, width) {
  const { ms } = card.time;
  const sums = ms.map((_, i) => list.reduce((sum, layer) => sum + layer.values[i], 0));
  let most = Math.max(1, ...sums, ...used);
  const limit = limits(card, where, most);
  most = Math.max(most * 1.06, limit * 1.03);
  const last = ms[ms.length - 1] || 0;
  return {
    most, limit, last, sums,
    x: (t) => FRAME.left + (last ? t / last : 1) * (width - FRAME.left - FRAME.right),
    y: (v) => HEIGHT - FRAME.bottom - v / most * (HEIGHT - FRAME.top - FRAME.bottom),
  };
}

function chartTip(card, list, used, at) {
  const rows = list.map((layer) => ({ layer, value: layer.values[at] }))
    .filter((row) => row.value).sort((a, b) => b.value - a.value);
  const cut = rows.slice(0, 9);
  const name = (layer) => typeof layer.text === "string" ? layer.text : layer.text.cloneNode(true);
  const sum = rows.reduce((s, row) => s + row.value, 0);
  return [el("strong", null, time(card.time.ms[at])), el("table", null,
    cut.map(({ layer, value }) => el("tr", null,
      el("td", null, swatch(layer.class), name(layer)), el("td", null, size(value)))),
    rows.length > cut.length ? el("tr", null, el("td", null, "and " + (rows.length - cut.length) +
      " more"), el("td")) : null,
    el("tr", null, el("td", null, "all of these"), el("td", null, size(sum))),
    used.length && used[at] ? el("tr", null, el("td", null, "used, says the card"),
      el("td", null, size(used[at]))) : null)];
}

// The nearest point to a place on the picture
function nearest(ms, scale, x) {
  let best = 0;
  ms.forEach((t, i) => {
    if (Math.abs(scale.x(t) - x) < Math.abs(scale.x(ms[best]) - x))
      best = i;
  });
  return best;
}

function drawAreas(root, list, scale, ms, focus) {
  const xs = ms.map(scale.x);
  let low = ms.map(() => 0);
  // A single look is a stripe
  if (xs.length === 1)
    xs.unshift(FRAME.left);
  const stretch = (values) => values.length < xs.length ? [values[0], ...values] : values;
  for (const layer of list) {
    const high = low.map((v, i) => v + layer.values[i]);
    root.append(svg("path", {
      class: "area " + layer.class + (focus.place !== null && layer.place !== focus.place ? " dim" : ""),
      d: areaPath(xs, stretch(low).map(scale.y), stretch(high).map(scale.y)),
    }));
    low = high;
  }
}

function timeLine(values, scale, ms) {
  return "M" + ms.map((t, i) => scale.x(t).toFixed(1) + "," + scale.y(values[i]).toFixed(1)).join("L");
}

// Moving over the picture, or with the arrow keys
function crosshair(view, draw, card) {
  const { ms } = card.time;
  let at = null;
  const tip = tooltip(draw);
  const line = svg("line", { class: "cross", y1: FRAME.top, y2: HEIGHT - FRAME.bottom });
  const show = (i, y) => {
    at = Math.max(0, Math.min(ms.length - 1, i));
    const x = view.scale.x(ms[at]);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    view.root.append(line);
    tip.show(x, y, chartTip(card, view.list, view.used, at));
  };
  const hide = () => {
    at = null;
    line.remove();
    tip.hide();
  };
  draw.addEventListener("pointermove", (event) => {
    const box = draw.getBoundingClientRect();
    if (view.scale)
      show(nearest(ms, view.scale, event.clientX - box.left), event.clientY - box.top + 16);
  });
  draw.addEventListener("pointerleave", hide);
  draw.addEventListener("blur", hide);
  draw.addEventListener("keydown", (event) => {
    const jump = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 };
    if (event.key === "Escape")
      hide();
    if (!(event.key in jump) || !view.scale)
      return;
    event.preventDefault();
    show((at === null ? (event.key === "ArrowLeft" ? ms.length : -1) : at) + jump[event.key], 30);
  });
}

function timePanel(card, focus) {
  const { ms, rated } = card.time;
  const view = { by: "owner", where: "all", width: 0 };
  const draw = el("div", { class: "draw", tabindex: "0", role: "group",
    "aria-label": "Memory through time; arrow keys read it point by point" });
  const keys = el("div");
  const paint = () => {
    if (!view.width)
      return;
    const where = view.by === "rating" ? "all" : view.where;
    view.list = layers(card, view.by, where);
    view.used = sumOf(card.time.used, REGIONS[where], ms.length);
    if (view.used.every((v) => !v))
      view.used = [];
    view.scale = chartScale(card, view.list, view.used, where, view.width);
    const root = svg("svg", { class: "chart", viewBox: `0 0 ${view.width} ${HEIGHT}`, role: "img",
      "aria-label": "Memory through time by " + view.by });
    axes(root, view.scale, view.width);
    drawAreas(root, view.list, view.scale, ms, focus);
    if (view.used.length && ms.length > 1)
      root.append(svg("path", { class: "used", d: timeLine(view.used, view.scale, ms) }));
    if (view.scale.limit) {
      const y = view.scale.y(view.scale.limit);
      root.append(svg("path", { class: "limit", d: `M${FRAME.left},${y}H${view.width - FRAME.right}` }),
        svg("text", { class: "limit-name", x: view.width - FRAME.right, y: y + 15, "text-anchor": "end" },
          "all there is: " + size(view.scale.limit)));
    }
    eventMarks(root, card, view.scale);
    if (view.root)
      view.root.remove();
    view.root = root;
    draw.prepend(root);
    keys.replaceChildren(legend(view.list.map((layer) =>
      [layer.class, layer.text, layer.values[ms.length - 1], layer.place]), focus));
    if (view.used.length)
      keys.append(el("p", { class: "hint" }, "Dotted: what the card says is used; more than the areas is the " +
        "driver\u2019s own, or of who is not seen. Click a name to look at that one alone."));
  };
  const where = choices("Which memory", [["all", "All"], ["vram", "VRAM"], ["gtt", "GTT"], ["cpu", "System"]],
    "all", (value) => {
      view.where = value;
      paint();
    });
  const by = rated ? choices("By", [["owner", "By owner"], ["rating", "By rating"]], "owner", (value) => {
    view.by = value;
    where.hidden = value === "rating";
    paint();
  }) : null;
  const { node, body } = panel("Memory through time", by, where);
  body.append(draw, keys);
  focus.watch(paint);
  crosshair(view, draw, card);
  return { node, start: () => whenSized(draw, (width) => {
    view.width = width;
    paint();
  }) };
}
