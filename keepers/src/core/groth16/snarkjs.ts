import type { G1Point, G2Point, Proof, VerifyingKey } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

/** A proof as snarkjs prints it: decimal strings, projective with `z = 1`, real part first in Fp2. */
export type SnarkjsProof = {
  pi_a: string[];
  pi_b: string[][];
  pi_c: string[];
  protocol: string;
  curve: string;
};

/** The parts of snarkjs' `verification_key.json` that verification needs. */
export type SnarkjsVerifyingKey = {
  protocol: string;
  curve: string;
  nPublic: number;
  vk_alpha_1: string[];
  vk_beta_2: string[][];
  vk_gamma_2: string[][];
  vk_delta_2: string[][];
  IC: string[][];
};

/** @throws Groth16FormatError when the object does not have snarkjs' form. Points are not checked. */
export function proofFromSnarkjs(proof: SnarkjsProof): Proof {
  assertGroth16(proof);
  return { a: g1(proof.pi_a), b: g2(proof.pi_b), c: g1(proof.pi_c) };
}

export function proofToSnarkjs(proof: Proof): SnarkjsProof {
  return {
    pi_a: g1Strings(proof.a),
    pi_b: g2Strings(proof.b),
    pi_c: g1Strings(proof.c),
    protocol: "groth16",
    curve: "bn128",
  };
}

/** @throws Groth16FormatError when the object does not have snarkjs' form. Points are not checked. */
export function verifyingKeyFromSnarkjs(key: SnarkjsVerifyingKey): VerifyingKey {
  assertGroth16(key);
  if (key.IC.length !== key.nPublic + 1) {
    throw new Groth16FormatError(`A key for ${key.nPublic} public signals has ${key.IC.length} IC points.`);
  }
  return {
    alpha: g1(key.vk_alpha_1),
    beta: g2(key.vk_beta_2),
    gamma: g2(key.vk_gamma_2),
    delta: g2(key.vk_delta_2),
    ic: key.IC.map(g1),
  };
}

export function verifyingKeyToSnarkjs(key: VerifyingKey): SnarkjsVerifyingKey {
  return {
    protocol: "groth16",
    curve: "bn128",
    nPublic: key.ic.length - 1,
    vk_alpha_1: g1Strings(key.alpha),
    vk_beta_2: g2Strings(key.beta),
    vk_gamma_2: g2Strings(key.gamma),
    vk_delta_2: g2Strings(key.delta),
    IC: key.ic.map(g1Strings),
  };
}

function assertGroth16(value: { protocol: string; curve: string }): void {
  if (value.protocol !== "groth16" || value.curve !== "bn128") {
    throw new Groth16FormatError(`Expected groth16 over bn128, found ${value.protocol} over ${value.curve}.`);
  }
}

function g1(point: readonly string[]): G1Point {
  if (point.length !== 3 || integer(point[2]) !== 1n) {
    throw new Groth16FormatError("A point of G1 is not affine, or at infinity.");
  }
  return { x: integer(point[0]), y: integer(point[1]) };
}

function g2(point: readonly string[][]): G2Point {
  const [x, y, z] = point;
  if (point.length !== 3 || !x || !y || !z || integer(z[0]) !== 1n || integer(z[1]) !== 0n) {
    throw new Groth16FormatError("A point of G2 is not affine, or at infinity.");
  }
  return { x: { c0: integer(x[0]), c1: integer(x[1]) }, y: { c0: integer(y[0]), c1: integer(y[1]) } };
}

function integer(text: string | undefined): bigint {
  if (text === undefined || !/^[0-9]{1,80}$/.test(text)) {
    throw new Groth16FormatError("A coordinate is not a decimal number.");
  }
  return BigInt(text);
}

function g1Strings(point: G1Point): string[] {
  return [point.x.toString(), point.y.toString(), "1"];
}

function g2Strings(point: G2Point): string[][] {
  return [
    [point.x.c0.toString(), point.x.c1.toString()],
    [point.y.c0.toString(), point.y.c1.toString()],
    ["1", "0"],
  ];
}
