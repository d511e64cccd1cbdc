"use strict";

// The z and the classes of a seed, as JAX draws them: threefry-2x32 (Salmon et al. 2011), a key for
// each row, and the inverse error function as XLA has it. So a seed's pictures are Python's.
function latents() {
  const SAMPLING = 2, NOT_A_ROW = 0xffffffff; // flaxgan/rng.py, flaxgan/methods/sampling.py
  const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];
  const bits = new DataView(new ArrayBuffer(4));
  const f = Math.fround;

  function threefry([k0, k1], x0, x1) {
    const keys = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
    x0 = (x0 + k0) | 0;
    x1 = (x1 + k1) | 0;
    for (let round = 0; round < 5; round++) {
      for (const by of ROTATIONS[round % 2]) {
        x0 = (x0 + x1) | 0;
        x1 = ((x1 << by) | (x1 >>> (32 - by))) ^ x0;
      }
      x0 = (x0 + keys[(round + 1) % 3]) | 0;
      x1 = (x1 + keys[(round + 2) % 3] + round + 1) | 0;
    }
    return [x0, x1];
  }

  const foldIn = (key, number) => threefry(key, 0, number | 0);
  const keyOf = (seed) => foldIn([0, seed | 0], SAMPLING);

  // Number i of a key, from [0, 1).
  function uniform(key, i) {
    const [high, low] = threefry(key, 0, i);
    bits.setUint32(0, ((high ^ low) >>> 9) | 0x3f800000);
    return f(bits.getFloat32(0) - 1);
  }

  const polynomial = (w, factors) => factors.reduce((sum, factor) => f(factor + f(sum * w)));

  // Giles 2012, in float32.
  function inverseErf(x) {
    let w = f(-Math.log1p(f(-x * x)));
    const near = w < 5;
    w = near ? f(w - 2.5) : f(f(Math.sqrt(w)) - 3);
    return f(x * polynomial(w, (near
      ? [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3,
        -4.17768164e-3, 2.46640727e-1, 1.50140941]
      : [-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3,
        -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682]).map(f)));
  }

  // By its Taylor series, and 1 from where float32 has no other number.
  function erf(x) {
    if (Math.abs(x) > 4) return Math.sign(x);
    let sum = x, term = x;
    for (let n = 1; n < 100; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return f(2 / Math.sqrt(Math.PI) * sum);
  }

  return {
    // Row i of a seed; no number of it is larger than `truncation`, if that is not null.
    z(seed, i, size, truncation = null) {
      const key = foldIn(keyOf(seed), i), root = f(Math.SQRT2);
      const high = truncation === null ? 1 : erf(f(truncation / root));
      const low = truncation === null ? f(-1 + 2 ** -24) : -high;
      return Float32Array.from({ length: size }, (_, at) => {
        const drawn = Math.max(low, f(f(uniform(key, at) * f(high - low)) + low));
        const x = f(root * inverseErf(drawn));
        return truncation === null ? x : Math.min(Math.max(x, -truncation), truncation);
      });
    },

    // The class of picture i, as frequent as `counts` says.
    classOf(seed, i, counts) {
      const drawn = uniform(foldIn(foldIn(keyOf(seed), NOT_A_ROW), i), 0);
      const all = counts.reduce((sum, count) => sum + count, 0);
      let sum = 0;
      return counts.findIndex((count) => f((sum += count) / all) > drawn);
    },

    // From a to b, a share of the way, on the sphere (White 2016).
    between(a, b, share) {
      let [ab, aa, bb] = [0, 0, 0];
      for (let i = 0; i < a.length; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
      }
      let angle = Math.acos(Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb))));
      if (!(Math.sin(angle) > 1e-3)) angle = 1e-2; // where there is no way around
      const [ofA, ofB] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
      return a.map((x, i) => (ofA * x + ofB * b[i]) / Math.sin(angle));
    },
  };
}
