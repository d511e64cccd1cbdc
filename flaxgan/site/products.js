"use strict";

// Products of matrices, as WebAssembly with SIMD that is assembled here, byte by byte.
//
// A product C = A B is computed 4 rows by 8 columns at a time. A is packed as panels of 4 rows
// (k, 4), B as panels of 8 columns (k, 8), so that the innermost loop reads both in order.
function products() {
  const ROWS = 4, COLUMNS = 8, PAGE = 65536;
  const AT_ONCE = 1 << 16; // numbers of B that are packed at once; they stay in the second cache
  const code = assembled();
  const simd = typeof WebAssembly === "object" && WebAssembly.validate(code);
  const memory = simd && new WebAssembly.Memory({ initial: 1 });
  let floats = new Float32Array(simd ? memory.buffer : PAGE / 4);
  const block = simd
    ? new WebAssembly.Instance(new WebAssembly.Module(code), { e: { m: memory } }).exports.f
    : plainBlock;
  let used = 0; // numbers; what lies above is scratch, overwritten by each product

  // (a, b, c, k, panels, stride), all but k and panels in bytes: 4 rows of C, `stride` apart, of a
  // panel of A and of so many panels of B.
  function assembled() {
    const [A, B, C, K, PANELS, STRIDE, at, i] = [0, 1, 2, 3, 4, 5, 6, 7];
    const sums = [8, 9, 10, 11, 12, 13, 14, 15], [b0, b1, splat, zero] = [16, 17, 18, 19];
    const get = (x) => [0x20, x], set = (x) => [0x21, x], tee = (x) => [0x22, x];
    const add = (x, operand) => [...get(x), ...operand, 0x6a, ...set(x)];
    const number = (x) => [0x41, x];
    const simd = (...op) => [0xfd, ...op];
    const load = (x, offset) => [...get(x), ...simd(0x00, 2, offset)];
    const times = [...simd(0xe6, 1)], plus = [...simd(0xe4, 1)];
    const loop = (counter, ...body) => [
      0x03, 0x40, ...body.flat(), ...get(counter), ...number(1), 0x6b, ...tee(counter),
      0x0d, 0, 0x0b,
    ];
    const body = loop(PANELS,
      sums.flatMap((sum) => [...get(zero), ...set(sum)]),
      get(A), set(at), get(K), set(i),
      loop(i,
        load(B, 0), set(b0), load(B, 16), set(b1),
        [0, 1, 2, 3].flatMap((row) => [
          ...get(at), ...simd(0x09, 2, 4 * row), ...set(splat),
          ...[b0, b1].flatMap((b, half) => [
            ...get(sums[2 * row + half]), ...get(splat), ...get(b), ...times, ...plus,
            ...set(sums[2 * row + half]),
          ]),
        ]),
        add(at, number(16)), add(B, number(32)),
      ),
      get(C), set(at),
      [0, 1, 2, 3].flatMap((row) => [
        ...[0, 1].flatMap((half) => [
          ...get(at), ...get(sums[2 * row + half]), ...simd(0x0b, 2, 16 * half),
        ]),
        ...add(at, get(STRIDE)),
      ]),
      add(C, number(32)),
    );
    const size = (x) => (x < 128 ? [x] : [(x & 127) | 128, x >> 7]);
    const section = (id, ...bytes) => [id, ...size(bytes.length), ...bytes];
    const locals = [2, 2, 0x7f, 12, 0x7b];
    const whole = [...locals, ...body, 0x0b];
    return new Uint8Array([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, 1, 0x60, 6, ...Array(6).fill(0x7f), 0),
      ...section(2, 1, 1, 0x65, 1, 0x6d, 2, 0, 1), // the memory, imported as e.m
      ...section(3, 1, 0),
      ...section(7, 1, 1, 0x66, 0, 0),
      ...section(10, 1, ...size(whole.length), ...whole),
    ]);
  }

  // The same where a browser has no SIMD.
  function plainBlock(a, b, c, k, panels, stride) {
    const x = floats;
    for (let panel = 0; panel < panels; panel++)
      for (let row = 0; row < ROWS; row++) {
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        let at = a / 4 + row, from = b / 4 + panel * COLUMNS * k;
        for (const end = at + k * ROWS; at < end; at += ROWS, from += COLUMNS) {
          const y = x[at];
          s0 += y * x[from]; s1 += y * x[from + 1]; s2 += y * x[from + 2]; s3 += y * x[from + 3];
          s4 += y * x[from + 4]; s5 += y * x[from + 5]; s6 += y * x[from + 6];
          s7 += y * x[from + 7];
        }
        x.set([s0, s1, s2, s3, s4, s5, s6, s7], (c + row * stride) / 4 + panel * COLUMNS);
      }
  }

  function reserve(numbers) {
    if (numbers <= floats.length) return;
    if (simd) {
      memory.grow(Math.ceil((numbers - floats.length) * 4 / PAGE));
      floats = new Float32Array(memory.buffer);
    } else {
      const before = floats;
      floats = new Float32Array(numbers);
      floats.set(before);
    }
  }

  const panelsOf = (m) => Math.ceil(m / ROWS);

  function packed(at, A, m, k, stepM, stepK, from) {
    reserve(at + panelsOf(m) * ROWS * k);
    for (let row = 0; row < panelsOf(m) * ROWS; row++) {
      let to = at + (row - row % ROWS) * k + row % ROWS;
      for (let i = 0; i < k; i++, to += ROWS)
        floats[to] = row < m ? A[from + row * stepM + i * stepK] : 0;
    }
    return { at, m, k };
  }

  return {
    // Packs A (m, k) to be kept; `stepM` and `stepK` lie between its numbers, which begin at `from`.
    keep(A, m, k, stepM = k, stepK = 1, from = 0) {
      const kept = packed(used, A, m, k, stepM, stepK, from);
      used += panelsOf(m) * ROWS * k;
      return kept;
    },

    // Computes A B for B (k, n). `A` was kept, or is the arguments of `keep`. `fill(to, at, first,
    // count)` writes columns of B to the array `to` from `at` on: number (i, j) of them to
    // at + (j >> 3) * 8 * k + 8 * i + (j & 7). `take(C, at, stride, first, count)` is handed these
    // columns of C, whose rows are `stride` apart. Both are called for a part of the columns.
    multiply(A, n, fill, take) {
      const kept = !Array.isArray(A);
      const [m, k] = kept ? [A.m, A.k] : [A[1], A[2]];
      const part = Math.min(Math.ceil(n / COLUMNS), Math.max(1, Math.floor(AT_ONCE / k / COLUMNS)));
      const stride = part * COLUMNS, rows = panelsOf(m) * ROWS;
      const a = kept ? A.at : used, b = kept ? used : used + rows * k, c = b + k * stride;
      reserve(c + rows * stride);
      if (!kept) packed(a, A[0], m, k, A[3] ?? k, A[4] ?? 1, A[5] ?? 0);
      for (let first = 0; first < n; first += stride) {
        const count = Math.min(stride, n - first), panels = Math.ceil(count / COLUMNS);
        fill(floats, b, first, count);
        for (let row = 0; row < rows; row += ROWS)
          block(4 * (a + row * k), 4 * b, 4 * (c + row * stride), k, panels, 4 * stride);
        take(floats, c, stride, first, count);
      }
    },
    get simd() { return simd; },
  };
}
