"use strict";
// Curves in SVG. Drag to zoom, hover or arrow keys to read, the legend hides curves, and each chart
// is a table, too. All charts of a page share a view: the axis, the part shown and the place read.

const AXES = {images_seen: "pictures seen", seconds: "time trained", step: "steps"};
const HEIGHT = 220, LEFT = 52, RIGHT = 12, TOP = 8, BOTTOM = 24, BOLD_OVER = 80;

class View {
  constructor() { Object.assign(this, {axis: "images_seen", range: null, at: null, hidden: new Set(), charts: []}); }
  change(fields) { Object.assign(this, fields); this.draw(); }
  draw() { for (const chart of this.charts) chart.draw(); if (this.onchange) this.onchange(); }
  read(at) { this.at = at; for (const chart of this.charts) chart.read(); }
}

function ticks(low, high, count, units = [1, 2, 5]) {
  const power = 10 ** Math.floor(Math.log10((high - low) / count || 1));
  const step = [...units.map((u) => u * power), 10 * power].find((s) => (high - low) / s <= count) ?? 10 * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

function timeTicks(high) {  // seconds in a unit that a person would choose
  return high > 172800 ? [86400, "d"] : high > 7200 ? [3600, "h"] : high > 120 ? [60, "min"] : [1, "s"];
}

function smoothed(values) {
  const half = Math.floor(values.length / 80), sums = [0], counts = [0];
  values.forEach((v, i) => { sums.push(sums[i] + (v ?? 0)); counts.push(counts[i] + (v !== null)); });
  return values.map((v, i) => {
    const a = Math.max(0, i - half), b = Math.min(values.length, i + half + 1);
    return v === null || counts[b] === counts[a] ? null : (sums[b] - sums[a]) / (counts[b] - counts[a]);
  });
}

class Chart {
  // series: {name, colour, columns, values}, whose columns have a list for each axis
  constructor(title, series, view, share) {
    Object.assign(this, {title, view, share});
    this.series = series.map((s) => ({...s, smooth: s.values.length > BOLD_OVER ? smoothed(s.values) : null}));
    this.svg = h("svg", {class: "plot", tabindex: 0, role: "application", "aria-roledescription": "chart",
      "aria-label": `${title}: ${series.map((s) => s.name).join(", ")}. Left and right read values, plus and` +
        " minus zoom, Escape shows all; a table follows."});
    this.legend = h("div", {class: "legend"});
    this.said = h("p", {class: "hidden", "aria-live": "polite"});
    this.keys = this.series.map((s) => this.key(s));
    this.legend.append(...this.keys.map((key) => key.button));
    const details = h("details", {class: "as-table", ontoggle: () => details.open && this.fill(details)},
      h("summary", {}, "As a table"));
    this.element = h("figure", {class: "chart"}, h("figcaption", {}, bdi(title)), this.legend, this.svg, this.said, details);
    this.listen();
    view.charts.push(this);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  key(series) {
    const value = h("span", {class: "value"});
    const button = h("button", {type: "button", "aria-pressed": String(!this.view.hidden.has(series.name)),
      onclick: () => {
        const hidden = this.view.hidden;
        if (!hidden.delete(series.name)) hidden.add(series.name);
        this.view.draw();
      }}, h("span", {class: `swatch c${series.colour % 8}`}), bdi(series.name), value);
    return {button, value, series};
  }

  get shown() { return this.series.filter((s) => !this.view.hidden.has(s.name)); }
  xs(series) { return series.columns[this.view.axis] ?? []; }

  extent() {
    const ends = this.view.charts.flatMap((c) => c.series).flatMap((s) => [this.xs(s)[0], this.xs(s).at(-1)])
      .filter((x) => x !== undefined);
    const low = Math.min(...ends, 0), high = Math.max(...ends, low + 1e-9);
    return this.view.range ?? [low, high];
  }

  heights(low, high) {  // of the curves between two places: [lowest, highest, logarithmic]
    const values = [];
    for (const s of this.shown) this.xs(s).forEach((x, i) => { const y = s.values[i]; if (y !== null && x >= low && x <= high) values.push(y); });
    if (!values.length) return [0, 1, false];
    values.sort((a, b) => a - b);
    let bottom = values[0], top = values.at(-1);
    const usual = values[Math.floor(values.length * 0.9)];
    if (!this.share && bottom > 0 && top > 30 * usual) return [bottom, top, true];
    if (this.share) return [0, Math.max(1, top), false];
    if (bottom > 0 && bottom < 0.6 * top) bottom = 0;
    if (top < 0 && top > 0.6 * bottom) top = 0;
    const room = (top - bottom || Math.abs(top) || 1) * 0.04;
    return [bottom === 0 ? 0 : bottom - room, top === 0 && bottom < 0 ? 0 : top + room, false];
  }

  draw() {
    const width = this.width = Math.max(160, this.svg.parentElement.clientWidth - 2);
    if (!this.svg.isConnected) return;
    const [low, high] = this.span = this.extent();
    const [bottom, top, log] = this.heights(low, high);
    const scale = log ? Math.log10 : (y) => y;
    this.x = (x) => LEFT + (x - low) / (high - low || 1) * (width - LEFT - RIGHT);
    this.back = (px) => low + (px - LEFT) / (width - LEFT - RIGHT) * (high - low);
    this.y = (y) => HEIGHT - BOTTOM - (scale(y) - scale(bottom)) / (scale(top) - scale(bottom) || 1) * (HEIGHT - TOP - BOTTOM);
    this.svg.replaceChildren(this.grid(low, high, bottom, top, log), ...this.shown.map((s) => this.curve(s, low, high)),
      this.cursor = h("g"), this.band = h("rect", {class: "band", y: TOP, height: HEIGHT - TOP - BOTTOM, width: 0}));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("height", HEIGHT);
    for (const {button, series} of this.keys) button.setAttribute("aria-pressed", String(!this.view.hidden.has(series.name)));
    this.read();
  }

  grid(low, high, bottom, top, log) {
    const g = h("g", {class: "grid", "aria-hidden": "true"});
    const levels = log ? ticks(Math.log10(bottom), Math.log10(top), 5, [1]).map((p) => 10 ** p) : ticks(bottom, top, 5);
    for (const level of levels) {
      g.append(h("line", {x1: LEFT, x2: this.width - RIGHT, y1: this.y(level), y2: this.y(level)}),
        h("text", {x: LEFT - 6, y: this.y(level) + 4, "text-anchor": "end"}, compact(Number(level.toPrecision(6)))));
    }
    const [unit, word] = this.view.axis === "seconds" ? timeTicks(high) : [1, ""];
    for (const place of ticks(low / unit, high / unit, Math.max(2, Math.floor(this.width / 110)))) {
      const x = this.x(place * unit);
      g.append(h("line", {x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4}),
        h("text", {x: Math.min(x, this.width - RIGHT - 8), y: HEIGHT - 6, "text-anchor": "middle"}, `${compact(Number(place.toPrecision(6)))} ${word}`.trim()));
    }
    if (log) g.append(h("text", {x: LEFT + 4, y: TOP + 10}, "logarithmic"));
    return g;
  }

  curve(series, low, high) {
    const xs = this.xs(series), g = h("g", {class: `curve c${series.colour % 8}${series.colour >= 8 ? " dashed" : ""}`});
    const path = (values) => {
      let text = "", pen = "M", last = null;
      xs.forEach((x, i) => {
        const y = values[i], near = x >= low && x <= high || xs[i + 1] >= low && x <= high || xs[i - 1] <= high && x >= low;
        if (y === null || !near) { pen = y === null && near ? pen : "M"; return; }
        const point = `${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`;
        if (point !== last || pen === "M") text += pen + point;
        last = point; pen = "L";
      });
      return text;
    };
    if (series.smooth) g.append(h("path", {class: "faint", d: path(series.values)}));
    g.append(h("path", {d: path(series.smooth ?? series.values)}));
    const points = xs.map((x, i) => [x, series.values[i]]).filter(([x, y]) => y !== null && x >= low && x <= high);
    if (points.length <= 40) for (const [x, y] of points) g.append(h("circle", {cx: this.x(x), cy: this.y(y), r: 2.5}));
    const box = [LEFT - 4, TOP - 4, this.width - LEFT - RIGHT + 8, HEIGHT - TOP - BOTTOM + 8];  // cuts off what is outside
    return h("svg", {x: box[0], y: box[1], width: box[2], height: box[3], viewBox: box.join(" ")}, g);
  }

  nearest(series, place) {  // the index of the value that is nearest to a place, or -1
    let best = -1, xs = this.xs(series);
    xs.forEach((x, i) => { if (series.values[i] !== null && (best < 0 || Math.abs(x - place) < Math.abs(xs[best] - place))) best = i; });
    return best;
  }

  read() {
    const place = this.view.at, axis = this.view.axis;
    this.cursor?.replaceChildren();
    for (const {value, series} of this.keys) {
      const xs = this.xs(series), end = series.values.findLastIndex((v) => v !== null);
      const i = place === null ? end : this.nearest(series, place);
      value.textContent = i < 0 ? "" : number(series.values[i]);
      if (i < 0 || place === null || this.view.hidden.has(series.name) || !this.cursor) continue;
      if (xs[i] >= this.span[0] && xs[i] <= this.span[1]) {
        this.cursor.append(h("circle", {class: `curve c${series.colour % 8} dot`, cx: this.x(xs[i]), cy: this.y(series.values[i]), r: 4}));
      }
    }
    if (place === null || !this.cursor || place < this.span[0] || place > this.span[1]) return;
    const x = this.x(place), right = x > this.width / 2;
    this.cursor.prepend(h("line", {class: "cursor", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM}));
    this.cursor.append(h("text", {class: "place", x: x + (right ? -6 : 6), y: TOP + 10, "text-anchor": right ? "end" : "start"},
      axis === "seconds" ? duration(place) : `${Math.round(place).toLocaleString("en")} ${AXES[axis]}`));
  }

  listen() {
    let start = null;
    const at = (event) => event.clientX - this.svg.getBoundingClientRect().left;
    const inside = (px) => Math.min(Math.max(px, LEFT), this.width - RIGHT);
    const on = (name, act) => this.svg.addEventListener(name, act);
    on("pointerdown", (e) => { if (e.button === 0) { start = inside(at(e)); this.svg.setPointerCapture(e.pointerId); } });
    on("pointermove", (e) => {
      const px = inside(at(e));
      if (start !== null) { this.band.setAttribute("x", Math.min(start, px)); this.band.setAttribute("width", Math.abs(px - start)); }
      this.view.read(this.snap(this.back(px)));
    });
    const end = (e) => {
      const from = start, to = inside(at(e));
      start = null; this.band.setAttribute("width", 0);
      if (e.type === "pointerup" && from !== null && Math.abs(to - from) > 8) {
        this.view.change({range: [this.back(Math.min(from, to)), this.back(Math.max(from, to))]});
      }
    };
    on("pointerup", end); on("pointercancel", end);
    on("pointerleave", () => start === null && this.view.read(null));
    on("blur", () => this.view.read(null));
    on("dblclick", () => this.view.change({range: null}));
    on("keydown", (e) => { if (this.press(e.key, e.shiftKey ? 10 : 1)) e.preventDefault(); });
  }

  places() {
    const xs = [...new Set(this.shown.flatMap((s) => this.xs(s).filter((x, i) => s.values[i] !== null)))];
    return xs.filter((x) => x >= this.span[0] && x <= this.span[1]).sort((a, b) => a - b);
  }

  snap(place) {
    const series = this.shown.filter((s) => this.nearest(s, place) >= 0);
    const found = series.map((s) => this.xs(s)[this.nearest(s, place)]);
    return found.sort((a, b) => Math.abs(a - place) - Math.abs(b - place))[0] ?? place;
  }

  press(key, by) {
    const places = this.places(), [low, high] = this.span;
    const i = this.view.at === null ? -1 : places.findIndex((x) => x >= this.view.at);
    const to = {ArrowLeft: i < 0 ? places.length - 1 : i - by, ArrowRight: i + by, Home: 0, End: places.length - 1}[key];
    if (to !== undefined && places.length) {
      this.view.read(places[Math.min(Math.max(to, 0), places.length - 1)]);
      const where = this.view.axis === "seconds" ? duration(this.view.at) : `${rounded(this.view.at)} ${AXES[this.view.axis]}`;
      this.said.textContent = `${where}: ` + this.keys.map(({series, value}) => `${series.name} ${value.textContent}`).join(", ");
    } else if (key === "+" || key === "=" || key === "-") {
      const centre = this.view.at ?? (low + high) / 2, part = (high - low) * (key === "-" ? 1 : 0.25);
      this.view.change({range: [Math.max(0, centre - part), centre + part]});
    } else if (key === "Escape") this.view.change({range: null, at: null});
    else return false;
    return true;
  }

  fill(details) {
    const places = this.places(), most = 12, every = Math.max(1, (places.length - 1) / (most - 1));
    const chosen = [...new Set(Array.from({length: Math.min(most, places.length)}, (_, i) => places[Math.round(i * every)]))];
    const rows = chosen.filter((x) => x !== undefined).map((place) => [this.view.axis === "seconds" ? duration(place) : rounded(place),
      ...this.shown.map((s) => { const i = this.nearest(s, place); return i < 0 ? "–" : Number(s.values[i]); })]);
    details.replaceChildren(details.firstChild, table([AXES[this.view.axis], ...this.shown.map((s) => bdi(s.name))], rows, {label: this.title}));
  }
}
