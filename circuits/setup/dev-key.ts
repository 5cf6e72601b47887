/**
 * Development proving keys: Groth16's set-up (https://eprint.iacr.org/2016/260, section 3.2, with gamma = 1) run by one
 * party from a PUBLIC trapdoor. Anyone can forge proofs under such a key; it exists so that a test network starts in
 * seconds. Production keys come from circuits/ceremony.
 *
 * A ceremony does four group multiplications per non-zero coefficient. Knowing the trapdoor, all sums are taken in the
 * scalar field first, and one multiplication of a fixed generator per wire remains.
 */
import { createHash } from "node:crypto";
import { inverse, modulo, scalarField as r } from "../../keepers/src/core/groth16/field.ts";
import { g1FromMontgomery, g2FromMontgomery } from "../../keepers/src/core/groth16/montgomery.ts";
import type { VerifyingKey } from "../../keepers/src/core/groth16/types.ts";
import type { FixedBasePool } from "./fixed-base-pool.ts";
import { lagrangeAt } from "./lagrange.ts";
import type { R1cs } from "./r1cs.ts";
import {
  coefficientBytes,
  coefficientInFile,
  emptyCeremonySection,
  headerSection,
  protocolSection,
  writeField,
  zkeyFile,
} from "./zkey.ts";

export type DevelopmentKey = {
  /** Consecutive parts of a zkey file that snarkjs 0.7 reads. */
  zkey: Uint8Array[];
  verifyingKey: VerifyingKey;
};

type Trapdoor = { tau: bigint; alpha: bigint; beta: bigint; delta: bigint };

type Polynomials = { u: bigint[]; v: bigint[]; w: bigint[]; coefficients: Uint8Array };

/** @param label decides the trapdoor: the same circuit has the same development key on every machine. */
export async function createDevelopmentKey(
  r1cs: R1cs,
  label: string,
  pool: FixedBasePool,
): Promise<DevelopmentKey> {
  const { wires, publicSignals, constraints } = r1cs.header;
  // snarkjs' choice: the smallest power of two above the constraints and one row per public signal.
  const domain = 1 << (Math.floor(Math.log2(constraints + publicSignals)) + 1);
  const { tau, alpha, beta, delta } = publicTrapdoor(label);
  const inverseDelta = inverse(delta, r);
  const { u, v, w, coefficients } = evaluateAt(r1cs, lagrangeAt(tau, domain, 0, 1, domain));
  const shares = u.map((_, wire) => (beta * u[wire]! + alpha * v[wire]! + w[wire]!) % r);
  const privateShares = shares.slice(publicSignals + 1).map((share) => (share * inverseDelta) % r);
  // The quotient is committed by its values on the odd points of the domain of twice the size, as snarkjs' prover does.
  const quotient = lagrangeAt(tau, 2 * domain, 1, 2, domain).map((value) => (value * inverseDelta) % r);

  const [fixed1, fixed2, ic, a, b1, b2, c, h] = await Promise.all([
    pool.multiply("G1", scalars([alpha, beta, delta])),
    pool.multiply("G2", scalars([beta, 1n, delta])),
    pool.multiply("G1", scalars(shares.slice(0, publicSignals + 1))),
    pool.multiply("G1", scalars(u)),
    pool.multiply("G1", scalars(v)),
    pool.multiply("G2", scalars(v)),
    pool.multiply("G1", scalars(privateShares)),
    pool.multiply("G1", scalars(quotient)),
  ]);
  const header = headerSection({
    wires,
    publicSignals,
    domain,
    alpha1: fixed1.subarray(0, 64),
    beta1: fixed1.subarray(64, 128),
    beta2: fixed2.subarray(0, 128),
    gamma2: fixed2.subarray(128, 256),
    delta1: fixed1.subarray(128, 192),
    delta2: fixed2.subarray(256, 384),
  });
  const points = [ic, coefficients, a, b1, b2, c, h];
  return {
    zkey: zkeyFile([
      protocolSection(),
      header,
      ...points.map((bytes, index) => ({ type: 3 + index, bytes })),
      emptyCeremonySection(),
    ]),
    verifyingKey: {
      alpha: g1FromMontgomery(fixed1, 0),
      beta: g2FromMontgomery(fixed2, 0),
      gamma: g2FromMontgomery(fixed2, 128),
      delta: g2FromMontgomery(fixed2, 256),
      ic: Array.from({ length: publicSignals + 1 }, (_, index) => g1FromMontgomery(ic, 64 * index)),
    },
  };
}

/** Hashed from a public label on purpose: nobody can mistake the key for a secret one, and it is reproducible. */
export function publicTrapdoor(label: string): Trapdoor {
  const element = (name: string): bigint => {
    const digest = createHash("sha512")
      .update(`assay public development trapdoor/${label}/${name}`)
      .digest("hex");
    return modulo(BigInt(`0x${digest}`), r);
  };
  return { tau: element("tau"), alpha: element("alpha"), beta: element("beta"), delta: element("delta") };
}

/** The wires' polynomials at tau, and the coefficient section that the prover evaluates them from. */
function evaluateAt(r1cs: R1cs, lagrange: bigint[]): Polynomials {
  const { wires, publicSignals, constraints } = r1cs.header;
  const sums = [zeros(wires), zeros(wires), zeros(wires)] as const;
  let terms = publicSignals + 1;
  r1cs.forEachTerm((matrix) => {
    if (matrix < 2) terms++;
  });
  const coefficients = new Uint8Array(4 + terms * coefficientBytes);
  const view = new DataView(coefficients.buffer);
  view.setUint32(0, terms, true);
  let position = 4;
  const encoded = new Map<bigint, bigint>();
  const push = (matrix: number, constraint: number, wire: number, value: bigint): void => {
    let inFile = encoded.get(value);
    if (inFile === undefined) {
      inFile = coefficientInFile(value);
      encoded.set(value, inFile);
    }
    view.setUint32(position, matrix, true);
    view.setUint32(position + 4, constraint, true);
    view.setUint32(position + 8, wire, true);
    writeField(view, position + 12, inFile);
    position += coefficientBytes;
  };
  r1cs.forEachTerm((matrix, constraint, wire, value) => {
    const column = sums[matrix];
    column[wire] = (column[wire]! + value * lagrange[constraint]!) % r;
    if (matrix < 2) push(matrix, constraint, wire, value);
  });
  // One row `signal · 0 = 0` per public signal and the constant: it makes the public polynomials independent.
  for (let signal = 0; signal <= publicSignals; signal++) {
    sums[0][signal] = (sums[0][signal]! + lagrange[constraints + signal]!) % r;
    push(0, constraints + signal, signal, 1n);
  }
  return { u: sums[0], v: sums[1], w: sums[2], coefficients };
}

function zeros(length: number): bigint[] {
  return new Array<bigint>(length).fill(0n);
}

function scalars(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 32);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) writeField(view, index * 32, value);
  return bytes;
}
