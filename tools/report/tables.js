// SPDX-License-Identifier: MIT
// What is rated how and why; who has what; what has happened.

const FIRST_ROWS = 20;

// Columns: { name, class, cell(row), key(row) }; key: what to sort by, the most first
function sortedTable(columns, rows, all, what) {
  const state = { by: null, up: false, shown: FIRST_ROWS, rows };
  const body = el("tbody");
  const more = el("div", { class: "more" });
  const heads = columns.map((column) => el("th", { scope: "col", class: /^n( |$)/.test(column.class || "") ? column.class : null },
    column.key ? el("button", { type: "button", onclick: () => {
      state.up = state.by === column && !state.up;
      state.by = column;
      paint();
    } }, column.name) : column.name));
  const ordered = () => {
    if (!state.by)
      return state.rows;
    const list = state.rows.map((row) => [state.by.key(row), row]);
    const compare = (a, b) => typeof a === "string" ? a.localeCompare(b) : b - a;
    list.sort((a, b) => compare(a[0], b[0]) * (state.up ? -1 : 1));
    return list.map((pair) => pair[1]);
  };
  function paint() {
    const list = ordered();
    heads.forEach((head, i) => {
      if (columns[i] === state.by)
        head.setAttribute("aria-sort", state.up ? "ascending" : "descending");
      else
        head.removeAttribute("aria-sort");
    });
    body.replaceChildren(...list.slice(0, state.shown).map((row) => el("tr", null, columns.map((column) => {
      const cell = column.cell(row);
      return el("td", { class: (column.class || "") + (cell === null ? " none" : ""), "data-name": column.name },
        cell === null ? null : el("span", null, cell));
    }))));
    more.replaceChildren();
    if (list.length > state.shown)
      more.append(el("button", { class: "plain-button", type: "button", onclick: () => {
        state.shown = Infinity;
        paint();
      } }, "Show " + number(list.length - state.shown) + " more"));
    else if (all > rows.length)
      more.append(el("span", { class: "hint" }, "and " + number(all - rows.length) + " more " + what));
    if (!list.length)
      more.append(el("p", { class: "empty" }, "None."));
  }
  paint();
  return {
    node: el("div", null, el("div", { class: "scroll" }, el("table", { class: "stack" },
      el("thead", null, el("tr", null, heads)), body)), more),
    filter(keep) {
      state.rows = rows.filter(keep);
      paint();
    },
  };
}

function frameItem([kind, text]) {
  return el("li", { class: "code " + kind + "-frame" }, theirs(text));
}

// Of a file only its name
function shortPlace(text) {
  return text.startsWith("/") ? text.replace(/^[^ ]*\/(?=[^/ ])/, "") : text;
}

function placeCell(card, group) {
  const site = group.site === null ? null : card.sites[group.site];
  if (!site || !site.frames.length)
    return "not known";
  const text = el("span", { class: "code" }, theirs(shortPlace(site.frames[site.main][1])));
  if (site.frames.length === 1)
    return text;
  return el("details", null, el("summary", null, text), el("ol", null, site.frames.map(frameItem)));
}

function whoCell(one) {
  return [ownerText(one), one.label ? [el("br"), el("span", { class: "sub" }, "\u201c", theirs(one.label), "\u201d")] : null];
}

function groupsPanel(card) {
  const columns = [
    { name: "Rating", cell: (g) => badge(g.rating, g.leak), key: (g) => g.rating, class: "badge-cell" },
    { name: "Owner, label", cell: whoCell, key: (g) => g.comm, class: "owner" },
    { name: "Place", cell: (g) => placeCell(card, g), class: "place" },
    { name: "Leaked", cell: (g) => g.leaked_bytes ? size(g.leaked_bytes) : null, key: (g) => g.leaked_bytes, class: "n" },
    { name: "All", cell: (g) => size(g.bytes), key: (g) => g.bytes, class: "n" },
    { name: "Buffers", cell: (g) => number(g.objects), key: (g) => g.objects, class: "n" },
    { name: "A minute", cell: (g) => g.per_minute ? "+" + size(g.per_minute) : null, key: (g) => g.per_minute, class: "n" },
    { name: "Oldest", cell: (g) => time(g.oldest_ms), key: (g) => g.oldest_ms, class: "n old" },
    { name: "Why", cell: (g) => visible(g.why), class: "why" },
  ];
  const table = sortedTable(columns, card.groups, card.groups_all, "groups, which have less");
  const state = { text: "", leaks: "all" };
  const refilter = () => table.filter((g) => (state.leaks === "all" || g.leak) && (!state.text ||
    [g.comm, g.label, g.pid, g.rating, g.why, ...(g.site === null ? [] : card.sites[g.site].frames.map((f) => f[1]))]
      .some((part) => String(part === null ? "" : part).toLowerCase().includes(state.text))));
  const { node, body } = panel("What is a leak, and why", el("input", { type: "search", placeholder: "Find",
    "aria-label": "Find in the table", oninput: (event) => {
      state.text = event.target.value.trim().toLowerCase();
      refilter();
    } }), choices("Which groups", [["all", "All"], ["leaks", "Leaks"]], "all", (value) => {
    state.leaks = value;
    refilter();
  }));
  node.classList.add("long");
  body.append(table.node);
  return { node };
}

