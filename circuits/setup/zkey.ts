import { baseField, scalarField } from "../../keepers/src/core/groth16/field.ts";

/** Bytes of one term in a zkey's coefficient section: matrix, constraint, wire, value. */
export const coefficientBytes = 44;

const montgomery = 1n << 256n;

export type ZkeySection = { type: number; bytes: Uint8Array };

export type ZkeyHeader = {
  wires: number;
  publicSignals: number;
  domain: number;
  /** Affine points as in the file: G1 64 bytes, G2 128. */
  alpha1: Uint8Array;
  beta1: Uint8Array;
  beta2: Uint8Array;
  gamma2: Uint8Array;
  delta1: Uint8Array;
  delta2: Uint8Array;
};

/** A zkey file of snarkjs 0.7: magic, version, sections with their lengths, all little-endian. */
export function zkeyFile(sections: readonly ZkeySection[]): Uint8Array[] {
  const start = new Uint8Array(12);
  start.set(new TextEncoder().encode("zkey"));
  const view = new DataView(start.buffer);
  view.setUint32(4, 1, true);
  view.setUint32(8, sections.length, true);
  return [start, ...sections.flatMap(({ type, bytes }) => [sectionHeader(type, bytes.length), bytes])];
}

/** Section 1: protocol 1 is Groth16. */
export function protocolSection(): ZkeySection {
  return { type: 1, bytes: uint32(1) };
}

export function headerSection(header: ZkeyHeader): ZkeySection {
  const bytes = Buffer.concat([
    uint32(32),
    fieldBytes(baseField),
    uint32(32),
    fieldBytes(scalarField),
    uint32(header.wires),
    uint32(header.publicSignals),
    uint32(header.domain),
    header.alpha1,
    header.beta1,
    header.beta2,
    header.gamma2,
    header.delta1,
    header.delta2,
  ]);
  return { type: 2, bytes };
}

/** Section 10 of a key that had no ceremony: an empty transcript hash and no contributions. */
export function emptyCeremonySection(): ZkeySection {
  return { type: 10, bytes: new Uint8Array(68) };
}

/** snarkjs keeps coefficients multiplied by the square of the Montgomery constant. */
export function coefficientInFile(value: bigint): bigint {
  return (((value * montgomery) % scalarField) * montgomery) % scalarField;
}

/** 32 bytes, little-endian. */
export function fieldBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  writeField(new DataView(bytes.buffer), 0, value);
  return bytes;
}

export function writeField(view: DataView, at: number, value: bigint): void {
  view.setBigUint64(at, BigInt.asUintN(64, value), true);
  view.setBigUint64(at + 8, BigInt.asUintN(64, value >> 64n), true);
  view.setBigUint64(at + 16, BigInt.asUintN(64, value >> 128n), true);
  view.setBigUint64(at + 24, value >> 192n, true);
}

function sectionHeader(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(4, BigInt(length), true);
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
