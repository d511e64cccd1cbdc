"use strict";
// The page of one run, or of several beside each other, from the data in the file.

const view = new View();
const live = document.documentElement.hasAttribute("data-live");
const chosen = new Map();  // of each run's slider: the snapshot, where it is not the newest
let data = JSON.parse(document.getElementById("data").textContent);

const section = (title, ...content) => h("section", {}, h("h2", {}, title), ...content);
const fact = (name, value, more) => h("div", {class: "fact"}, h("dt", {}, name), h("dd", {}, value, more && h("small", {}, more)));
const place = (step, epoch, side) => `step ${rounded(step)}${epoch ? ` · epoch ${rounded(epoch)}` : ""}${side ? ` · ${side} px` : ""}`;

function image(picture, alt) {
  const attributes = {src: picture.src, alt, width: picture.width, height: picture.height};
  return h("img", {...attributes, class: picture.width < 300 ? "small" : null});
}

function progress(run) {
  const total = run.total, share = total ? Math.min(1, run.step / total) : 0;
  return [
    total ? h("progress", {class: "way", max: 1, value: share, "aria-label": "progress"}) : null,
    h("p", {class: "how-far"}, total ? `${Math.floor(100 * share)} % · ` : "",
      `step ${rounded(run.step)}${total ? ` of ${rounded(total)}` : ""}`,
      run.epochs ? ` · epoch ${rounded(run.epoch)} of ${rounded(run.epochs)}` : "",
      run.next_evaluation ? ` · next evaluation in ${duration(run.next_evaluation)}` : "")];
}

const words = {training: "time left", stopped: "time it would take", "not begun": "time it would take"};

function overview(run) {
  return h("header", {},
    h("div", {class: "title"}, h("h1", {}, bdi(run.name)), h("span", {class: `state ${run.state.replace(" ", "-")}`}, run.state)),
    h("p", {class: "what"}, run.what.map((phrase) => h("span", {}, bdi(phrase)))),
    h("div", {id: "progress"}, progress(run)),
    h("dl", {class: "facts", id: "facts"}, facts(run)));
}

function facts(run) {
  const left = words[run.state], metric = run.metrics.lines?.[0];
  return [fact("pictures seen", compact(run.images_seen)), fact("pictures a second", number(run.speed)),
    fact("time trained", duration(run.seconds)), left ? fact(left, run.left === null ? "–" : `about ${duration(run.left)}`) : null,
    metric && fact(`best ${metric.name}`, number(metric.best ?? metric.value), metric.best_step ? `at step ${rounded(metric.best_step)}` : "")]
    .filter(Boolean);
}

function warnings(run) {
  if (!run.warnings.length && !run.notes.length) return null;
  return h("section", {class: "messages", "aria-label": "warnings and notes"},
    run.warnings.map((text) => h("p", {class: "warning"}, h("strong", {}, "Warning: "), bdi(text))),
    run.notes.map((text) => h("p", {class: "note"}, h("strong", {}, "Note: "), bdi(text))));
}

function snapshots(run, id) {
  const all = run.snapshots, last = all.length - 1;
  if (last < 0) return h("p", {class: "muted"}, "No pictures have been drawn yet.");
  const other = run.real ?? (last ? all[0] : null);
  const box = h("div", {class: "shown"}), words = h("output", {for: `slider${id}`, class: "where"});
  const show = (i) => {
    const at = all[i];
    chosen.set(run.name + id, i === last ? undefined : at.step);
    slider.value = i;
    slider.setAttribute("aria-valuetext", place(at.step, at.epoch, at.resolution));
    words.textContent = `${place(at.step, at.epoch, at.resolution)} · ${compact(at.images_seen)} pictures seen`;
    box.replaceChildren(image(at, `What the generator makes at ${place(at.step, at.epoch, at.resolution)}`));
  };
  const slider = h("input", {type: "range", id: `slider${id}`, min: 0, max: last, value: last, class: "slider",
    "aria-label": "snapshot", oninput: () => show(Number(slider.value))});
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "▶ Play"; };
  const play = h("button", {type: "button", id: `play${id}`, onclick: () => {
    if (timer) return stop();
    if (Number(slider.value) === last) show(0);
    play.textContent = "❚❚ Pause";
    timer = setInterval(() => {
      if (!slider.isConnected || Number(slider.value) === last) stop(); else show(Number(slider.value) + 1);
    }, 350);
  }}, "▶ Play");
  const kept = all.findIndex((at) => at.step === chosen.get(run.name + id));
  show(kept < 0 ? last : kept);
  return h("div", {class: "snapshots"},
    h("div", {class: "controls"}, last ? [play, slider] : null, words),
    h("div", {class: run.real ? "beside" : "beside tall"},
      h("figure", {}, h("figcaption", {}, run.real ? "Generated" : "Translated"), box),
      other && h("figure", {}, h("figcaption", {}, run.real ? "Real" : `The same at ${place(all[0].step, all[0].epoch)}`),
        h("div", {class: "shown"}, image(other, run.real ? "Training pictures" : "The first snapshot")))),
    run.all_snapshots > all.length ? h("p", {class: "muted"}, `${all.length} of ${rounded(run.all_snapshots)} snapshots, evenly spaced; all are in generated_images/.`) : null);
}

