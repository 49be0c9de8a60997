// SPDX-License-Identifier: MIT
// The flame graph: who allocates, through which functions, down to the label.

const ROW = 22;

// From [parent, kind, name, bytes, leaked, objects], parents first
function flameTree(nodes) {
  const all = nodes.map(([parent, kind, name, bytes, leaked, objects], place) =>
    ({ place, parent: null, from: parent, kind, name, bytes, leaked, objects, children: [] }));
  for (const node of all) {
    if (node.from < 0)
      continue;
    node.parent = all[node.from];
    node.parent.children.push(node);
  }
  return all;
}

function nodeName(node) {
  switch (node.kind) {
  case "all":
    return "all";
  case "others":
    return "other processes";
  case "smaller":
    return number(node.count) + " smaller";
  case "unknown":
    return "place not known";
  case "label":
    return "\u201c" + visible(node.name) + "\u201d";
  case "process":
    return visible(node.name) || "nobody";
  default:
    return visible(node.name);
  }
}

const KINDS = { all: "everything", process: "process", others: "those that there was no room for",
  smaller: "too small to be drawn here", user: "the program\u2019s function",
  kernel: "the kernel\u2019s function", label: "label", unknown: "no place is known" };

function measure(view, value) {
  return view.mode === "objects" ? count(value, "buffer") : size(value);
}

// All that is too small, as one
function smaller(nodes, parent) {
  const sum = (what) => nodes.reduce((all, node) => all + node[what], 0);
  return { kind: "smaller", name: "", count: nodes.length, parent, children: [], bytes: sum("bytes"),
    leaked: sum("leaked"), objects: sum("objects") };
}

// What is to be drawn of a tree when one box of it fills the width: [node, row, left, width]
function flameBoxes(view) {
  const boxes = [];
  const above = [];
  for (let node = view.zoom; node; node = node.parent)
    above.unshift(node);
  above.forEach((node, row) => boxes.push({ node, row, left: 0, width: 1 }));
  const least = 1.5 / Math.max(200, view.width);
  const walk = (node, row, left, width) => {
    const whole = Math.max(node[view.mode], node.children.reduce((sum, c) => sum + c[view.mode], 0));
    const children = node.children.filter((c) => c[view.mode]).sort((a, b) => b[view.mode] - a[view.mode]);
    let at = left;
    for (const child of children) {
      const share = child[view.mode] / whole * width;
      if (share < least) {
        const rest = children.slice(children.indexOf(child));
        boxes.push({ node: smaller(rest, child.parent), row, left: at, width: rest.reduce((sum, c) =>
          sum + c[view.mode], 0) / whole * width });
        break;
      }
      boxes.push({ node: child, row, left: at, width: share });
      walk(child, row + 1, at, share);
      at += share;
    }
  };
  walk(view.zoom, above.length, 0, 1);
  return boxes;
}

function pathOf(node) {
  const path = [];
  for (; node; node = node.parent)
    path.unshift(node);
  return path;
}

function describe(view, node) {
  const whole = view.all[0][view.mode];
  return el("span", null, el("strong", null, el("bdi", null, nodeName(node))), " \u2014 " + KINDS[node.kind] +
    "; leaked " + size(node.leaked) + " of " + size(node.bytes) + " in " + count(node.objects, "buffer") +
    (whole ? "; " + percent(node[view.mode], whole) + " of all" : ""));
}

function flameBox(view, box, act) {
  const { node, row, left, width } = box;
  const name = nodeName(node);
  const above = row < pathOf(view.zoom).length - 1;
  const matches = view.search && name.toLowerCase().includes(view.search);
  const narrow = width * view.width <= 26;
  const item = el("div", { role: "treeitem", tabindex: "-1", "aria-level": String(row + 1),
    class: "f-" + node.kind + (above ? " above" : "") + (matches ? " match" : "") + (narrow ? " narrow" : ""),
    "aria-label": name + ", " + measure(view, node[view.mode]),
    "aria-expanded": node.children.length ? "true" : null,
    onclick: () => act.zoom(node), onfocus: () => act.tell(node), onpointerenter: () => act.tell(node),
  }, narrow ? null : el("bdi", null, name));
  item.style.left = left * 100 + "%";
  item.style.width = Math.max(0.1, width * 100 - 100 / Math.max(200, view.width)) + "%";
  item.style.top = row * ROW + "px";
  box.item = item;
  return item;
}

