// What a page does beyond HTML: it listens, copies, and obeys keys. Everything works without it.
"use strict";

const said = document.getElementById("said");
const say = (text) => { said.textContent = text; };

// The browser's time zone, once: the server tells every time in it from then on.
function tellZone() {
  if (/(^|; )tz=/.test(document.cookie)) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `tz=${zone}; path=/; max-age=34560000; samesite=lax${secure}`;
  const kept = /(^|; )tz=/.test(document.cookie);
  const differs = zone !== document.documentElement.dataset.zone;
  if (kept && differs && document.querySelector("time, [data-events]")) location.reload();
}

// Live: when the server says that deploys changed, the regions of this page are fetched again.
const REGIONS = "[data-live]";
let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      swap(fresh);
    }
  } catch { /* the stream comes back when the server does, and says so again */ }
  refreshing = false;
  if (again) { again = false; refresh(); }
}

function swap(fresh) {
  const known = new Set([...document.querySelectorAll("tr[id]")].map((row) => row.id));
  const wasList = document.querySelector(".timeline") !== null || document.querySelector(".empty") !== null;
  const anchor = firstVisibleRow();
  const before = anchor && anchor.getBoundingClientRect().top;
  const focused = document.activeElement;
  const href = focused && focused.getAttribute("href");
  for (const next of fresh.querySelectorAll(REGIONS)) {
    const here = document.querySelector(`[data-live="${next.dataset.live}"]`);
    if (!here) {
      if (next.dataset.live === "filters") document.querySelector("main").before(next);
    } else if (!isInUse(here, next)) {
      here.replaceWith(next);
    }
  }
  if (href && !document.contains(focused)) {
    const same = [...document.querySelectorAll("main a")].find((a) => a.getAttribute("href") === href);
    if (same) same.focus({ preventScroll: true });
  }
  const kept = anchor && document.getElementById(anchor.id);
  if (kept && scrollY > 0) scrollBy(0, kept.getBoundingClientRect().top - before);
  if (wasList) announce([...document.querySelectorAll(".timeline tr[id]")].filter((row) => !known.has(row.id)));
  dress();
  document.dispatchEvent(new Event("swapped"));
}

// What a person is filling in stays as it is.
function isInUse(here, next) {
  if (here.querySelector("details.review[open]")) return true;
  if (here.dataset.live === "form") return here.querySelector("details[open]") !== null;
  if (here.dataset.live !== "filters") return false;
  const typed = here.querySelector("#q").value !== next.querySelector("#q").value;
  return typed || here.contains(document.activeElement);
}

function firstVisibleRow() {
  return [...document.querySelectorAll("tr[id]")].find((row) => row.getBoundingClientRect().top >= 0);
}

function announce(rows) {
  for (const row of rows) row.classList.add("new");
  if (rows.length === 0) return;
  const cells = rows[0].cells;
  const name = cells[2].querySelector("a").textContent;
  const first = `${name} to ${cells[3].textContent.trim()}, ${cells[1].textContent}`;
  say(rows.length === 1 ? `New deploy: ${first}` : `${rows.length} new deploys, the latest ${first}`);
}