function series(run, name, label, colour) {
  return ["training", "evaluations"].filter((part) => run[part][name]?.some((v) => v !== null))
    .map((part) => ({name: label, colour, columns: run[part], values: run[part][name]}));
}

function curves(runs) {
  const known = new Set(["step", "images_seen", "seconds"]), names = (run) => [...Object.keys(run.training), ...Object.keys(run.evaluations)];
  const logged = new Set(runs.flatMap(names)), charts = [], panels = [...data.panels], usual = panels.length;
  for (const [, members] of panels) members.forEach((name) => known.add(name));
  for (const name of logged) if (!known.has(name)) panels.push([name.replaceAll("_", " "), [name]]);
  const rest = [], add = (title, found, share, shown) => found.length && shown.push(new Chart(title, found, view, share));
  view.charts = [];
  panels.forEach(([title, members], place) => {
    const shown = place < usual || !charts.length ? charts : rest;
    const share = title.startsWith("share"), present = members.filter((name) => logged.has(name));
    if (runs.length === 1) add(title, present.flatMap((name, i) => series(runs[0], name, name, i)), share, shown);
    else for (const name of present) add(name, runs.flatMap((run, i) => series(run, name, label(run, i), i)), share, shown);
  });
  if (!charts.length) return section("Curves", h("p", {class: "muted"}, "Nothing has been logged yet."));
  const reset = h("button", {type: "button", id: "all", onclick: () => view.change({range: null})}, "Show all");
  view.onchange = () => { reset.disabled = view.range === null; };
  view.onchange();
  const axis = (name) => h("label", {}, h("input", {type: "radio", name: "axis", id: `by-${name}`, value: name,
    checked: view.axis === name, onchange: () => view.change({axis: name, range: null, at: null})}), AXES[name]);
  const thinned = runs.filter((run) => run.rows > run.training.step.length);
  return section("Curves",
    h("div", {class: "toolbar"}, h("fieldset", {}, h("legend", {}, "Over"), Object.keys(AXES).map(axis)), reset,
      h("span", {class: "muted"}, "Drag over a chart to zoom; a double click shows all again.")),
    h("div", {class: "charts"}, charts.map((chart) => chart.element)),
    rest.length ? h("details", {id: "more"}, h("summary", {}, `${rest.length} more`), h("div", {class: "charts"}, rest.map((chart) => chart.element))) : null,
    thinned.length ? h("p", {class: "muted"}, `Each point is the mean of several logged rows (${thinned.map((run) => `${rounded(run.rows)} rows as ${rounded(run.training.step.length)} points`).join("; ")}).`) : null);
}

const label = (run, i) => data.runs.filter((other) => other.name === run.name).length > 1 ? `${run.name} (${i + 1})` : run.name;

function metricsTable(lines, beside) {
  const best = beside && lines.some((line) => line.best !== undefined);
  return table(["metric", "value", ...(best ? ["best", "at step"] : []), "reference", "what it means"], lines.map((line) => [
    bdi(line.name), line.value, ...(best ? [line.best ?? "", line.best_step ? rounded(line.best_step) : ""] : []),
    line.reference ?? "–", h("span", {}, line.meaning, line.of ? h("small", {}, `reference: ${line.of}`) : null)]), {label: "metrics", class: "metrics"});
}

function metrics(run) {
  const {metrics: last, evaluation: file} = run;
  if (!last.lines && !file.lines) return section("Metrics", h("p", {class: "muted"}, "Nothing has been measured yet: ",
    h("code", {}, "--evaluate-every 5"), " measures while a run trains, ", h("code", {}, "flaxgan.evaluate"), " afterwards."));
  return section("Metrics",
    last.lines ? [h("h3", {}, `While it trained, at step ${rounded(last.step)}`), metricsTable(last.lines, true)] : null,
    file.lines ? [h("h3", {}, `evaluation.json, ${when(file.date)}`),
      Object.entries(file.sets).map(([side, words]) => h("p", {class: "muted"}, `${side}: `, bdi(words))), metricsTable(file.lines)] : null);
}

function commands(run) {
  return section("What next", h("ul", {class: "commands"}, run.commands.map(([what, text]) => {
    const copy = navigator.clipboard && h("button", {type: "button", "aria-label": `Copy: ${what}`,
      onclick: () => navigator.clipboard.writeText(text).then(() => { copy.textContent = "Copied"; })}, "Copy");
    return h("li", {}, h("span", {}, what), h("code", {}, bdi(text)), copy);
  })));
}

