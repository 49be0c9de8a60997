// SPDX-License-Identifier: MIT
// What lies where: cells on a canvas, since there may be very many.

const STATES = ["live", "orphan", "zombie", "kernel", "free", "clearing", "unknown"];
const REGION_NAMES = { vram: "VRAM", gtt: "GTT", cpu: "System" };
const OTHERS = -8;

function keyClass(key) {
  return key >= 0 ? ownerClass(key) : key === OTHERS ? "rest" : STATES[-1 - key] || "unknown";
}

function keyText(card, key) {
  return key >= 0 ? ownerText(card.owners[key]) : key === OTHERS ? "others" : STATES[-1 - key] || "unknown";
}

// From key, fullness and how many alike to two arrays by cell
function unpack(runs) {
  let length = 0;
  for (let i = 2; i < runs.length; i += 3)
    length += runs[i];
  const keys = new Int32Array(length);
  const full = new Uint8Array(length);
  for (let i = 0, at = 0; i < runs.length; i += 3) {
    keys.fill(runs[i], at, at + runs[i + 2]);
    full.fill(runs[i + 1], at, at + runs[i + 2]);
    at += runs[i + 2];
  }
  return { keys, full };
}

function colourReader(node) {
  const style = getComputedStyle(node);
  const known = {};
  return (name) => {
    if (!(name in known))
      known[name] = style.getPropertyValue("--" + name).trim() || "#888";
    return known[name];
  };
}

function paintCells(canvas, view, focus, cursor) {
  const { keys, full } = view.cells;
  const rows = Math.ceil(keys.length / view.columns);
  const dpr = Math.min(3, window.devicePixelRatio || 1);
  const cell = view.width / view.columns;
  // Not higher than is easy to look at
  const height = Math.max(3, Math.min(10, Math.round(cell * 1.2), Math.floor(260 / rows)));
  canvas.width = Math.round(view.width * dpr);
  canvas.height = Math.round(rows * height * dpr);
  canvas.style.height = rows * height + "px";
  view.height = height;
  const context = canvas.getContext("2d");
  const colour = colourReader(canvas);
  context.scale(dpr, dpr);
  const alike = (a, b) => keys[a] === keys[b] && full[a] === full[b];
  for (let row = 0; row < rows; row++) {
    const end = Math.min(keys.length, (row + 1) * view.columns);
    for (let from = row * view.columns, to; from < end; from = to) {
      for (to = from + 1; to < end && alike(from, to); to++);
      const key = keys[from];
      const x = (from - row * view.columns) * cell;
      const shown = focus.place === null || view.by !== "owner" || key === focus.place;
      const shade = full[from] ? 0.25 + full[from] * 0.1875 : 1;
      const box = [x, row * height, (to - from) * cell + 0.3, height - (height > 4 ? 1 : 0)];
      context.globalAlpha = 1;
      context.fillStyle = colour("free");
      context.fillRect(...box);
      context.globalAlpha = key === -5 ? 1 : shown ? shade : shade * 0.18;
      context.fillStyle = colour(keyClass(key));
      context.fillRect(...box);
    }
  }
  context.globalAlpha = 1;
  if (cursor !== null) {
    context.strokeStyle = colour("text");
    context.lineWidth = 2;
    context.strokeRect(cursor % view.columns * cell - 1, Math.floor(cursor / view.columns) * height - 1,
      cell + 2, height + 2);
  }
}

// The cells around one that show the same
function runAround(keys, at) {
  let from = at;
  let to = at;
  while (from > 0 && keys[from - 1] === keys[at])
    from--;
  while (to + 1 < keys.length && keys[to + 1] === keys[at])
    to++;
  return [from, to + 1];
}

function cellTip(card, region, view, at) {
  const { keys, full } = view.cells;
  const [from, to] = runAround(keys, at);
  const words = ["free", "less than a quarter used", "less than half used", "mostly used", "used"];
  const row = (name, value) => el("tr", null, el("td", null, name), el("td", null, value));
  return [el("strong", null, swatch(keyClass(keys[at])), keyText(card, keys[at])), el("table", null,
    row("at", size(at * region.cell_bytes)),
    row("this piece", words[keys[at] <= -5 && keys[at] > OTHERS ? 0 : full[at]] || "used"),
    row("alike around it", size(Math.min((to - from) * region.cell_bytes, region.size))))];
}

function mapFigures(region) {
  const row = (name, value) => el("div", null, el("dt", null, name), el("dd", null, value));
  return el("dl", { class: "figures" },
    row("used", size(region.size - region.free) + " of " + size(region.size)),
    row("free", size(region.free) + " in " + count(region.free_blocks, "block")),
    row("largest block", size(region.largest_block)),
    row("largest piece", size(region.largest_run)),
    row("fragmentation", (region.fragmentation * 100).toFixed(1) + "\u00a0%"));
}

