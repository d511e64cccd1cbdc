"use strict";

// What the worker does: reads the model once, then draws what it is asked for, one after the other.
function engine(latents, { OPS, tensor }) {
  let model, constants, directions, prompts, lastUse;

  function bytes(base64) {
    const text = atob(base64), out = new Uint8Array(text.length);
    for (let i = 0; i < out.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  function half(bits) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity) : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits >> 15 ? -size : size;
  }

  function load(given) {
    model = given;
    const data = bytes(model.weights).buffer;
    model.weights = null;
    const table = Float32Array.from({ length: 65536 }, (_, bits) => half(bits));
    const read = {
      float16: (at, n) => Float32Array.from(new Uint16Array(data, at, n), (bits) => table[bits]),
      float32: (at, n) => new Float32Array(data, at, n),
      int32: (at, n) => new Int32Array(data, at, n),
      bool: (at, n) => new Uint8Array(data, at, n),
    };
    const stored = ({ shape, type, at }) =>
      tensor(shape, read[type](at, shape.reduce((a, b) => a * b, 1)));
    constants = new Map(Object.entries(model.constants).map(([name, x]) => [name, stored(x)]));
    directions = model.directions && stored(model.directions);
    prompts = model.prompts && stored(model.prompts);
    const unknown = model.nodes.find(({ op }) => !OPS[op]);
    if (unknown) throw new Error(`this page can't compute ${unknown.op}`);
    lastUse = new Map(model.nodes.flatMap(({ inputs }, i) => inputs.map((name) => [name, i])));
    for (const node of model.nodes) node.constant = node.inputs.map((name) => constants.has(name));
  }

  function run(inputs) {
    const values = new Map(Object.entries(inputs));
    model.nodes.forEach((node, i) => {
      const given = node.inputs.map((name) => values.get(name) ?? constants.get(name));
      values.set(node.outputs[0], OPS[node.op](given, node.attributes, node));
      for (const name of node.inputs) if (lastUse.get(name) === i) values.delete(name);
    });
    return values.get(model.output);
  }

  function point({ seed, picture, truncation, sliders }) {
    const size = model.latentSize, z = latents.z(seed, picture, size, truncation);
    sliders.forEach((by, k) => {
      if (by) for (let i = 0; i < size; i++) z[i] += by * directions.data[k * size + i];
    });
    return z;
  }

  const classOf = ({ seed, picture, label }) =>
    label ?? latents.classOf(seed, picture, model.classCounts);

  // The sentence's vector of `from`, or one between it and that of `to`, of length 1.
  function words(from, to, mix) {
    const size = prompts.shape[1], text = new Float32Array(size);
    for (const [point, share] of [[from, 1 - mix], [to, mix]]) {
      const start = classOf(point) * size;
      if (share) for (let i = 0; i < size; i++) text[i] += share * prompts.data[start + i];
    }
    const length = Math.hypot(...text);
    return tensor([1, size], text.map((x) => x / length));
  }

  // The picture of `from`, or one between it and `to`.
  function draw({ from, to, mix }) {
    const z = mix ? latents.between(point(from), point(to), mix) : point(from);
    const inputs = { z: tensor([1, z.length], z) };
    const label = model.classCounts ? classOf(mix >= 0.5 ? to : from) : null;
    if (prompts) inputs.text = words(from, to, mix);
    else if (model.classCounts) inputs.label = tensor([1], Int32Array.of(label));
    return { ...pixels(run(inputs)), label };
  }

  // Uint8 RGBA of (1, height, width, channels) in [-1, 1].
  function pixels({ shape: [, height, width, channels], data }) {
    const rgba = new Uint8ClampedArray(4 * height * width).fill(255);
    for (let i = 0; i < height * width; i++)
      for (let c = 0; c < 3; c++)
        rgba[4 * i + c] = (data[i * channels + (channels === 3 ? c : 0)] + 1) * 127.5;
    return { rgba, width, height };
  }

  // Of a picture, RGBA, what the network makes of it.
  function translate({ rgba, width, height }) {
    const channels = model.channelsIn, x = new Float32Array(height * width * channels);
    for (let i = 0; i < height * width; i++) {
      const [r, g, b] = rgba.subarray(4 * i, 4 * i + 3);
      const values = channels === 3 ? [r, g, b] : [Math.round(0.299 * r + 0.587 * g + 0.114 * b)];
      values.forEach((value, c) => { x[i * channels + c] = value / 127.5 - 1; });
    }
    return pixels(run({ [model.input]: tensor([1, height, width, channels], x) }));
  }

  const tasks = { load, draw, translate };
  self.onmessage = ({ data: { task, given } }) => {
    try {
      const began = performance.now(), result = tasks[task](given) ?? {};
      const milliseconds = performance.now() - began;
      self.postMessage({ ...result, milliseconds }, result.rgba ? [result.rgba.buffer] : []);
    } catch (error) {
      self.postMessage({ error: String(error.message ?? error) });
    }
  };
}

// A worker of the functions themselves, so that the page also runs from a disk, where a browser
// opens no file for a worker.
function startEngine() {
  const source = `"use strict";${products}${convolutions}${runner}${latents}${engine}
    const matrices = products();
    engine(latents(), runner(matrices, convolutions(matrices)));`;
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const waiting = []; // for answers, which come in the order of the tasks
  worker.onmessage = ({ data }) => waiting.shift()?.(data);
  worker.onerror = (event) => waiting.shift()?.({ error: event.message });
  return (task, given) => new Promise((resolve, reject) => {
    waiting.push((data) => (data.error ? reject(new Error(data.error)) : resolve(data)));
    worker.postMessage({ task, given });
  });
}
