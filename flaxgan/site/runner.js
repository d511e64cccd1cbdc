"use strict";

// Runs a graph of ONNX operators (flaxgan/formats/graph.py) on tensors { shape, data }.
function runner(products, convolutions) {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const tensor = (shape, data) => ({ shape, data });
  const like = (data, n) => new data.constructor(n);
  const axis = (at, rank) => (at < 0 ? at + rank : at);
  const numbers = (x) => x && Array.from(x.data);

  // What to add to an index for each step along each axis.
  function stepsOf(shape) {
    const steps = Array(shape.length);
    for (let i = shape.length - 1, step = 1; i >= 0; step *= shape[i--]) steps[i] = step;
    return steps;
  }

  // The same of a tensor that is spread to a shape: 0 along what is repeated.
  function spread(from, shape) {
    const steps = stepsOf(from), missing = shape.length - from.length;
    return shape.map((_, i) => (i < missing || from[i - missing] === 1 ? 0 : steps[i - missing]));
  }

  // Calls visit(a, b, count, stepA, stepB) for runs of indices into two arrays that together visit
  // `shape`. Axes that lie in memory as one are visited as one.
  function walk(shape, stepsA, stepsB, startA, startB, visit) {
    const axes = [];
    shape.forEach((count, i) => {
      const last = axes.at(-1);
      if (count === 1) return;
      if (last && last[1] === stepsA[i] * count && last[2] === stepsB[i] * count)
        axes[axes.length - 1] = [last[0] * count, stepsA[i], stepsB[i]];
      else axes.push([count, stepsA[i], stepsB[i]]);
    });
    if (shape.includes(0)) return;
    const [count, stepA, stepB] = axes.pop() ?? [1, 0, 0];
    (function descend(depth, a, b) {
      if (depth === axes.length) return visit(a, b, count, stepA, stepB);
      const [times, byA, byB] = axes[depth];
      for (let i = 0; i < times; i++, a += byA, b += byB) descend(depth + 1, a, b);
    })(0, startA, startB);
  }

  // A tensor of `shape` that reads another's data from `start` on in these steps.
  function read(x, shape, steps, start = 0) {
    const out = like(x.data, size(shape));
    walk(shape, stepsOf(shape), steps, 0, start, (to, from, count, stepTo, step) => {
      for (let i = 0; i < count; i++, to += stepTo, from += step) out[to] = x.data[from];
    });
    return tensor(shape, out);
  }

  function common(a, b) {
    const rank = Math.max(a.length, b.length);
    const padded = [a, b].map((shape) => [...Array(rank - shape.length).fill(1), ...shape]);
    return padded[0].map((side, i) => (side === 1 ? padded[1][i] : side));
  }

  const each = (f) => ([x]) => {
    const out = like(x.data, x.data.length);
    for (let i = 0; i < out.length; i++) out[i] = f(x.data[i]);
    return tensor(x.shape, out);
  };

  const both = (f, truth) => ([a, b]) => {
    const shape = common(a.shape, b.shape), [stepsA, stepsB] = [a, b].map((x) => spread(x.shape, shape));
    const out = truth ? new Uint8Array(size(shape)) : like(a.data, size(shape));
    let to = 0;
    walk(shape, stepsA, stepsB, 0, 0, (i, j, count, stepI, stepJ) => {
      for (const end = to + count; to < end; i += stepI, j += stepJ)
        out[to++] = f(a.data[i], b.data[j]);
    });
    return tensor(shape, out);
  };

  const reduced = (f, start, finish = (x) => x) =>
    ([x, axes], { keepdims = 1, axes: named } = {}) => {
    const rank = x.shape.length;
    const over = new Set((numbers(axes) ?? named ?? [...x.shape.keys()]).map((i) => axis(i, rank)));
    const kept = x.shape.map((side, i) => (over.has(i) ? 1 : side));
    const sums = new Float64Array(size(kept)).fill(start);
    walk(x.shape, stepsOf(x.shape), spread(kept, x.shape), 0, 0, (from, to, count, step, by) => {
      for (let i = 0; i < count; i++, from += step, to += by) sums[to] = f(sums[to], x.data[from]);
    });
    const out = like(x.data, sums.length), times = x.data.length / sums.length;
    for (let i = 0; i < out.length; i++) out[i] = finish(sums[i], times);
    return tensor(keepdims ? kept : kept.filter((_, i) => !over.has(i)), out);
  };

  function matMul([a, b], _, node) {
    const shape = common(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const [m, k] = a.shape.slice(-2), n = b.shape.at(-1), out = new Float32Array(size(shape) * m * n);
    const starts = [];
    walk(shape, ...[a, b].map((x) => spread(x.shape.slice(0, -2), shape)), 0, 0,
      (i, j, count, stepI, stepJ) => {
        for (; count--; i += stepI, j += stepJ) starts.push([i * m * k, j * k * n]);
      });
    // One row, as of z, or a constant on the right, as in a dense layer: its columns become rows.
    const turned = node?.kept?.[1] || (m < 8 && node?.constant?.[1]);
    starts.forEach(([i, j], matrix) => {
      const to = matrix * m * n;
      if (turned) {
        node.kept ??= {};
        node.kept[1] ??= products.keep(b.data, n, k, 1, n, j);
        products.multiply(node.kept[1], m, convolutions.filler(a.data, k, i, 1, k),
          (c, at, stride, first, count) => {
            for (let column = 0; column < n; column++)
              for (let row = 0; row < count; row++)
                out[to + (first + row) * n + column] = c[at + column * stride + row];
          });
      } else
        products.multiply([a.data, m, k, k, 1, i], n, convolutions.filler(b.data, k, j, n, 1),
          (c, at, stride, first, count) => {
            for (let row = 0; row < m; row++)
              out.set(c.subarray(at + row * stride, at + row * stride + count), to + row * n + first);
          });
    });
    return tensor([...shape, m, n], out);
  }

  // As the tracing has it: x W + b, nothing transposed.
  function gemm([x, weights, bias], _, node) {
    const y = matMul([x, weights], {}, node);
    return bias ? OPS.Add([y, bias]) : y;
  }

  // Continues x along its axes, mirrored at its edges, or by zeros.
  function pad([x, pads], { mode = "constant" }) {
    const rank = x.shape.length, mirrored = (i, side) => {
      const round = Math.max(1, 2 * side - 2), at = ((i % round) + round) % round;
      return Math.min(at, round - at);
    };
    return x.shape.reduce((y, side, at) => {
      const [before, after] = [pads.data[at], pads.data[at + rank]];
      if (!before && !after) return y;
      const indices = Array.from({ length: side + before + after }, (_, j) => j - before);
      const sources = indices.map((i) =>
        (mode === "reflect" ? mirrored(i, side) : i >= 0 && i < side ? i : -1));
      return gathered(y, sources, at, [sources.length]);
    }, x);
  }

  // Takes these indices along an axis; -1 is 0.
  function gathered(x, indices, at, shape) {
    const inner = size(x.shape.slice(at + 1)), outer = size(x.shape.slice(0, at));
    const out = like(x.data, outer * indices.length * inner);
    let to = 0;
    for (let i = 0; i < outer; i++)
      for (const index of indices) {
        const from = (i * x.shape[at] + index) * inner;
        if (index >= 0)
          for (let j = 0; j < inner; j++) out[to + j] = x.data[from + j];
        to += inner;
      }
    return tensor([...x.shape.slice(0, at), ...shape, ...x.shape.slice(at + 1)], out);
  }

  function concat(xs, at) {
    const [first] = xs, outer = size(first.shape.slice(0, at));
    const runs = xs.map((x) => size(x.shape.slice(at)));
    const shape = first.shape.map((side, i) =>
      i === at ? xs.reduce((sum, x) => sum + x.shape[at], 0) : side);
    const out = like(first.data, size(shape));
    for (let i = 0, to = 0; i < outer; i++)
      xs.forEach((x, j) => {
        out.set(x.data.subarray(i * runs[j], (i + 1) * runs[j]), to);
        to += runs[j];
      });
    return tensor(shape, out);
  }

  function reshape([x, wanted]) {
    const shape = numbers(wanted).map((side, i) => (side === 0 ? x.shape[i] : side));
    const known = size(shape.filter((side) => side !== -1));
    return tensor(shape.map((side) => (side === -1 ? x.data.length / known : side)), x.data);
  }

  function depthToSpace([x], { blocksize: b, mode = "DCR" }) {
    const [n, c, h, w] = x.shape, depth = c / b / b;
    const [parts, order] = mode === "DCR"
      ? [[n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2]] : [[n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3]];
    const y = transposed(tensor(parts, x.data), order);
    return tensor([n, depth, h * b, w * b], y.data);
  }

  function transposed(x, order) {
    const steps = stepsOf(x.shape);
    return read(x, order.map((i) => x.shape[i]), order.map((i) => steps[i]));
  }

  // Each channel of each picture with mean 0 and variance 1, times a scale, plus a bias.
  function instanceNorm([x, scale, bias], { epsilon = 1e-5 }) {
    const [n, channels] = x.shape, pixels = x.data.length / n / channels;
    const out = new Float32Array(x.data.length);
    for (let plane = 0; plane < n * channels; plane++) {
      const values = x.data.subarray(plane * pixels, (plane + 1) * pixels);
      let mean = 0, variance = 0;
      for (const value of values) mean += value / pixels;
      for (const value of values) variance += (value - mean) ** 2 / pixels;
      const factor = scale.data[plane % channels] / Math.sqrt(variance + epsilon);
      const shift = bias.data[plane % channels] - mean * factor;
      for (let i = 0; i < pixels; i++) out[plane * pixels + i] = values[i] * factor + shift;
    }
    return tensor(x.shape, out);
  }

  function softmax([x], { axis: at = -1 }) {
    const axes = tensor([1], [at]), highest = OPS.ReduceMax([x, axes]);
    const y = OPS.Exp([OPS.Sub([x, highest])]);
    return OPS.Div([y, OPS.ReduceSum([y, axes])]);
  }

  const power = (a, b) => (b === 2 ? a * a : a ** b);

  const OPS = {
    ...convolutions.operators,
    Add: both((a, b) => a + b), Sub: both((a, b) => a - b), Mul: both((a, b) => a * b),
    Div: both((a, b) => a / b), Pow: both(power), Max: both(Math.max), Min: both(Math.min),
    Less: both((a, b) => a < b, true), LessOrEqual: both((a, b) => a <= b, true),
    Greater: both((a, b) => a > b, true), GreaterOrEqual: both((a, b) => a >= b, true),
    Where: ([test, a, b]) => {
      const shape = common(test.shape, common(a.shape, b.shape));
      const [t, x, y] = [test, a, b].map((z) => read(z, shape, spread(z.shape, shape)).data);
      return tensor(shape, x.map((value, i) => (t[i] ? value : y[i])));
    },
    Abs: each(Math.abs), Cos: each(Math.cos), Exp: each(Math.exp), Floor: each(Math.floor),
    Log: each(Math.log), Neg: each((x) => -x), Reciprocal: each((x) => 1 / x),
    Relu: each((x) => (x > 0 ? x : 0)), Sigmoid: each((x) => 1 / (1 + Math.exp(-x))),
    Sin: each(Math.sin), Sqrt: each(Math.sqrt), Tanh: each(Math.tanh),
    LeakyRelu: ([x], { alpha = 0.01 }) => each((y) => (y > 0 ? y : alpha * y))([x]),
    ReduceSum: reduced((a, b) => a + b, 0), ReduceMax: reduced(Math.max, -Infinity),
    Softmax: softmax, MatMul: matMul, Gemm: gemm, Pad: pad, InstanceNormalization: instanceNorm,
    Gather: ([x, at], { axis: along = 0 }) =>
      gathered(x, numbers(at), axis(along, x.shape.length), at.shape),
    Concat: (xs, { axis: at }) => concat(xs, axis(at, xs[0].shape.length)),
    Reshape: reshape, DepthToSpace: depthToSpace, Identity: ([x]) => x,
    Transpose: ([x], { perm }) => transposed(x, perm),
  };
  return { OPS, tensor };
}
