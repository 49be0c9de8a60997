// SPDX-License-Identifier: MIT
// Puts the page together from the document in it.

function tile(what, much, of, more) {
  return el("div", { class: "tile" + (more && more.bad ? " bad" : "") }, el("div", { class: "what" }, what),
    el("div", { class: "much" }, much), of ? el("div", { class: "of" }, of) : null,
    more && more.meter !== undefined ? meter(more.meter) : null);
}

function meter(part) {
  const bar = el("div");
  bar.style.width = Math.max(0, Math.min(100, part * 100)) + "%";
  return el("div", { class: "meter", "aria-hidden": "true" }, bar);
}

function regionTile(card, region) {
  const { total, used } = card.regions[region];
  if (!total && !used)
    return null;
  return tile(REGION_NAMES[region], size(used), total ? "of " + size(total) + ", " + percent(used, total) : null,
    total ? { meter: used / total } : null);
}

function counterTiles(card) {
  if (!card.counters)
    return null;
  const by = Object.fromEntries(card.counters.map((c) => [c.name, c]));
  const meanwhile = (name) => by[name].meanwhile === null ? "\u2014" : number(by[name].meanwhile);
  return [
    tile("Allocations while it looked", meanwhile("allocations"), meanwhile("deallocations") + " freed, " +
      meanwhile("failed allocations") + " failed", { bad: by["failed allocations"].meanwhile > 0 }),
    tile("Evictions while it looked", meanwhile("evictions"), by["bytes moved"].meanwhile === null ? null :
      size(by["bytes moved"].meanwhile) + " moved"),
  ];
}

function tiles(card) {
  const vram = card.map.find((region) => region.region === "vram");
  return el("div", { class: "tiles" }, regionTile(card, "vram"), regionTile(card, "gtt"),
    card.judged ? tile(card.by_age ? "Older than usual" : "Taken for leaks", size(card.leaked_bytes),
      count(card.leaked_objects, "buffer"), { bad: card.leaked_objects > 0 }) : null,
    card.full_ms !== null ? tile("Leaks fill VRAM in", time(card.full_ms), "by " + size(card.per_minute) + " a minute",
      { bad: true }) : null,
    vram ? tile("Fragmentation of VRAM", (vram.fragmentation * 100).toFixed(1) + "\u00a0%",
      "largest free piece " + size(vram.largest_run)) : null,
    counterTiles(card));
}

// Not before two minutes is it likely that a leak would have been seen
const SHORT_MS = 120000;

function noLeak(card, data) {
  const sums = card.time.ms.map((_, i) => card.time.series.reduce((sum, one) =>
    sum + one.vram[i] + one.gtt[i] + one.cpu[i], 0));
  const more = sums.length ? sums[sums.length - 1] - sums[0] : 0;
  const grown = more > 0 && more >= sums[0] / 20 ? " All buffers together have grown by " + size(more) + " meanwhile." : "";
  if (card.by_age)
    return el("p", { class: "headline plain" }, "No buffer is older than buffers usually get." + grown);
  if (data.duration_ms < SHORT_MS)
    return el("p", { class: "headline plain" }, "No leak is seen yet, but " + (data.duration_ms ? time(data.duration_ms) +
      " is" : "a single look is") + " a short time to look." + grown);
  return el("p", { class: "headline " + (grown ? "plain" : "good") }, (grown ? "" : "\u2713 ") + "No leak is seen." + grown);
}

