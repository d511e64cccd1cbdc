// Runs a graph of ONNX operators (flaxgan/formats/graph.py) on tensors { shape, data }.
function runner(products, convolutions) {
  "use strict";
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

  function matMul([a, b], node) {
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

  const turned = (x) => read(x, [...x.shape].reverse(), stepsOf(x.shape).reverse());

  function gemm([a, b, c], { transA, transB, alpha = 1, beta = 1 }, node) {
    let y = matMul([transA ? turned(a) : a, transB ? turned(b) : b], transB ? undefined : node);
    if (alpha !== 1) y = each((x) => x * alpha)([y]);
    return c ? OPS.Add([y, beta === 1 ? c : each((x) => x * beta)([c])]) : y;
  }

  function slice([x, starts, ends, axes, steps]) {
    const shape = [...x.shape], by = stepsOf(x.shape);
    let start = 0;
    numbers(starts).forEach((first, i) => {
      const at = axis(axes ? axes.data[i] : i, shape.length), step = steps ? steps.data[i] : 1;
      const side = x.shape[at], clamp = (index, low, high) =>
        Math.min(Math.max(index < 0 ? index + side : index, low), high);
      const from = clamp(first, 0, step < 0 ? side - 1 : side);
      const to = ends.data[i] < -side ? (step < 0 ? -1 : 0)
        : clamp(ends.data[i], step < 0 ? -1 : 0, side);
      shape[at] = Math.max(0, Math.ceil((to - from) / step));
      start += from * by[at];
      by[at] *= step;
    });
    return read(x, shape, by, start);
  }

  const SOURCES = { // of a pixel that is added around a picture
    edge: (i, side) => Math.min(Math.max(i, 0), side - 1),
    reflect: (i, side) => (side === 1 ? 0 : side - 1 - Math.abs(side - 1 - (Math.abs(i) % (2 * side - 2)))),
    constant: (i, side) => (i < 0 || i >= side ? -1 : i),
  };

  function pad([x, pads, value, axes], { mode = "constant" }) {
    const named = axes ? numbers(axes).map((i) => axis(i, x.shape.length)) : [...x.shape.keys()];
    return named.reduce((y, at, i) => {
      const side = y.shape[at], before = pads.data[i], after = pads.data[i + named.length];
      if (!before && !after) return y;
      const indices = Array.from({ length: side + before + after },
        (_, j) => SOURCES[mode](j - before, side));
      return gathered(y, indices, at, [indices.length], value ? value.data[0] : 0);
    }, x);
  }

  // Takes these indices along an axis; -1 is `empty`.
  function gathered(x, indices, at, shape, empty = 0) {
    const inner = size(x.shape.slice(at + 1)), outer = size(x.shape.slice(0, at));
    const out = like(x.data, outer * indices.length * inner);
    let to = 0;
    for (let i = 0; i < outer; i++)
      for (const index of indices) {
        const from = (i * x.shape[at] + index) * inner;
        if (index < 0) out.fill(empty, to, to + inner);
        else for (let j = 0; j < inner; j++) out[to + j] = x.data[from + j];
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

  function softmax([x], { axis: at = -1 }) {
    const axes = tensor([1], [at]), highest = OPS.ReduceMax([x, axes]);
    const y = OPS.Exp([OPS.Sub([x, highest])]);
    return OPS.Div([y, OPS.ReduceSum([y, axes])]);
  }

  function squeezed([x, axes], { axes: named }) {
    const gone = (numbers(axes) ?? named)?.map((i) => axis(i, x.shape.length));
    return tensor(x.shape.filter((side, i) => (gone ? !gone.includes(i) : side !== 1)), x.data);
  }

  function unsqueezed([x, axes], { axes: named }) {
    const added = numbers(axes) ?? named, rank = x.shape.length + added.length;
    const places = new Set(added.map((i) => axis(i, rank))), sides = [...x.shape];
    return tensor(Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : sides.shift())), x.data);
  }

  const ARRAYS = { 1: Float32Array, 2: Uint8Array, 6: Int32Array, 7: Int32Array, 9: Uint8Array };
  const even = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  const power = (a, b) => (b === 2 ? a * a : a ** b);

  const OPS = {
    ...convolutions.operators,
    Add: both((a, b) => a + b), Sub: both((a, b) => a - b), Mul: both((a, b) => a * b),
    Div: both((a, b) => a / b), Pow: both(power),
    Max: both(Math.max), Min: both(Math.min),
    Less: both((a, b) => a < b, true), Greater: both((a, b) => a > b, true),
    GreaterOrEqual: both((a, b) => a >= b, true), LessOrEqual: both((a, b) => a <= b, true),
    Equal: both((a, b) => a === b, true), And: both((a, b) => a && b, true),
    Where: ([test, a, b]) => {
      const shape = common(test.shape, common(a.shape, b.shape));
      const [t, x, y] = [test, a, b].map((z) => read(z, shape, spread(z.shape, shape)).data);
      return tensor(shape, x.map((value, i) => (t[i] ? value : y[i])));
    },
    Relu: each((x) => (x > 0 ? x : 0)), Tanh: each(Math.tanh), Exp: each(Math.exp),
    Sigmoid: each((x) => 1 / (1 + Math.exp(-x))), Sqrt: each(Math.sqrt), Neg: each((x) => -x),
    Abs: each(Math.abs), Log: each(Math.log), Reciprocal: each((x) => 1 / x),
    Round: each(even), Floor: each(Math.floor), Not: each((x) => (x ? 0 : 1)),
    Identity: ([x]) => x,
    LeakyRelu: ([x], { alpha = 0.01 }) => each((y) => (y > 0 ? y : alpha * y))([x]),
    PRelu: both((x, slope) => (x > 0 ? x : slope * x)),
    Clip: ([x, low, high]) => {
      const [least, most] = [low?.data[0] ?? -Infinity, high?.data[0] ?? Infinity];
      return each((y) => Math.min(Math.max(y, least), most))([x]);
    },
    ReduceSum: reduced((a, b) => a + b, 0), ReduceMax: reduced(Math.max, -Infinity),
    ReduceMin: reduced(Math.min, Infinity),
    ReduceMean: reduced((a, b) => a + b, 0, (sum, count) => sum / count),
    ReduceSumSquare: reduced((a, b) => a + b * b, 0),
    ReduceL2: reduced((a, b) => a + b * b, 0, Math.sqrt),
    Softmax: softmax, MatMul: (inputs, _, node) => matMul(inputs, node),
    Gemm: gemm, Slice: slice, Pad: pad,
    Gather: ([x, at], { axis: along = 0 }) => {
      const by = axis(along, x.shape.length);
      return gathered(x, numbers(at).map((i) => axis(i, x.shape[by])), by, at.shape);
    },
    Concat: (xs, { axis: at }) => concat(xs, axis(at, xs[0].shape.length)),
    Reshape: reshape, Squeeze: squeezed, Unsqueeze: unsqueezed, DepthToSpace: depthToSpace,
    Flatten: ([x], { axis: at = 1 }) =>
      tensor([size(x.shape.slice(0, at)), size(x.shape.slice(at))], x.data),
    Expand: ([x, wanted]) => {
      const shape = common(x.shape, numbers(wanted));
      return read(x, shape, spread(x.shape, shape));
    },
    Transpose: ([x], { perm }) => transposed(x, perm ?? [...x.shape.keys()].reverse()),
    Cast: ([x], { to }) => tensor(x.shape, to === 9 ? Uint8Array.from(x.data, (y) => (y ? 1 : 0))
      : ARRAYS[to].from(x.data)),
    Shape: ([x]) => tensor([x.shape.length], Int32Array.from(x.shape)),
  };
  return { OPS, tensor };
}