function ownersPanel(card) {
  const sum = (o) => o.vram + o.gtt + o.cpu;
  const columns = [
    { name: "Owner", cell: (o) => [swatch(ownerClass(card.owners.indexOf(o))), " ", ownerText(o)], key: (o) => o.comm, class: "owner" },
    { name: "", cell: (o) => o.alive === false ? "exited" : null },
    { name: "VRAM", cell: (o) => size(o.vram), key: (o) => o.vram, class: "n" },
    { name: "GTT", cell: (o) => size(o.gtt), key: (o) => o.gtt, class: "n" },
    { name: "System", cell: (o) => size(o.cpu), key: (o) => o.cpu, class: "n" },
    { name: "Buffers", cell: (o) => o.objects ? number(o.objects) : null, key: (o) => o.objects, class: "n" },
    { name: "Most at once", cell: (o) => size(o.peak), key: (o) => o.peak, class: "n" },
    { name: "Change", cell: (o) => sum(o) === o.first ? "\u2014" : (sum(o) > o.first ? "+" : "") + size(sum(o) - o.first),
      key: (o) => sum(o) - o.first, class: "n" },
  ];
  const { node, body } = panel("Who has memory");
  node.classList.add("long");
  body.append(sortedTable(columns, card.owners, card.owners_all, "owners, which had less").node);
  return { node };
}

// The same with what is theirs kept apart
function logNodes(line) {
  const text = logText(line);
  const name = whose(line);
  if (!line.comm || !text.startsWith(name))
    return text;
  return [ownerText(line), line.label ? [" \u201c", theirs(line.label), "\u201d"] : null, text.slice(name.length)];
}

function whose(line) {
  return ownerName(line) + (line.label ? " \u201c" + visible(line.label) + "\u201d" : "");
}

function logText(line) {
  const much = count(line.objects, "buffer") + ", " + size(line.bytes);
  switch (line.event) {
  case "alert":
    return "Leak alert: " + size(line.bytes) + " in use, over the threshold of " + size(line.threshold);
  case "clear":
    return "The leak alert is over: " + size(line.bytes) + " in use, the threshold is " + size(line.threshold);
  case "wedged":
    return "The card is wedged: it could not be reset";
  case "added":
    return "The card has come";
  case "removed":
    return "The card has gone";
  case "lost":
    return "Too much happened at once; some of it is not here";
  case "rating":
    return whose(line) + ": from " + line.from + " to " + line.to + "; " + much;
  case "unfreed":
    return whose(line) + " left the kernel something to free: " + much;
  case "aged":
    return count(line.objects, "buffer is", "buffers are") + " past the age at which it is suspicious";
  default:
    return line.event;
  }
}

const LOG_KINDS = { alert: ["alert", "c-bad"], clear: ["over", "c-good"], wedged: ["wedged", "c-bad"],
  added: ["card", "c-good"], removed: ["card", "c-bad"], lost: ["lost", "c-soft"], unfreed: ["unfreed", "c-soft"],
  aged: ["old", "c-bad"] };

function logBadge(line) {
  if (line.event === "rating")
    return badge(line.to, line.leak);
  const [text, name] = LOG_KINDS[line.event] || [line.event, "c-soft"];
  return el("span", { class: "badge " + name + (name === "c-bad" ? " leak" : "") }, swatch(), text);
}

function logPanel(card) {
  const { node, body } = panel("What happened while it looked");
  node.classList.add("long");
  const columns = [
    { name: "After", cell: (line) => line.ms ? time(line.ms) : "0 s", class: "n" },
    { name: "What", cell: (line) => logBadge(line), class: "badge-cell" },
    { name: "", cell: logNodes, class: "all" },
  ];
  if (card.log.length)
    body.append(sortedTable(columns, card.log, card.log_all, "lines").node);
  else
    body.append(el("p", { class: "empty" }, "Nothing: no alert, no leak that began or ended."));
  return { node };
}