function headline(card, data) {
  if (card.error && !card.time.ms.length)
    return el("p", { class: "headline bad" }, "It could not be looked at: " + visible(card.error) + ".");
  if (!card.judged)
    return null;
  if (!card.leaked_objects)
    return noLeak(card, data);
  const most = card.groups[0];
  const parts = ["\u25b2 " + count(card.leaked_objects, "buffer") + " of " + size(card.leaked_bytes) +
    (card.by_age ? (card.leaked_objects === 1 ? " is" : " are") + " older than buffers usually get." :
      (card.leaked_objects === 1 ? " is a leak" : " are leaks") +
      (card.per_minute ? ", and they grow by " + size(card.per_minute) + " a minute" +
        (card.full_ms !== null ? ": VRAM is full in " + time(card.full_ms) : "") : "") + ".")];
  if (most)
    parts.push(" Most of it is ", ownerText(most), most.label ? [", \u201c", theirs(most.label), "\u201d"] : null,
      ": " + size(most.leaked_bytes) + ".");
  return el("p", { class: "headline bad" }, parts);
}

// All buffers by what they are taken for
function ratingsPanel(card) {
  const there = card.ratings.filter((r) => r.objects);
  const whole = there.reduce((sum, r) => sum + r.bytes, 0);
  if (!whole)
    return null;
  const { node, body } = panel(card.by_age ? "Buffers past the suspicious age" : "All buffers, by rating");
  body.append(el("div", { class: "split", role: "img", "aria-label": there.map((r) => r.rating + ": " + size(r.bytes)).join(", ") },
    there.map((r) => {
      const part = el("div", { class: ratingClass(r.rating), title: r.rating + ": " + size(r.bytes) });
      part.style.flex = r.bytes + " 1 0";
      return part;
    })), el("ul", { class: "keys" }, there.map((r) => el("li", { class: "key" }, swatch(ratingClass(r.rating)),
    r.rating + (r.leak && !card.by_age ? " (leak)" : ""),
    el("span", { class: "much" }, size(r.bytes) + ", " + count(r.objects, "buffer") + ", " + percent(r.bytes, whole))))));
  return { node };
}

function cardSection(data, card, place) {
  const focus = focusOf();
  const parts = [];
  const node = el("section", { id: "card" + place, class: "card", "aria-label": "Card " + visible(card.device) },
    el("h2", null, theirs(card.name || card.device), el("small", null,
      card.name ? [theirs(card.device), " "] : null, card.driver && card.driver !== "pddgpu" ? theirs(card.driver) : null,
      card.gone ? " has gone" : null)),
    headline(card, data));
  if (!card.time.ms.length)
    return { node, start: () => undefined };
  node.append(tiles(card));
  parts.push(ratingsPanel(card), timePanel(card, focus));
  if (card.map.length)
    parts.push(mapPanel(card, focus));
  if (card.flame.length > 1)
    parts.push(flamePanel(card));
  if (card.judged)
    parts.push(groupsPanel(card));
  parts.push(ownersPanel(card), logPanel(card));
  const there = parts.filter((part) => part);
  node.append(...there.map((part) => part.node));
  return { node, start: () => there.forEach((part) => part.start && part.start()) };
}

function madeLine(data) {
  const looked = data.looks > 1 ? count(data.looks, "look") + " in " + time(data.duration_ms) : "one look";
  return [data.recording ? ["From the recording ", theirs(data.recording), " "] : ["On ", theirs(data.host), " "],
    document.getElementById("made").textContent.trim() + "; " + looked];
}

function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const made = document.getElementById("made");
  made.replaceChildren(...madeLine(data).flat(2));
  page.replaceChildren();
  for (const note of data.notes)
    page.append(el("p", { class: "note" }, visible(note)));
  if (data.recording)
    page.append(el("p", { class: "note" }, "A recording tells of memory through time; what leaks, and where, needs a card to look at."));
  const sections = data.cards.map((card, i) => cardSection(data, card, i));
  if (sections.length > 1)
    page.append(el("nav", { "aria-label": "Cards" }, data.cards.map((card, i) =>
      el("a", { href: "#card" + i }, theirs((card.name ? card.name + " " : "") + card.device)))));
  if (!sections.length)
    page.append(el("p", { class: "empty" }, "There was no card."));
  page.append(...sections.map((section) => section.node));
  sections.forEach((section) => section.start());
  document.documentElement.dataset.ready = "yes";
}

main();
