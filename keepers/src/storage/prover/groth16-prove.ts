/**
 * Groth16's prover (https://eprint.iacr.org/2016/260, section 3.2) for snarkjs' proving keys, over ffjavascript's WASM
 * threads. It computes what snarkjs' own prover does, but reads the key part by part and gives each transform to one
 * thread whole: less copying between threads, so half the memory, and the constraint rows are evaluated on all cores.
 */
import type { Curve, Step } from "ffjavascript";
import { getCurveFromName } from "ffjavascript";
import { g1FromMontgomery, g2FromMontgomery, readLittleEndian } from "../../core/groth16/montgomery.ts";
import type { Proof } from "../../core/groth16/types.ts";
import type { ProveResult } from "./prover.ts";
import { ProverError } from "./prover.ts";
import { coefficientBytes, ZkeyFile } from "./zkey-file.ts";

const fieldBytes = 32;

/** Coefficients read and evaluated at a time: about 1.4 MB. */
const coefficientsPerTask = 1 << 15;

/** A block of rows ends where the next coefficient's row is further away than this. */
const widestGap = 1 << 10;

/**
 * @param witness all wires, 32 bytes each, little-endian, as circom's witness generator gives them.
 * @throws ProverError when key and witness do not belong together.
 */
export async function proveGroth16(zkeyPath: string, witness: Uint8Array): Promise<ProveResult> {
  const curve = await getCurveFromName("bn128");
  const key = await ZkeyFile.open(zkeyPath);
  try {
    const { wires, publicSignals } = key.header;
    if (witness.length !== wires * fieldBytes) {
      throw new ProverError(`The key is for ${wires} wires, the witness has ${witness.length / fieldBytes}.`);
    }
    const quotient = await quotientOnOddPoints(curve, key, witness);
    const { G1, G2 } = curve;
    const privateWitness = witness.subarray((publicSignals + 1) * fieldBytes);
    const sums = {
      a: await G1.multiExpAffine(await key.points("a"), witness),
      b1: await G1.multiExpAffine(await key.points("b1"), witness),
      b2: await G2.multiExpAffine(await key.points("b2"), witness),
      c: await G1.multiExpAffine(await key.points("c"), privateWitness),
      h: await G1.multiExpAffine(await key.points("h"), quotient),
    };
    return { proof: blind(curve, key, sums), publicSignals: readSignals(witness, publicSignals) };
  } finally {
    await key.close();
  }
}

type Sums = { a: Uint8Array; b1: Uint8Array; b2: Uint8Array; c: Uint8Array; h: Uint8Array };

/** Adds the key's constants and two random multiples of delta, which make the proof say nothing about the witness. */
function blind(curve: Curve, key: ZkeyFile, sums: Sums): Proof {
  const { G1, G2, Fr } = curve;
  const { alpha1, beta1, beta2, delta1, delta2 } = key.header;
  const r = Fr.random();
  const s = Fr.random();
  const a = G1.add(G1.add(sums.a, alpha1), G1.timesFr(delta1, r));
  const b = G2.add(G2.add(sums.b2, beta2), G2.timesFr(delta2, s));
  const b1 = G1.add(G1.add(sums.b1, beta1), G1.timesFr(delta1, s));
  const blinding = G1.add(
    G1.add(G1.timesFr(a, s), G1.timesFr(b1, r)),
    G1.timesFr(delta1, Fr.neg(Fr.mul(r, s))),
  );
  const c = G1.add(G1.add(sums.c, sums.h), blinding);
  return {
    a: g1FromMontgomery(G1.toAffine(a)),
    b: g2FromMontgomery(G2.toAffine(b)),
    c: g1FromMontgomery(G1.toAffine(c)),
  };
}

/**
 * `A·B − C` on the odd points of the domain of twice the size, where the domain's vanishing polynomial is the constant −2:
 * the key's h points carry that factor. 32 bytes for each point, not in Montgomery form.
 */
async function quotientOnOddPoints(curve: Curve, key: ZkeyFile, witness: Uint8Array): Promise<Uint8Array> {
  const { domain } = key.header;
  const [a, b] = await evaluateRows(curve, key, witness);
  const length = domain * fieldBytes;
  const generator = curve.Fr.w[Math.log2(domain) + 1]!;
  const one = curve.Fr.e(1n);
  const shift: Step[] = [
    { cmd: "ALLOCSET", var: 1, buff: one },
    { cmd: "ALLOCSET", var: 2, buff: generator },
    call("frm_ifft", { var: 0 }, { val: domain }),
    call("frm_batchApplyKey", { var: 0 }, { val: domain }, { var: 1 }, { var: 2 }, { var: 0 }),
    call("frm_fft", { var: 0 }, { val: domain }),
    { cmd: "GET", out: 0, var: 0, len: length },
  ];
  const [oddC, oddA, oddB] = await Promise.all([
    curve.tm.queueAction([
      { cmd: "ALLOCSET", var: 3, buff: a },
      { cmd: "ALLOCSET", var: 4, buff: b },
      { cmd: "ALLOCSET", var: 5, buff: new Uint8Array(length) },
      { cmd: "ALLOC", var: 0, len: length },
      call("qap_joinABC", { var: 3 }, { var: 4 }, { var: 5 }, { val: domain }, { var: 0 }),
      ...shift,
    ]),
    curve.tm.queueAction([{ cmd: "ALLOCSET", var: 0, buff: a }, ...shift]),
    curve.tm.queueAction([{ cmd: "ALLOCSET", var: 0, buff: b }, ...shift]),
  ]);
  const [quotient] = await curve.tm.queueAction([
    { cmd: "ALLOCSET", var: 0, buff: oddA[0]! },
    { cmd: "ALLOCSET", var: 1, buff: oddB[0]! },
    { cmd: "ALLOCSET", var: 2, buff: oddC[0]! },
    { cmd: "ALLOC", var: 3, len: length },
    call("qap_joinABC", { var: 0 }, { var: 1 }, { var: 2 }, { val: domain }, { var: 3 }),
    call("frm_batchFromMontgomery", { var: 3 }, { val: domain }, { var: 3 }),
    { cmd: "GET", out: 0, var: 3, len: length },
  ]);
  return quotient!;
}

