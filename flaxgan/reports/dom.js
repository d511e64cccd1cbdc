"use strict";
// Elements, numbers and times. Texts become text nodes, so that no name can become code.

function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "rect", "text", "circle", "g"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const bdi = (text) => h("bdi", {}, String(text));

function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 10000) return Math.round(value).toLocaleString("en");
  if (size && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(size >= 1000 ? 5 : 4)));
}

const compact = (value) => new Intl.NumberFormat("en", {notation: "compact", maximumSignificantDigits: 4})
  .format(value);
const rounded = (value) => (value ?? 0).toLocaleString("en", {maximumFractionDigits: 1});

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const minutes = Math.round(seconds / 60), hours = Math.floor(minutes / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text ?? "")
    : date.toLocaleString("en-GB", {dateStyle: "medium", timeStyle: "short"});
}

function table(heads, rows, options = {}) {
  return h("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": options.label ?? "table"},
    h("table", {class: options.class ?? null},
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", {scope: "col"}, head)))),
      h("tbody", {}, rows.map((cells) => h("tr", {class: cells.class ?? null}, cells.map((cell, i) =>
        h(i ? "td" : "th", i ? {class: typeof cell === "number" ? "number" : null} : {scope: "row"},
          typeof cell === "number" ? number(cell) : cell)))))));
}
