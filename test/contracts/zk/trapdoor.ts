/**
 * Groth16 instances whose trapdoor is known: with it, a valid proof of any inputs is one linear equation in the
 * exponents, `a·b = alpha·beta + L·gamma + c·delta` with `L = ic_0 + Σ x_i·ic_i`. Independent of circuits and provers.
 */
import { bn254 } from "@noble/curves/bn254.js";
import { type Hex, numberToHex } from "viem";
import { publicTrapdoor } from "../../../circuits/setup/dev-key.ts";

/** Order of the groups. */
export const r = bn254.fields.Fr.ORDER;
/** Order of the base field. */
export const p = bn254.fields.Fp.ORDER;

const { Fr, Fp, Fp2 } = bn254.fields;

export type Words8 = readonly [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
export type Words4 = readonly [bigint, bigint, bigint, bigint];

export type Instance = {
  /** Discrete logarithms of the key. */
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
  readonly ic: readonly bigint[];
  /** The key as the contract takes it (storage protocol, section 7). */
  readonly key: Hex;
};

/** A stream of scalars that is the same in every run. */
export function scalars(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % (1n << 512n);
    return Fr.create(state ** 5n % r) || 1n;
  };
}

export function g1(scalar: bigint): readonly [bigint, bigint] {
  const { x, y } = bn254.G1.Point.BASE.multiply(scalar).toAffine();
  return [x, y];
}

/** EIP-197 order: imaginary parts first. */
export function g2(scalar: bigint): readonly [bigint, bigint, bigint, bigint] {
  const { x, y } = bn254.G2.Point.BASE.multiply(scalar).toAffine();
  return [x.c1, x.c0, y.c1, y.c0];
}

export function words(values: readonly bigint[]): Hex {
  return `0x${values.map((value) => numberToHex(value, { size: 32 }).slice(2)).join("")}`;
}

export function createInstance(inputs: number, seed = 1n): Instance {
  const next = scalars(seed);
  const [alpha, beta, gamma, delta] = [next(), next(), next(), next()] as const;
  const ic = Array.from({ length: inputs + 1 }, next);
  const key = words([...g1(alpha), ...g2(beta), ...g2(gamma), ...g2(delta), ...ic.flatMap((s) => g1(s))]);
  return { alpha, beta, gamma, delta, ic, key };
}

/** A verifying key with the published delta of circuits/setup: all else can be anything, proofs are forged all the same. */
export function developmentKey(label: string): Hex {
  const { delta } = publicTrapdoor(label);
  const next = scalars(77n);
  return words([...g1(next()), ...g2(next()), ...g2(1n), ...g2(delta), ...g1(next())]);
}

/** A valid proof of `inputs`; another `seed` gives another proof of the same statement, as re-randomising does. */
export function prove(instance: Instance, inputs: readonly bigint[], seed = 7n): Words8 {
  const next = scalars(seed);
  const [a, b] = [next(), next()];
  const sum = instance.ic.reduce(
    (total, ic, i) => Fr.add(total, Fr.mul(ic, i === 0 ? 1n : Fr.create(inputs[i - 1]!))),
    0n,
  );
  const rest = Fr.sub(
    Fr.mul(a, b),
    Fr.add(Fr.mul(instance.alpha, instance.beta), Fr.mul(sum, instance.gamma)),
  );
  const c = Fr.mul(rest, Fr.inv(instance.delta));
  const [[ax, ay], [bx1, bx0, by1, by0], [cx, cy]] = [g1(a), g2(b), g1(c)];
  return [ax, ay, bx1, bx0, by1, by0, cx, cy];
}

/** A point of the twist outside the subgroup of order r, as 4 words. */
export function outsideSubgroup(): readonly [bigint, bigint, bigint, bigint] {
  const b = Fp2.div({ c0: 3n, c1: 0n }, { c0: 9n, c1: 1n });
  for (let c0 = 1n; ; c0++) {
    const x = { c0, c1: 1n };
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), b);
    const y = rootInFp2(square);
    if (y === undefined) continue;
    const point = bn254.G2.Point.fromAffine({ x, y });
    if (!point.isTorsionFree()) return [x.c1, x.c0, y.c1, y.c0];
  }
}

/** The 128-byte form, with both roots found by search: independent of the production encoder. */
export function compress(proof: Words8): Words4 {
  const [ax, ay, bx1, bx0, by1, by0, cx, cy] = proof;
  // a = y0² − y1²; d is the root of a² + b² = (y0² + y1²)² that is a square; (a + d)/2 is y0² when d = y0² + y1².
  const hint = legendre(Fp.add(Fp.sqr(by0), Fp.sqr(by1))) === 1n ? 0n : 1n;
  return [
    ax | ((ay & 1n) << 255n),
    bx1 | ((by0 & 1n) << 255n) | (hint << 254n),
    bx0,
    cx | ((cy & 1n) << 255n),
  ];
}

function legendre(value: bigint): bigint {
  return Fp.pow(value, (p - 1n) / 2n);
}

function rootInFp2(square: { c0: bigint; c1: bigint }): { c0: bigint; c1: bigint } | undefined {
  try {
    return Fp2.sqrt(square);
  } catch {
    return undefined;
  }
}