/** Values of the constraints' left and right factors, 32 bytes a row, in Montgomery form. */
async function evaluateRows(
  curve: Curve,
  key: ZkeyFile,
  witness: Uint8Array,
): Promise<[Uint8Array, Uint8Array]> {
  const length = key.header.domain * fieldBytes;
  const rows: [Uint8Array, Uint8Array] = [new Uint8Array(length), new Uint8Array(length)];
  // A row may be cut between two blocks: its parts are added.
  let lastRow = -1;
  const collect = ({ first, count }: Block, parts: Uint8Array[]): void => {
    for (const matrix of [0, 1] as const) {
      const target = rows[matrix];
      const part = parts[matrix]!;
      const shared = Math.min(Math.max(lastRow + 1 - first, 0), count) * fieldBytes;
      const at = first * fieldBytes;
      for (let offset = 0; offset < shared; offset += fieldBytes) {
        const place = at + offset;
        const sum = curve.Fr.add(
          target.slice(place, place + fieldBytes),
          part.slice(offset, offset + fieldBytes),
        );
        target.set(sum, place);
      }
      target.set(part.subarray(shared), at + shared);
    }
    lastRow = Math.max(lastRow, first + count - 1);
  };
  // Two readings ahead keep the threads busy without holding the key in memory.
  let previous = Promise.resolve();
  for await (const coefficients of key.coefficients(coefficientsPerTask)) {
    const blocks = splitByRow(coefficients);
    const results = blocks.map((block) => evaluateBlock(curve, block, witness));
    await previous;
    previous = Promise.all(results).then((parts) => {
      for (const [index, block] of blocks.entries()) collect(block, parts[index]!);
    });
  }
  await previous;
  return rows;
}

type Block = { coefficients: Uint8Array; first: number; count: number };

/** Cuts coefficients where rows jump ahead or back, so that a block's rows lie close together. */
function splitByRow(coefficients: Uint8Array): Block[] {
  const view = new DataView(coefficients.buffer, coefficients.byteOffset, coefficients.byteLength);
  const blocks: Block[] = [];
  let start = 0;
  let first = view.getUint32(4, true);
  let last = first;
  const cut = (end: number): void => {
    // A copy: a view would be sent to the thread with all that is around it.
    blocks.push({ coefficients: coefficients.slice(start, end), first, count: last - first + 1 });
  };
  for (let position = 0; position < coefficients.length; position += coefficientBytes) {
    const row = view.getUint32(position + 4, true);
    if (row < last || row > last + widestGap) {
      cut(position);
      start = position;
      first = row;
    }
    last = row;
  }
  cut(coefficients.length);
  return blocks;
}

function evaluateBlock(curve: Curve, block: Block, witness: Uint8Array): Promise<Uint8Array[]> {
  const length = block.count * fieldBytes;
  return curve.tm.queueAction([
    { cmd: "ALLOCSET", var: 0, buff: block.coefficients },
    { cmd: "ALLOCSET", var: 1, buff: witness },
    { cmd: "ALLOC", var: 2, len: length },
    { cmd: "ALLOC", var: 3, len: length },
    { cmd: "ALLOC", var: 4, len: length },
    call(
      "qap_buildABC",
      { var: 0 },
      { val: block.coefficients.length / coefficientBytes },
      { var: 1 },
      { var: 2 },
      { var: 3 },
      { var: 4 },
      { val: block.first },
      { val: block.count },
      { val: 0 },
      { val: witness.length / fieldBytes },
    ),
    { cmd: "GET", out: 0, var: 2, len: length },
    { cmd: "GET", out: 1, var: 3, len: length },
  ]);
}

function call(fnName: string, ...params: ({ var: number } | { val: number })[]): Step {
  return { cmd: "CALL", fnName, params };
}

function readSignals(witness: Uint8Array, count: number): bigint[] {
  return Array.from({ length: count }, (_, index) => readLittleEndian(witness, (index + 1) * fieldBytes));
}
