"use strict";

// Convolutions of ONNX, (N, C, H, W), as products of matrices.
function convolutions(products) {

  // Writes columns of a matrix whose number (i, j) is data[start + i * stepK + j * stepN].
  function filler(data, k, start, stepK, stepN) {
    return (to, at, first, count) => {
      for (let column = 0; column < count; column++) {
        let from = start + (first + column) * stepN;
        let into = at + (column >> 3) * 8 * k + (column & 7);
        for (let i = 0; i < k; i++, from += stepK, into += 8) to[into] = data[from];
      }
    };
  }

  function settings({ strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 }) {
    return { strides, pads, dilations, group };
  }

  // The columns are what the kernel sees at each place of the result: (C * kh * kw, h * w).
  function conv([x, weights, bias], attributes, node) {
    const { strides, pads, dilations, group } = settings(attributes);
    const [n, , H, W] = x.shape, [M, C, kh, kw] = weights.shape, m = M / group, k = C * kh * kw;
    const h = Math.floor((H + pads[0] + pads[2] - dilations[0] * (kh - 1) - 1) / strides[0]) + 1;
    const w = Math.floor((W + pads[1] + pads[3] - dilations[1] * (kw - 1) - 1) / strides[1]) + 1;
    node.kept ??= Array.from({ length: group }, (_, g) =>
      products.keep(weights.data, m, k, k, 1, g * m * k));
    const out = new Float32Array(n * M * h * w);
    for (let part = 0; part < n * group; part++) {
      const start = part * C * H * W, to = part * m * h * w, g = part % group;
      const fill = (columns, at, first, count) => {
        for (let column = 0; column < count; column++) {
          const place = first + column, left = (place % w) * strides[1] - pads[1];
          const top = Math.floor(place / w) * strides[0] - pads[0];
          let into = at + (column >> 3) * 8 * k + (column & 7);
          for (let c = 0, plane = start; c < C; c++, plane += H * W)
            for (let i = 0, row = top; i < kh; i++, row += dilations[0])
              for (let j = 0, at = left; j < kw; j++, at += dilations[1], into += 8)
                columns[into] = row < 0 || row >= H || at < 0 || at >= W
                  ? 0 : x.data[plane + row * W + at];
        }
      };
      products.multiply(node.kept[g], h * w, fill, (c, at, stride, first, count) => {
        for (let row = 0; row < m; row++) {
          const b = bias ? bias.data[g * m + row] : 0, from = at + row * stride;
          const into = to + row * h * w + first;
          for (let i = 0; i < count; i++) out[into + i] = c[from + i] + b;
        }
      });
    }
    return { shape: [n, M, h, w], data: out };
  }

  // What each place of x adds to the result, (M * kh * kw, H * W), is summed where it falls.
  function convTranspose([x, weights, bias], attributes, node) {
    const { strides, pads, dilations, group } = settings(attributes);
    const extra = attributes.output_padding ?? [0, 0];
    const [n, , H, W] = x.shape, [all, m, kh, kw] = weights.shape, k = all / group;
    const rows = m * kh * kw;
    const [h, w] = [[H, kh], [W, kw]].map(([side, kernel], i) =>
      (side - 1) * strides[i] + dilations[i] * (kernel - 1) + 1 + extra[i] - pads[i] - pads[i + 2]);
    node.kept ??= Array.from({ length: group }, (_, g) =>
      products.keep(weights.data, rows, k, 1, rows, g * k * rows));
    const out = new Float32Array(n * m * group * h * w);
    if (bias) out.forEach((_, i) => { out[i] = bias.data[Math.floor(i / h / w) % (m * group)]; });
    for (let part = 0; part < n * group; part++) {
      const to = part * m * h * w, fill = filler(x.data, k, part * k * H * W, H * W, 1);
      products.multiply(node.kept[part % group], H * W, fill, (c, at, stride, first, count) => {
        for (let row = 0; row < rows; row++) {
          const j = row % kw, i = Math.floor(row / kw) % kh, plane = Math.floor(row / kw / kh);
          const into = to + plane * h * w, from = at + row * stride;
          for (let column = 0; column < count; column++) {
            const place = first + column;
            const y = Math.floor(place / W) * strides[0] + i * dilations[0] - pads[0];
            const x = (place % W) * strides[1] + j * dilations[1] - pads[1];
            if (y >= 0 && y < h && x >= 0 && x < w) out[into + y * w + x] += c[from + column];
          }
        }
      });
    }
    return { shape: [n, m * group, h, w], data: out };
  }

  function maxPool([x], { kernel_shape: [kh, kw], strides }) {
    const [n, channels, H, W] = x.shape;
    const h = Math.floor((H - kh) / strides[0]) + 1, w = Math.floor((W - kw) / strides[1]) + 1;
    const out = new Float32Array(n * channels * h * w).fill(-Infinity);
    for (let to = 0; to < out.length; to++) {
      const plane = Math.floor(to / h / w) * H * W, column = (to % w) * strides[1];
      const row = (Math.floor(to / w) % h) * strides[0];
      for (let i = row; i < row + kh; i++)
        for (let j = column; j < column + kw; j++)
          out[to] = Math.max(out[to], x.data[plane + i * W + j]);
    }
    return { shape: [n, channels, h, w], data: out };
  }

  // So many times as large, between the middles of pixels (half_pixel).
  function resize([x, , scales], { mode }) {
    const [n, channels, H, W] = x.shape, [h, w] = [H * scales.data[2], W * scales.data[3]];
    const weights = (side, from) => Array.from({ length: side }, (_, i) => {
      const at = Math.min(Math.max((i + 0.5) * from / side - 0.5, 0), from - 1);
      if (mode === "nearest") return [Math.ceil(at - 0.5), Math.ceil(at - 0.5), 0];
      return [Math.floor(at), Math.min(Math.floor(at) + 1, from - 1), at % 1];
    });
    const [rows, columns] = [weights(h, H), weights(w, W)];
    const out = new Float32Array(n * channels * h * w);
    for (let plane = 0, to = 0; plane < n * channels * H * W; plane += H * W)
      for (const [top, bottom, down] of rows)
        for (const [left, right, along] of columns) {
          const [a, b, c, d] = [top * W + left, top * W + right, bottom * W + left,
            bottom * W + right].map((i) => x.data[plane + i]);
          out[to++] = (a * (1 - along) + b * along) * (1 - down) + (c * (1 - along) + d * along) * down;
        }
    return { shape: [n, channels, h, w], data: out };
  }

  return {
    filler,
    operators: { Conv: conv, ConvTranspose: convTranspose, MaxPool: maxPool, Resize: resize },
  };
}