function keyTarget(view, box, key) {
  const same = view.boxes.filter((other) => other.row === box.row).sort((a, b) => a.left - b.left);
  const at = same.indexOf(box);
  switch (key) {
  case "ArrowRight":
    return same[at + 1];
  case "ArrowLeft":
    return same[at - 1];
  case "ArrowDown":
    return view.boxes.find((other) => other.node.parent === box.node && other.row === box.row + 1) ||
      view.boxes.find((other) => other.row === box.row + 1);
  case "ArrowUp":
    return view.boxes.find((other) => other.node === box.node.parent);
  case "Home":
    return view.boxes[0];
  default:
    return undefined;
  }
}

function crumbs(view, act) {
  const path = pathOf(view.zoom);
  if (path.length === 1 && path[0].children.length)
    return [el("span", { class: "hint" }, "Click a box, or move with the arrow keys and press Enter, to look closer.")];
  return path.map((node, i) => [i ? " \u203a " : null, i === path.length - 1 ?
    el("strong", null, el("bdi", null, nodeName(node))) :
    el("button", { type: "button", onclick: () => act.zoom(node) }, el("bdi", null, nodeName(node)))]).flat();
}

function flameKeys(view, area, act) {
  area.addEventListener("keydown", (event) => {
    const box = view.boxes.find((one) => one.item === document.activeElement);
    if (!box)
      return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      act.zoom(box.node, true);
    } else if (event.key === "Escape") {
      act.zoom(view.all[0], true);
    } else {
      const target = keyTarget(view, box, event.key);
      if (!target)
        return;
      event.preventDefault();
      act.move(target);
    }
  });
}

function flameControls(view, act) {
  const modes = choices("Widths", [["leaked", "Leaked"], ["bytes", "All bytes"], ["objects", "Buffers"]],
    view.mode, (value) => {
      view.mode = value;
      act.paint();
    });
  const search = el("input", { type: "search", placeholder: "Find a function", "aria-label": "Find a function",
    oninput: (event) => {
      view.search = event.target.value.trim().toLowerCase();
      act.paint();
    } });
  return [search, modes];
}

function flamePanel(card) {
  const all = flameTree(card.flame);
  const view = { all, zoom: all[0], mode: all[0].leaked ? "leaked" : "bytes", width: 0, search: "", boxes: [] };
  const where = el("div", { class: "crumbs" });
  const area = el("div", { class: "flame", role: "tree", "aria-label": "Flame graph of places that allocate" });
  const details = el("p", { class: "details", "aria-live": "polite" });
  const act = {
    paint() {
      if (!view.width)
        return;
      view.boxes = flameBoxes(view);
      area.replaceChildren(...view.boxes.map((box) => flameBox(view, box, act)));
      area.style.height = (Math.max(...view.boxes.map((box) => box.row)) + 1) * ROW + "px";
      (view.boxes.find((box) => box.node === view.zoom) || view.boxes[0]).item.tabIndex = 0;
      where.replaceChildren(...crumbs(view, act).filter((part) => part));
      details.replaceChildren(view.zoom[view.mode] ? describe(view, view.zoom) :
        "Nothing of that kind: choose another width.");
    },
    zoom(node, keep) {
      if (node.kind === "smaller")
        return;
      const focused = keep || area.contains(document.activeElement);
      view.zoom = node;
      act.paint();
      if (focused)
        view.boxes.find((box) => box.node === node).item.focus();
    },
    tell(node) {
      details.replaceChildren(describe(view, node));
    },
    move(box) {
      view.boxes.forEach((one) => {
        one.item.tabIndex = one === box ? 0 : -1;
      });
      box.item.focus();
    },
  };
  const { node, body } = panel("Leaks by place", flameControls(view, act));
  body.append(where, area, details, legend([["f-key-process", "process", null, null],
    ["f-key-user", "the program\u2019s functions", null, null], ["f-key-kernel", "the kernel\u2019s", null, null],
    ["f-key-label", "label", null, null]], null));
  if (!all.some((one) => one.kind === "user"))
    body.append(el("p", { class: "hint" }, "The program\u2019s own functions are not known: root switches call stacks on with ",
      el("code", null, "echo 1 > /sys/module/pddgpu/parameters/leak_stacks"), "."));
  if (card.flame_more)
    body.append(el("p", { class: "hint" }, "There are more places than are shown; the widths count them all."));
  flameKeys(view, area, act);
  return { node, start: () => whenSized(area, (width) => {
    view.width = width;
    act.paint();
  }) };
}