function configuration(run) {
  const row = (line) => [h("code", {}, line.name), bdi(line.value || "–"), bdi(line.default || "–"), h("span", {}, line.why && bdi(line.why), h("small", {}, line.help))];
  const differs = run.configuration.filter((line) => line.differs);
  const heads = ["flag", "value", "default", "why it is so, and what it is"];
  return [h("p", {class: "muted"}, `${differs.length} of ${run.configuration.length} fields differ from the defaults.`),
    table(heads, differs.map(row), {label: "what differs from the defaults", class: "configuration"}),
    h("details", {id: `fields-${run.name}`}, h("summary", {}, "All fields"), table(heads, run.configuration.map(row), {label: "all fields", class: "configuration"}))];
}

function history(run) {
  const device = (start) => [start.device, start.devices > 1 && `× ${start.devices}`, start.processors && `${start.processors} processors`, start.system]
    .filter(Boolean).join(", ");
  const versions = (start) => ["python", "jax", "flax"].map((name) => start[`${name}_version`] && `${name} ${start[`${name}_version`]}`).filter(Boolean).join(", ");
  return [h("p", {class: "muted"}, "flaxgan ", bdi(run.version), ", folder ", bdi(run.folder)),
    table(["start", "at step", "on", "with", "command"], run.starts.map((start) => [when(start.date), rounded(start.step),
      bdi(device(start)), bdi(versions(start)), h("code", {}, bdi(start.command ?? ""))]), {label: "starts"}),
    run.changes.length ? table(["changed at step", "what"], run.changes.map(({step, ...fields}) => [rounded(step),
      bdi(Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", "))]), {label: "changes"}) : null];
}

const figures = (run) => run.figures.map((figure) => section(figure.title, h("div", {class: "shown wide"}, image(figure, figure.title))));

function single(run) {
  return [overview(run), warnings(run), section("Pictures", snapshots(run, "")), curves([run]), metrics(run), figures(run), commands(run),
    section("Configuration", configuration(run)), section("Hardware and versions", history(run))];
}

function several(runs) {
  const swatch = (i) => h("span", {class: `swatch c${i % 8}`}), best = (run) => run.metrics.lines?.[0];
  const named = (run, i) => [swatch(i), " ", bdi(label(run, i))];
  const value = (run, name) => run.configuration.find((line) => line.name === name)?.value;
  return [h("header", {}, h("h1", {}, `${runs.length} runs compared`)),
    section("Overview", table(["run", "state", "how far", "pictures seen", "a second", "time trained", "metric", "best", "last"],
      runs.map((run, i) => [named(run, i), run.state, run.total ? `${Math.floor(100 * Math.min(1, run.step / run.total))} %` : "–", compact(run.images_seen),
        run.speed, duration(run.seconds), bdi(best(run)?.name ?? "–"), best(run)?.best ?? "–", best(run)?.value ?? "–"]), {label: "overview"})),
    curves(runs),
    section("What differs between their configurations", data.differing.length ? table(["flag", ...runs.map(named)], data.differing.map((name) =>
      [h("code", {}, name), ...runs.map((run) => bdi(value(run, name) || "–"))]), {label: "differences", class: "configuration"}) : h("p", {class: "muted"}, "Nothing.")),
    runs.map((run, i) => h("section", {}, h("h2", {}, named(run, i)), h("p", {class: "what"}, run.what.map((phrase) => h("span", {}, bdi(phrase)))), warnings(run), snapshots(run, `-${i}`),
      h("details", {}, h("summary", {}, "Metrics, commands, configuration"), metrics(run), commands(run), configuration(run), history(run))))];
}

function draw() {
  const focused = document.activeElement?.id, open = new Set([...document.querySelectorAll("details[open][id]")].map((x) => x.id));
  const main = document.getElementById("report"), runs = data.runs;
  main.replaceChildren(...(runs.length === 1 ? single(runs[0]) : several(runs)).flat(2).filter(Boolean),
    h("footer", {}, `Written by flaxgan ${data.flaxgan} at ${when(data.written)}.`, live ? " This page follows the training." : ""));
  for (const details of document.querySelectorAll("details[id]")) details.open = open.has(details.id);
  if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  view.draw();
}

async function follow(version) {  // a page that is served while its run trains
  try {
    const status = await (await fetch("status.json")).json();
    if (status.version !== version) {
      data = await (await fetch("report.json")).json();
      draw();
    }
    const run = Object.assign(data.runs[0], status.now);
    document.getElementById("progress").replaceChildren(...progress(run).filter(Boolean));
    document.getElementById("facts").replaceChildren(...facts(run));
    document.body.classList.remove("gone");
    setTimeout(follow, 2000, status.version);
  } catch {  // it has ended, or is away
    document.body.classList.add("gone");
    setTimeout(follow, 10000, version);
  }
}

draw();
if (live) follow(null);
