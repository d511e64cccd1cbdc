"use strict";

// The page of a generator: its controls, and the pictures that they ask the engine for.
(function page() {
  const TILES = 16, LONGEST_NAME = 60, NO_TRUNCATION = 3;
  const byId = (id) => document.getElementById(id);
  const listen = (id, event, action) => byId(id).addEventListener(event, action);

  function make(tag, attributes = {}, ...children) {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  }

  let fading;
  function tell(text, lasting = false) {
    byId("status").textContent = text;
    clearTimeout(fading);
    if (!lasting) fading = setTimeout(() => { byId("status").textContent = ""; }, 6000);
  }
  const cut = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);

  function put(canvas, { rgba, width, height }) {
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  }

  function save(canvas, name, times) {
    const large = make("canvas", { width: canvas.width * times, height: canvas.height * times });
    const context = large.getContext("2d");
    context.imageSmoothingEnabled = times > 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, large.width, large.height);
    large.toBlob((blob) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: `${name}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  }

  // Asks the engine for one thing at a time, for the large picture first; of two wishes for one
  // canvas the older is forgotten, and what a canvas shows already is not drawn again.
  function drawer(ask) {
    const wishes = new Map(), last = new WeakMap();
    let busy = false;
    async function next() {
      if (busy || !wishes.size) return;
      const canvas = wishes.has(byId("picture")) ? byId("picture") : wishes.keys().next().value;
      const { shown, done } = wishes.get(canvas);
      wishes.delete(canvas);
      busy = true;
      try {
        const drawn = await ask("draw", shown);
        put(canvas, drawn);
        byId("pace").textContent = `, drawn in ${drawn.milliseconds.toFixed(0)} ms`;
        done?.(drawn);
      } catch (error) {
        tell(`This picture can't be drawn: ${error.message}`, true);
      }
      busy = false;
      document.documentElement.toggleAttribute("data-busy", wishes.size > 0);
      next();
    }
    return (canvas, shown, done) => {
      const said = JSON.stringify(shown);
      if (last.get(canvas) === said) return;
      last.set(canvas, said);
      wishes.set(canvas, { shown: structuredClone(shown), done });
      document.documentElement.toggleAttribute("data-busy", true);
      next();
    };
  }

  function grow(model, ask) {
    const { SLIDERS, LARGEST_SEED, parse, format } = states(model), wish = drawer(ask);
    const still = (from) => ({ from, to: from, mix: 0 });
    let shown = parse(location.hash), written = location.hash, waiting;

    // Says in the address what is shown, unless somebody has written another one there.
    function write() {
      if (location.hash !== written) return;
      location.replace(format(shown));
      written = location.hash;
    }

    const nameOf = (label) => (label === null ? "" : cut(model.classNames[label]));
    function caption({ label }) {
      const { from, to, mix } = shown, name = nameOf(label);
      const where = mix
        ? `${Math.round(100 * mix)} % of the way from picture ${from.picture} of seed ${from.seed} to`
          + ` picture ${to.picture} of seed ${to.seed}`
        : `picture ${from.picture} of seed ${from.seed}`;
      byId("caption").textContent = name ? `${name}: ${where}` : where;
      byId("picture").setAttribute("aria-label", byId("caption").textContent);
    }

    function show() {
      const { from, to, mix } = shown;
      byId("seed").value = from.seed;
      byId("class").value = from.label ?? "";
      byId("truncation").value = from.truncation ?? NO_TRUNCATION;
      byId("truncated").textContent = from.truncation ?? "none";
      byId("mix").value = mix;
      byId("mix").setAttribute("aria-valuetext", `${Math.round(100 * mix)} %`);
      from.sliders.forEach((by, i) => {
        byId(`slider-${i}`).value = by;
        byId(`by-${i}`).textContent = by.toFixed(1);
      });
      wish(byId("picture"), shown, caption);
      wish(byId("from"), still(from));
      wish(byId("to"), still(to));
      showTiles();
      clearTimeout(waiting);
      waiting = setTimeout(write, 150);
    }

    function showTiles() {
      const origin = { ...shown.from, picture: 0, sliders: shown.from.sliders.map(() => 0) };
      byId("grid").querySelectorAll(".tile").forEach((tile, picture) => {
        tile.setAttribute("aria-pressed", String(picture === shown.from.picture));
        wish(tile.firstChild, still({ ...origin, picture }));
      });
    }

    function change(changes) {
      shown = { ...shown, from: { ...shown.from, ...changes } };
      show();
    }

    function tile(name, action, act, does) {
      const picture = make("button", { type: "button", className: "tile" },
        make("canvas", { width: model.size[1], height: model.size[0] }));
      picture.setAttribute("aria-label", name);
      picture.addEventListener("click", action);
      const other = make("button", { type: "button", className: "act", textContent: act });
      other.setAttribute("aria-label", `${does}: ${name}`);
      return [make("li", {}, picture, other), picture.firstChild, other];
    }

    function keep(what) {
      const { from } = what, kept = structuredClone(what);
      const name = `picture ${from.picture} of seed ${from.seed}`;
      const [item, canvas, remove] = tile(name, () => {
        shown = structuredClone(kept);
        show();
        byId("picture").scrollIntoView({ block: "nearest" });
      }, "×", "Remove");
      remove.addEventListener("click", () => {
        item.remove();
        byId("kept-section").hidden = !byId("kept").children.length;
      });
      byId("kept").append(item);
      byId("kept-section").hidden = false;
      wish(canvas, kept);
      tell(`Kept ${name}.`);
    }

    for (let i = 0; i < SLIDERS; i++) {
      const slider = make("input",
        { type: "range", id: `slider-${i}`, min: -4, max: 4, step: 0.1 });
      slider.addEventListener("input", () =>
        change({ sliders: shown.from.sliders.with(i, Number(slider.value)) }));
      const label = make("label", { htmlFor: slider.id }, make("span",
        { className: "hidden", textContent: "Direction " }), String(i + 1));
      byId("sliders").append(make("div", { className: "slider" }, label, slider,
        make("output", { id: `by-${i}` })));
    }
    for (let i = 0; i < TILES; i++) {
      const [item, , add] = tile(`picture ${i}`, () => {
        shown.mix = 0;
        change({ picture: i, sliders: shown.from.sliders.map(() => 0) });
      }, "+", "Keep");
      add.addEventListener("click", () =>
        keep(still({ ...shown.from, picture: i, sliders: shown.from.sliders.map(() => 0) })));
      byId("grid").append(item);
    }
    if (model.classCounts) {
      byId("class").append(make("option", { value: "", textContent: model.prompts ? "any of these" : "any, as often as in training" }));
      model.classNames.forEach((name, i) => model.classCounts[i] && byId("class").append(
        make("option", { value: i, textContent: cut(name), dir: "auto" })));
      byId("classes").hidden = false;
      if (model.prompts) byId("class-name").textContent = "Words";
    }
    for (const times of [1, 4, 8]) {
      const [height, width] = model.size.map((side) => side * times);
      byId("scale").append(make("option", { value: times, textContent: `${Math.max(width, height)} px` }));
    }

    listen("seed", "input", () => {
      const seed = Number(byId("seed").value);
      if (byId("seed").value && Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED)
        change({ seed });
    });
    listen("another", "click", () => {
      shown.mix = 0;
      change({ seed: Math.floor(Math.random() * 1e6), sliders: shown.from.sliders.map(() => 0) });
    });
    listen("class", "change", () => {
      const label = byId("class").value;
      change({ label: label === "" ? null : Number(label) });
    });
    listen("truncation", "input", () => {
      const truncation = Number(byId("truncation").value);
      change({ truncation: truncation === NO_TRUNCATION ? null : truncation });
    });
    listen("reset", "click", () => change({ sliders: shown.from.sliders.map(() => 0) }));
    listen("mix", "input", () => {
      shown.mix = Number(byId("mix").value);
      show();
    });
    listen("goal", "click", () => {
      shown = { ...still(shown.from), to: structuredClone(shown.from) };
      show();
      tell("Now choose another one for the left.");
    });
    let playing = 0;
    listen("play", "click", () => {
      const began = performance.now() - 2000 * Math.acos(1 - 2 * shown.mix) / Math.PI;
      cancelAnimationFrame(playing);
      const on = byId("play").getAttribute("aria-pressed") !== "true";
      byId("play").setAttribute("aria-pressed", String(on));
      byId("play").textContent = on ? "Stop" : "Play";
      if (on) playing = requestAnimationFrame(function step(now) {
        shown.mix = Number(((1 - Math.cos((now - began) / 2000 * Math.PI)) / 2).toFixed(2));
        show();
        playing = requestAnimationFrame(step);
      });
    });
    listen("keep", "click", () => keep(shown));
    listen("download", "click", () => save(byId("picture"),
      `seed ${shown.from.seed}, picture ${shown.from.picture}`, Number(byId("scale").value)));
    listen("share", "click", async () => {
      write();
      try {
        await navigator.clipboard.writeText(location.href);
        tell("The link is copied.");
      } catch {
        tell("The link is in the address bar: copy it from there.");
      }
    });
    addEventListener("hashchange", () => {
      if (location.hash === written) return;
      written = location.hash;
      shown = parse(written);
      show();
    });
    byId("shape").hidden = !SLIDERS;
    byId("grow").hidden = false;
    show();
  }

  addEventListener("DOMContentLoaded", async () => {
    if (typeof MODEL === "undefined")
      return tell("model.js is not beside this page, or could not be read; copy the whole folder.", true);
    const { title, facts } = MODEL, ask = startEngine();
    document.title = cut(title);
    byId("title").textContent = title;
    byId("facts").textContent = facts;
    try {
      await ask("load", MODEL);
      tell("");
      MODEL.weights = null;
      if (MODEL.latentSize) grow(MODEL, ask);
      else translation(MODEL, ask, { byId, listen, put, save, tell });
    } catch (error) {
      tell(`This page can't run here: ${error.message}. A newer browser may help.`, true);
    }
  });
})();
