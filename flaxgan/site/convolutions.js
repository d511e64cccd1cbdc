// Convolutions of ONNX, (N, C, H, W), as products of matrices.
function convolutions(products) {
  "use strict";

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

  return { filler, operators: { Conv: conv, ConvTranspose: convTranspose } };
}