function freeChart(region) {
  const most = Math.max(1, ...region.orders.map((order) => order[1]));
  if (!region.orders.length)
    return null;
  return el("div", null, el("p", { class: "hint" }, "Free blocks, how many of each size:"),
    el("div", { class: "orders", role: "img", tabindex: "0", "aria-label": "Free blocks by size: " +
      region.orders.map(([bytes, blocks]) => blocks + " of " + size(bytes)).join(", ") },
    region.orders.map(([bytes, blocks]) => {
      const bar = el("div");
      bar.style.height = Math.max(2, Math.round(blocks / most * 52)) + "px";
      return el("div", { class: "column" }, number(blocks), bar, size(bytes));
    })));
}

function moveWithKeys(canvas, view, paint, showAt, hide) {
  canvas.addEventListener("keydown", (event) => {
    const jump = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -view.columns, ArrowDown: view.columns,
      Home: -1e9, End: 1e9 };
    if (event.key === "Escape") {
      hide();
      return;
    }
    if (!(event.key in jump))
      return;
    event.preventDefault();
    const last = view.cells.keys.length - 1;
    view.cursor = view.cursor === null ? 0 : Math.max(0, Math.min(last, view.cursor + jump[event.key]));
    paint();
    showAt(view.cursor, view.cursor % view.columns * view.width / view.columns,
      Math.floor(view.cursor / view.columns) * view.height);
  });
}

function regionMap(card, region, focus, view) {
  const cells = { owner: unpack(region.by_owner), state: unpack(region.by_state) };
  const local = { by: "owner", cells: cells.owner, columns: 256, width: 0, height: 0, cursor: null };
  const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": "Map of " +
    REGION_NAMES[region.region] + ": " + size(region.size - region.free) + " of " + size(region.size) +
    " used, fragmentation " + (region.fragmentation * 100).toFixed(1) + " %; arrow keys read it" });
  const draw = el("div", { class: "draw" }, canvas);
  const tip = tooltip(draw);
  const paint = () => {
    local.by = view.by;
    local.cells = cells[view.by];
    if (local.width)
      paintCells(canvas, local, focus, local.cursor);
  };
  const hide = () => {
    tip.hide();
    if (local.cursor !== null) {
      local.cursor = null;
      paint();
    }
  };
  const showAt = (at, x, y) => tip.show(x, y + local.height + 12, cellTip(card, region, local, at));
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / box.width * local.columns);
    const at = Math.floor((event.clientY - box.top) / local.height) * local.columns + column;
    if (at >= 0 && at < local.cells.keys.length)
      showAt(at, event.clientX - box.left, event.clientY - box.top);
    else
      tip.hide();
  });
  canvas.addEventListener("pointerleave", hide);
  canvas.addEventListener("blur", hide);
  moveWithKeys(canvas, local, paint, showAt, hide);
  focus.watch(paint);
  whenRecoloured(paint);
  const node = el("div", null, el("h4", null, REGION_NAMES[region.region]), mapFigures(region), draw,
    freeChart(region));
  return { node, paint, start: () => whenSized(draw, (width) => {
    local.width = width;
    local.columns = width >= 760 ? 256 : 128;
    paint();
  }) };
}

function mapLegend(card, by, focus) {
  const sums = (state) => card.map.reduce((sum, region) => sum + region.states[state], 0);
  const states = STATES.map((name, i) => [name, name, sums(i), null, i]).filter((entry) => entry[2]);
  if (by === "state")
    return legend(states, null);
  const seen = new Set(card.map.flatMap((region) => region.by_owner.filter((_, i) => i % 3 === 0)));
  const owners = card.owners.map((owner, i) => [ownerClass(i), ownerText(owner), owner.vram + owner.gtt, i])
    .filter(([, , , i]) => i < 12 && seen.has(i));
  const rest = [...seen].some((key) => key >= 12 || key === OTHERS) ? [["rest", "others", null, null]] : [];
  return legend([...owners, ...rest, ...states.filter((entry) => entry[4] >= 3)], focus);
}

function mapPanel(card, focus) {
  const view = { by: "owner" };
  const maps = [];
  const keys = el("div");
  const recolour = (value) => {
    view.by = value;
    maps.forEach((map) => map.paint());
    keys.replaceChildren(mapLegend(card, view.by, focus));
  };
  const { node, body } = panel("What lies where", choices("Colours", [["owner", "By owner"], ["state", "By state"]],
    "owner", recolour));
  for (const region of card.map)
    maps.push(regionMap(card, region, focus, view));
  body.append(el("div", { class: "maps" }, maps.map((map) => map.node)), keys);
  recolour("owner");
  return { node, start: () => maps.forEach((map) => map.start()) };
}
