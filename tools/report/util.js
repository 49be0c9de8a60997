// SPDX-License-Identifier: MIT
// What all parts need. Texts of others only ever become text nodes.

const SVG = "http://www.w3.org/2000/svg";

// What cannot be seen, or changes how others look, is shown as what it is
const INVISIBLE = new RegExp("[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e" +
  "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\ufff9-\\ufffb]" +
  "|[\\u{e0000}-\\u{e0fff}]|\\p{Cs}", "gu");

function visible(text) {
  return String(text).replace(INVISIBLE, (c) => {
    const names = { "\n": "\\n", "\t": "\\t" };
    return names[c] || "\\u{" + c.codePointAt(0).toString(16) + "}";
  });
}

// An element, its attributes, and what is in it: texts, elements, lists of those, or null
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false)
      continue;
    if (name.startsWith("on"))
      node.addEventListener(name.slice(2), value);
    else
      node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3))
    if (child !== null && child !== undefined)
      node.append(child);
  return node;
}

function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

// What others wrote: it does not turn around what is beside it
function theirs(text) {
  return el("bdi", null, visible(text));
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  let value = Math.abs(bytes);
  while (value >= 1023.95 && unit < 6) {
    value /= 1024;
    unit++;
  }
  const text = Number.isInteger(value) || !unit ? String(Math.round(value)) : value.toFixed(1);
  return (bytes < 0 ? "\u2212" : "") + text + "\u00a0" + units[unit];
}

function time(ms) {
  const s = Math.floor(ms / 1000);
  if (ms < 1000)
    return Math.round(ms) + "\u00a0ms";
  if (s < 60)
    return (Math.floor(ms / 100) / 10).toString() + "\u00a0s";
  const parts = s < 3600 ? [Math.floor(s / 60), "min", s % 60, "s"] :
    s < 86400 ? [Math.floor(s / 3600), "h", Math.floor(s / 60) % 60, "min"] :
      [Math.floor(s / 86400), "d", Math.floor(s / 3600) % 24, "h"];
  return (parts[2] ? parts : parts.slice(0, 2)).join("\u00a0");
}

function number(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function count(n, one, many) {
  return number(n) + "\u00a0" + (n === 1 ? one : many || one + "s");
}

function percent(part, whole) {
  const p = whole ? part / whole * 100 : 0;
  return (p && p < 9.95 ? p.toFixed(1) : Math.round(p)) + "\u00a0%";
}

function ownerName(owner) {
  if (!owner)
    return "others";
  if (owner.pid === null && !owner.comm)
    return "nobody";
  return visible(owner.comm) + (owner.pid === null ? "" : "\u00a0(" + owner.pid + ")");
}

function ownerText(owner) {
  if (!owner || (owner.pid === null && !owner.comm))
    return ownerName(owner);
  return el("span", null, theirs(owner.comm), owner.pid === null ? null : "\u00a0(" + owner.pid + ")");
}

// The first twelve have colours of their own, in every picture the same
function ownerClass(place) {
  return place !== null && place >= 0 && place < 12 ? "o" + place : "rest";
}

const RATINGS = { "new": "r-new", "in use": "r-use", "cached": "r-cached", "idle": "r-idle",
  "growing while idle": "r-growing", "orphaned": "r-orphaned", "stuck": "r-stuck",
  "suspicious": "r-idle", "confirmed": "r-growing" };

function ratingClass(name) {
  return RATINGS[name] || (name.startsWith("growing") ? "r-growing" : "rest");
}

function badge(name, leak) {
  return el("span", { class: "badge " + ratingClass(name) + (leak ? " leak" : "") },
    swatch(), name);
}

function swatch(name) {
  return el("span", { class: "swatch " + (name || ""), "aria-hidden": "true" });
}

// Buttons of which one is pressed
function choices(label, names, chosen, change) {
  const buttons = names.map(([value, text]) => el("button", { type: "button",
    "aria-pressed": String(value === chosen), onclick: () => {
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === buttons.byValue[value])));
      change(value);
    } }, text));
  buttons.byValue = {};
  names.forEach(([value], i) => {
    buttons.byValue[value] = buttons[i];
  });
  return el("div", { class: "switch", role: "group", "aria-label": label }, buttons);
}

function panel(title, ...controls) {
  const id = "p" + (panel.last = (panel.last || 0) + 1);
  const body = el("div");
  const node = el("section", { class: "panel", "aria-labelledby": id },
    el("div", { class: "bar" }, el("h3", { id }, title), controls), body);
  return { node, body };
}

// Beside the pointer, within its parent
function tooltip(parent) {
  const node = el("div", { class: "tip", "aria-live": "polite" });
  node.hidden = true;
  parent.append(node);
  return {
    show(x, y, ...content) {
      node.replaceChildren(...content.flat(3));
      node.hidden = false;
      const room = parent.clientWidth;
      const width = node.offsetWidth;
      const left = x + 14 + width > room ? Math.max(0, x - width - 14) : x + 14;
      node.style.left = Math.min(left, Math.max(0, room - width)) + "px";
      node.style.top = Math.max(0, y - 10) + "px";
    },
    hide() {
      node.hidden = true;
    },
  };
}

// Calls draw(width) now and whenever the width is another
function whenSized(node, draw) {
  let width = 0;
  const look = () => {
    const now = Math.floor(node.clientWidth);
    if (now && now !== width) {
      width = now;
      draw(width);
    }
  };
  new ResizeObserver(look).observe(node);
  look();
}

// Whoever drew with colours by hand has to again
function whenRecoloured(draw) {
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    window.matchMedia(query).addEventListener("change", draw);
  window.addEventListener("beforeprint", draw);
}

// Which owner is looked at, in all pictures of a card: a place, or null
function focusOf() {
  const listeners = [];
  return {
    place: null,
    set(place) {
      this.place = this.place === place ? null : place;
      listeners.forEach((listener) => listener());
    },
    watch(listener) {
      listeners.push(listener);
    },
  };
}

// A legend: [class, name, bytes, place or null], where a place can be looked at alone
function legend(entries, focus) {
  return el("ul", { class: "keys" }, entries.map(([name, text, bytes, place]) => {
    const parts = [swatch(name), text,
      bytes === null ? null : el("span", { class: "much" }, size(bytes))];
    if (place === null || !focus)
      return el("li", null, el("span", { class: "key" }, parts));
    const button = el("button", { type: "button", title: "Only this one",
      onclick: () => focus.set(place) }, parts);
    const press = () => button.setAttribute("aria-pressed", String(focus.place === place));
    focus.watch(press);
    press();
    return el("li", null, button);
  }));
}
