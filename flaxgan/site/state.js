"use strict";

// What is shown, and how an address says it.
//
// A point is { seed, picture, label, truncation, sliders }: picture i of a seed, of a class (null:
// as in training), moved along the directions. What is shown is { from, to, mix }: a point, and how
// far it is on the way to another.
function states(model) {
  const SLIDERS = model.directions?.shape[0] ?? 0, LARGEST_SEED = 2 ** 32 - 1;

  const within = (low, high) => (text) => {
    const number = Number(text);
    return text !== "" && number >= low && number <= high ? number : null;
  };
  const whole = (high) => (text) => {
    const number = within(0, high)(text);
    return Number.isInteger(number) ? number : null;
  };
  const PARTS = { // of a point: how each is read, and what it is where an address doesn't say
    seed: [whole(LARGEST_SEED), 0],
    picture: [whole(LARGEST_SEED), 0],
    label: [(text) => (model.classCounts?.[whole(1e9)(text) ?? -1] ? Number(text) : null), null],
    truncation: [within(0.2, 2.95), null],
  };

  function point(say) {
    const read = Object.entries(PARTS).map(([name, [parse, otherwise]]) =>
      [name, parse(say.get(name) ?? "") ?? otherwise]);
    const given = (say.get("sliders") ?? "").split(",");
    const sliders = Array.from({ length: SLIDERS }, (_, i) => within(-4, 4)(given[i] ?? "") ?? 0);
    return { ...Object.fromEntries(read), sliders };
  }

  function said(point) {
    const say = new URLSearchParams();
    for (const [name, [, otherwise]] of Object.entries(PARTS))
      if (name === "seed" || point[name] !== otherwise) say.set(name, point[name]);
    const last = point.sliders.findLastIndex((x) => x !== 0);
    if (last >= 0) say.set("sliders", point.sliders.slice(0, last + 1).join(","));
    return say;
  }

  return {
    SLIDERS, LARGEST_SEED,

    // Of what follows # in an address; what makes no sense there is left out.
    parse(text) {
      const say = new URLSearchParams(text.replace(/^#/, "")), from = point(say);
      const to = say.has("to") ? point(new URLSearchParams(say.get("to"))) : null;
      return {
        from,
        to: to ?? { ...from, picture: from.picture + 1, sliders: from.sliders.map(() => 0) },
        mix: (to && within(0, 1)(say.get("mix") ?? "")) || 0,
      };
    },

    format({ from, to, mix }) {
      const say = said(from);
      if (mix) {
        say.set("to", said(to));
        say.set("mix", mix);
      }
      return `#${say}`.replaceAll("%2C", ",");
    },
  };
}