function listen() {
  const region = document.querySelector("[data-events]");
  if (!region || !window.EventSource) return;
  const stream = new EventSource(`${region.dataset.events}?seen=${region.dataset.change}`);
  stream.addEventListener("deploys", refresh);
  stream.addEventListener("error", () => {
    // a refusal (busy, signed out) ends the stream for good: look again later
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => refresh().then(listen), 15000);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}
// back from the browser's memory: what happened meanwhile is not on the page
addEventListener("pageshow", (event) => { if (event.persisted) refresh().then(listen); });

// Copying: a button beside what is worth copying; the text can be selected without it.
function copyButton(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await write(text());
      button.textContent = "Copied";
      say("Copied");
    } catch {
      button.textContent = "Select it by hand";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // plain http has no clipboard
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("not copied");
}

let shaButton = null;
function offerSha(event) {
  const row = event.target.closest && event.target.closest("tr[id]");
  const cell = row && row.querySelector("td.rev");
  if (!cell) return;
  if (!shaButton) {
    shaButton = copyButton(() => shaButton.parentElement.dataset.sha);
    shaButton.title = "Copy the commit's sha";
  }
  if (shaButton.parentElement !== cell) cell.append(shaButton);
}
document.addEventListener("mouseover", offerSha);
document.addEventListener("focusin", offerSha);

function dress() {
  for (const place of document.querySelectorAll("[data-copy]")) {
    if (place.querySelector(".copy")) continue;
    const source = place.querySelector("code") || place;
    place.append(copyButton(() => source.textContent));
  }
  drawArcs();
}

// A rollback's arc: from its mark down to the row of the deploy that it put back, if that is near.
const FARTHEST_ROW = 10;
const SVG = "http://www.w3.org/2000/svg";
function drawArcs() {
  document.querySelector(".arcs")?.remove();
  const list = document.querySelector('[data-live="list"]');
  const rows = [...document.querySelectorAll(".timeline tr[id]")];
  if (!list || rows.length === 0) return;
  const origin = list.getBoundingClientRect();
  const paths = [];
  rows.forEach((row, index) => {
    if (!row.querySelector(".kind.rollback")) return;
    const restored = rows.slice(index + 1, index + 1 + FARTHEST_ROW).find((other) => sameLane(row, other) &&
      other.classList.contains("succeeded") && shaOf(other) === shaOf(row));
    if (restored) paths.push(arc(markOf(row, origin), markOf(restored, origin)));
  });
  if (paths.length === 0) return;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "arcs");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("width", "1");
  svg.setAttribute("height", "1");
  svg.append(...paths);
  list.append(svg);
}
const shaOf = (row) => row.querySelector("td.rev").dataset.sha;
const sameLane = (a, b) => a.cells[3].textContent === b.cells[3].textContent && a.cells[4].textContent === b.cells[4].textContent;
function markOf(row, origin) {
  const time = row.cells[0].getBoundingClientRect();
  return [time.right - origin.left + 1, time.top - origin.top + time.height / 2];
}
function arc([x, top], [, bottom]) {
  const path = document.createElementNS(SVG, "path");
  const reach = Math.min(22, 8 + (bottom - top) / 16);
  path.setAttribute("d", `M${x} ${top}C${x - reach} ${top} ${x - reach} ${bottom} ${x} ${bottom}m-4 -3l4 3l-4 3`);
  return path;
}
addEventListener("resize", drawArcs);

// Menus of the filter line obey at once.
document.addEventListener("change", (event) => {
  if (event.target.matches(".filters select")) event.target.form.requestSubmit();
});

// Addresses name only the filters that are set.
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".filters")) return;
  const unset = [...event.target.elements].filter((field) => field.name && !field.value);
  for (const field of unset) field.disabled = true;
  // back on this page, they can be filled in again
  addEventListener("pageshow", () => { for (const field of unset) field.disabled = false; });
});

// Keys.
let went = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const search = document.getElementById("q");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?") {
    showKeys();
  } else if (event.key === "g") {
    went = Date.now();
  } else if (Date.now() - went < 1500) {
    went = 0;
    document.querySelector(`.bar a[data-key="${CSS.escape(event.key)}"]`)?.click();
  }
});

function showKeys() {
  let dialog = document.querySelector("dialog.keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    const heading = document.createElement("h2");
    heading.textContent = "Keys";
    const list = document.createElement("dl");
    const keys = [["/", "Search"], ["?", "This list"], ["Esc", "Close, leave a field"]];
    for (const link of document.querySelectorAll(".bar a[data-key]")) {
      keys.push([`g ${link.dataset.key}`, link.textContent]);
    }
    for (const [key, meaning] of keys) {
      const dt = document.createElement("dt");
      const kbd = document.createElement("kbd");
      const dd = document.createElement("dd");
      kbd.textContent = key;
      dd.textContent = meaning;
      dt.append(kbd);
      list.append(dt, dd);
    }
    const form = document.createElement("form");
    form.method = "dialog";
    const close = document.createElement("button");
    close.textContent = "Close";
    form.append(close);
    dialog.append(heading, list, form);
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}

tellZone();
dress();
listen();
