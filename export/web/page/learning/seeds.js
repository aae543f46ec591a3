/**
 * Seeds and random orders: the numbers of `ecavg_tf/core/seeds.py`.
 *
 * A tab must visit its examples in the order in which Python would, so numpy's PCG64 and its
 * SeedSequence are here again, bit by bit (M. E. O'Neill, "PCG", 2014; numpy promises to keep the
 * raw stream, NEP 19).
 */

import { canonicalJson } from "./canonical_json.js";
import { digest } from "./hashing.js";

const { imul } = Math;
const POOL = 4;
const LIMB = 0x10000; // 128 bits are eight limbs of 16, lowest first: their products are exact
const LIMBS = 8;
const MULTIPLIER = limbs(0x2360ed05n, 0x1fc65da4n, 0x4385df64n, 0x9fccf645n);

/** A seed in [0, 2**31) for one place in a run; see `derive_seed` in Python. */
export async function deriveSeed(seed, ...place) {
  const bytes = await digest(canonicalJson([seed, ...place]));
  return new DataView(bytes.buffer).getUint32(0, true) >>> 1;
}

/** A random order of 0 … n - 1, fixed by a seed and a place. */
export async function permutation(n, seed, ...place) {
  const { high, low } = new Stream(await deriveSeed(seed, ...place)).raw(n);
  const order = Int32Array.from({ length: n }, (_, at) => at);
  return order.sort(
    (one, other) => high[one] - high[other] || low[one] - low[other] || one - other
  );
}

/** Uniform numbers in (0, 1), fixed by a seed and a place. */
export async function uniforms(n, seed, ...place) {
  return (await uniformStream(seed, ...place)).uniforms(n);
}

/** The same numbers, as many at a time as one wants. */
export async function uniformStream(seed, ...place) {
  return new Stream(await deriveSeed(seed, ...place));
}

/** The order in which an epoch, from 0, visits n examples. */
export function epochOrder(n, seed, round, who, epoch) {
  return permutation(n, seed, "order", round, who, epoch);
}

/** The numbers of numpy's PCG64(seed), one after another. */
class Stream {
  constructor(seed) {
    const words = seedWords(seed); // pairs of 32 bits, the lower of each 64 first
    const start = limbs(...[1, 0, 3, 2].map((at) => BigInt(words[at])));
    const stream = limbs(...[5, 4, 7, 6].map((at) => BigInt(words[at])));
    this.increment = added(added(stream, stream), limbs(0n, 0n, 0n, 1n));
    this.other = added(this.increment, start);
    this.state = new Float64Array(LIMBS);
    this.#step();
  }

  /** The next n, as their upper and lower 32 bits. */
  raw(n) {
    const high = new Uint32Array(n);
    const low = new Uint32Array(n);
    for (let at = 0; at < n; at++) {
      [this.state, this.other] = [this.other, this.state];
      this.#step();
      output(this.state, high, low, at);
    }
    return { high, low };
  }

  /** The next n, as numbers in (0, 1). */
  uniforms(n) {
    const { high, low } = this.raw(n);
    const drawn = new Float64Array(n);
    for (let at = 0; at < n; at++) {
      drawn[at] = (high[at] * 2 ** 21 + (low[at] >>> 11)) * 2 ** -53 + 2 ** -54;
    }
    return drawn;
  }

  /** other * MULTIPLIER + increment, modulo 2**128, into the state: two arrays, no garbage. */
  #step() {
    const { state, other, increment } = this;
    let carry = 0;
    for (let at = 0; at < LIMBS; at++) {
      let limb = increment[at] + carry;
      for (let from = 0; from <= at; from++) limb += other[from] * MULTIPLIER[at - from];
      carry = (limb / LIMB) | 0;
      state[at] = limb - carry * LIMB;
    }
  }
}

function limbs(...words) {
  const whole = words.reduce((sum, word) => (sum << 32n) | word, 0n);
  return Float64Array.from({ length: LIMBS }, (_, at) => Number((whole >> BigInt(16 * at)) & 0xffffn));
}

function added(one, other) {
  let carry = 0;
  return one.map((limb, at) => {
    const sum = limb + other[at] + carry;
    carry = sum >= LIMB ? 1 : 0;
    return sum - carry * LIMB;
  });
}

/** XSL-RR: both halves are combined by exclusive or, and turned by the upper six bits. */
function output(state, high, low, at) {
  const top = ((state[7] ^ state[3]) * LIMB + (state[6] ^ state[2])) >>> 0;
  const bottom = ((state[5] ^ state[1]) * LIMB + (state[4] ^ state[0])) >>> 0;
  const turn = state[7] >>> 10;
  const one = turn < 32 ? top : bottom;
  const other = turn < 32 ? bottom : top;
  const by = turn & 31;
  high[at] = by ? (one >>> by) | (other << (32 - by)) : one;
  low[at] = by ? (other >>> by) | (one << (32 - by)) : other;
}

/** numpy's SeedSequence(seed).generate_state(8, uint32) for a seed below 2**32. */
function seedWords(seed) {
  const pool = new Uint32Array(POOL);
  let constant = 0x43b0d7e5;
  const hashed = (value) => {
    let mixed = value ^ constant;
    constant = imul(constant, 0x931e8875);
    mixed = imul(mixed, constant);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const mix = (one, other) => {
    const mixed = (imul(one, 0xca01f9dd) - imul(other, 0x4973f715)) | 0;
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  for (let at = 0; at < POOL; at++) pool[at] = hashed(at ? 0 : seed);
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) {
      if (from !== to) pool[to] = mix(pool[to], hashed(pool[from]));
    }
  }
  let other = 0x8b51f9dd;
  return Array.from({ length: 8 }, (_, at) => {
    let value = pool[at % POOL] ^ other;
    other = imul(other, 0x58f38ded);
    value = imul(value, other);
    return (value ^ (value >>> 16)) >>> 0;
  });
}
