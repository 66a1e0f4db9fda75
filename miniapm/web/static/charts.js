// Draws the charts of a page from the tables under them, and the deploys of their list as flags.
// Times are told by the server, in the page's zone; here they are only seconds and labels.
"use strict";

(() => {
  const SECOND = 1e6;
  // from the middle of a flag to where the next may begin: of one deploy, of several, with a mark
  const ROOM = { one: 10, several: 12, marked: 20 };
  const MOST_NAMED = 8;
  const HEIGHT = 170;
  const narrow = matchMedia("(max-width: 720px)");
  let drawn = [];

  // One group: charts over the same steps.
  function readGroup(box) {
    const [since, until, step] = ["since", "until", "step"].map((name) => box.dataset[name] / SECOND);
    const xs = [];
    // what a step tells stands in its middle: what came after a deploy is then right of its line
    for (let at = since; at < until; at += step) xs.push(at + step / 2);
    const ticks = [...box.querySelectorAll(".ticks li")].map((li) => ({ at: li.dataset.at / SECOND, label: li.textContent }));
    const markers = [...box.querySelectorAll(".markers li")].map((li) => ({ at: li.dataset.at / SECOND, item: li, badness: badness(li) })).reverse();
    return { since, until, step, xs, ticks, markers };
  }

  // A table's columns, one value for each step: null where it has no row or an empty cell.
  function readTable(figure, group) {
    const heads = [...figure.querySelectorAll("thead th")].slice(1);
    const columns = heads.map(() => new Array(group.xs.length).fill(null));
    const labels = new Array(group.xs.length).fill(null);
    for (const row of figure.querySelectorAll("tbody tr")) {
      const time = row.querySelector("time");
      const index = Math.round((Date.parse(time.dateTime) / 1000 - group.since) / group.step);
      labels[index] = time.textContent;
      columns.forEach((column, i) => {
        const text = row.cells[i + 1].textContent;
        column[index] = text === "" ? null : Number(text);
      });
    }
    return { heads, columns, labels };
  }

  const FORMATS = {
    "ms": (value) => (value >= 1000 ? `${trim(value / 1000)} s` : `${trim(value)} ms`),
    "%": (value) => `${trim(value)} %`,
  };
  const trim = (value) => String(Number(value.toPrecision(3)));
  const group3 = (value) => (value >= 1000 ? Math.round(value).toLocaleString("en") : trim(value));

  function draw(figure, group, sync) {
    const { heads, columns, labels } = readTable(figure, group);
    const plot = figure.querySelector(".plot");
    if (heads.length === 0) return;
    const style = getComputedStyle(figure);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const tell = FORMATS[figure.dataset.unit] || group3;
    const axis = { stroke: colour("soft"), font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
    const series = heads.map((head) => ({
      label: head.textContent,
      stroke: colour(`series-${head.dataset.style}`),
      fill: head.dataset.style === "fill" ? colour("series-under") : undefined,
      width: 1.5,
      dash: head.dataset.style === "loud" && heads.length > 1 ? [4, 3] : undefined,
      points: { show: true, size: 4, filter: alone },
      value: (u, value) => (value == null ? "\u2013" : tell(value)),
    }));
    const u = new uPlot({
      width: plot.clientWidth,
      height: HEIGHT,
      padding: [18, 6, 0, 0],
      scales: {
        x: { time: false, range: [group.since, group.until] },
        y: { range: (_, low, high) => [0, top(high, figure.dataset.unit)] },
      },
      axes: [
        { ...axis, size: 26, splits: (self) => thin(group, self.width).map((t) => t.at), values: (_, at) => at.map((t) => labelOf(group, t)) },
        { ...axis, size: 62, space: 34, values: (_, values) => values.map(tell) },
      ],
      series: [{ label: "Time", value: (_, __, ___, index) => (index == null ? "" : labels[index] || "no data") }, ...series],
      cursor: { y: false, sync: { key: sync, setSeries: false }, drag: { x: true, y: false, setScale: false, dist: 8 } },
      legend: { markers: { width: 2 }, mount: (_, legend) => figure.querySelector(".legend").replaceChildren(legend) },
      hooks: { setSelect: [(self) => zoom(self, group)], setSize: [() => flag(u, group)] },
    }, [group.xs, ...columns], plot);
    flag(u, group);
    const resized = new ResizeObserver(() => {
      if (plot.clientWidth !== u.width) u.setSize({ width: plot.clientWidth, height: HEIGHT });
    });
    resized.observe(plot);
    drawn.push({ u, clear: () => { resized.disconnect(); u.destroy(); } });
  }

  // A value between two gaps is no line: it stands as a dot.
  function alone(u, index) {
    const values = u.data[index];
    return values.flatMap((value, i) => (value != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
  }

  function top(high, unit) {
    if (!high) return unit === "%" ? 1 : 10;
    return unit === "%" ? Math.min(100, high * 1.15) : high * 1.15;
  }

  // As many labels as there is room for, whole days first.
  function thin(group, width) {
    const every = Math.ceil(group.ticks.length / Math.max(2, (width - 62) / 64));
    const first = Math.max(0, group.ticks.findIndex((tick) => !tick.label.includes(":")));
    const edge = group.until - (group.until - group.since) * 22 / (width - 62);
    return group.ticks.filter((tick, i) => (i - first) % every === 0 && tick.at < edge);
  }
  const labelOf = (group, at) => group.ticks.find((tick) => tick.at === at)?.label ?? "";

  // A drag shows what it covered, in whole steps.
  let leaving = false;
  function zoom(u, group) {
    if (leaving || u.select.width < 8) return;
    leaving = true;
    const [left, right] = [u.select.left, u.select.left + u.select.width].map((place) => u.posToVal(place, "x"));
    const begin = group.since + Math.floor((left - group.since) / group.step) * group.step;
    const end = group.since + Math.ceil((right - group.since) / group.step) * group.step;
    const to = new URL(location.href);
    to.searchParams.delete("range");
    to.searchParams.set("from", iso(begin));
    to.searchParams.set("to", iso(Math.max(end, begin + 60)));
    location.assign(to);
  }
  const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  addEventListener("pageshow", () => { leaving = false; });

  // Deploys: a line and a flag each; those that would cover each other share a flag with a count.
  function flag(u, group) {
    u.over.querySelectorAll(".flag").forEach((old) => old.remove());
    const stacks = [];
    for (const marker of group.markers) {
      let stack = [{ ...marker, left: u.valToPos(marker.at, "x") }];
      // what grows into the one before it takes that in, too
      while (stacks.length && cover(stacks.at(-1), stack)) stack = [...stacks.pop(), ...stack];
      stacks.push(stack);
    }
    for (const stack of stacks) raise(u, group, stack);
  }

  const middle = (stack) => (stack[0].left + stack.at(-1).left) / 2;
  const room = (stack) => (stack.length === 1 ? ROOM.one : stack.some(isBad) ? ROOM.marked : ROOM.several);
  const cover = (before, after) => middle(after) - middle(before) <= room(before) + room(after);

  function raise(u, group, stack) {
    for (const { left, item } of stack) u.over.append(element("span", `flag line ${item.className}`, left));
    const one = stack.length === 1;
    const left = middle(stack);
    const worst = one ? null : findWorst(stack);
    const pole = element("span", `flag ${one ? stack[0].item.className : `several ${worst.css}`}`, left);
    if (left > u.over.clientWidth / 2) pole.classList.add("late");
    const link = document.createElement("a");
    link.className = "cloth";
    link.draggable = false;
    link.href = one ? stack[0].item.querySelector("a").href : within(stack[0], group, stack);
    link.textContent = one ? "" : stack.length;
    link.setAttribute("aria-label", one ? stack[0].item.textContent : `${stack.length} deploys${worst.words}`);
    const note = document.createElement("span");
    note.className = "note";
    for (const { item } of worstFirst(stack).slice(0, MOST_NAMED)) {
      const line = document.createElement("span");
      line.className = item.className;
      line.append(...[...item.childNodes].map((node) => node.cloneNode(true)));
      note.append(line);
    }
    if (stack.length > MOST_NAMED) {
      const more = document.createElement("a");
      more.href = link.href;
      more.textContent = `and ${stack.length - MOST_NAMED} more`;
      note.append(more);
    }
    pole.append(link, note);
    // for keyboards and readers there is the list under the charts
    pole.querySelectorAll("a").forEach((a) => { a.tabIndex = -1; });
    u.over.append(pole);
  }

  // What a stack must not hide: the worst among its deploys, as a shape and in words.
  const BAD = [
    [".regressed:not(.dismissed)", "regressed", "regressed"],
    [".failed, .timed_out", "failed", "failed"],
  ];
  const badness = (item) => BAD.findIndex(([selector]) => item.matches(selector)) >>> 0;
  const isBad = (marker) => marker.badness < BAD.length;
  const worstFirst = (stack) => [...stack].reverse().sort((a, b) => a.badness - b.badness);
  function findWorst(stack) {
    for (const [index, [, css, word]] of BAD.entries()) {
      const count = stack.filter((marker) => marker.badness === index).length;
      if (count) return { css, words: `, ${count} ${word}` };
    }
    return { css: "", words: "" };
  }

  function element(tag, name, left) {
    const made = document.createElement(tag);
    made.className = name;
    made.style.left = `${Math.round(left)}px`;
    return made;
  }

  // The timeline of a stack: the page's filters, from its first deploy to its last.
  function within(first, group, stack) {
    const to = new URL(first.item.querySelector("a").href);
    to.pathname = to.pathname.replace(/\/[^/]*$/, "");
    to.searchParams.delete("range");
    to.searchParams.set("from", iso(Math.floor(first.at)));
    to.searchParams.set("to", iso(Math.floor(stack.at(-1).at) + 1));
    return to.href;
  }

  function drawAll() {
    // a cursor stays where it is
    const { left = -1, top: height = -1 } = drawn[0]?.u.cursor ?? {};
    for (const { clear } of drawn) clear();
    drawn = [];
    document.querySelectorAll(".charts").forEach((box, number) => {
      const group = readGroup(box);
      for (const figure of box.querySelectorAll(".chart")) draw(figure, group, `charts${number}`);
    });
    if (left >= 0) drawn[0]?.u.setCursor({ left, top: height }, true, true);
  }

  // What ends now goes on: looked at again after a while, unless somebody is reading closely.
  function poll() {
    const seconds = Number(document.querySelector("[data-poll]")?.dataset.poll);
    if (!seconds) return;
    setTimeout(() => {
      const busy = document.hidden || document.querySelector(".chart details[open], .markers[open], .chart:hover, .chart :focus");
      Promise.resolve(busy ? null : refresh()).then(poll);
    }, seconds * 1000);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  document.addEventListener("swapped", drawAll);
  drawAll();
  poll();
})();
