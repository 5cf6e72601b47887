import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { ProverError } from "./prover.ts";

/** Sections of a Groth16 proving key that a proof reads whole, by the points they hold. */
export const pointSection = { a: 5, b1: 6, b2: 7, c: 8, h: 9 } as const;

const headerSection = 2;
const coefficientSection = 4;

/** Bytes of one coefficient: matrix, constraint and wire as uint32, and the value. */
export const coefficientBytes = 44;

export type ZkeyHeader = {
  wires: number;
  publicSignals: number;
  /** A power of two above the number of constraints. */
  domain: number;
  alpha1: Uint8Array;
  beta1: Uint8Array;
  beta2: Uint8Array;
  delta1: Uint8Array;
  delta2: Uint8Array;
};

type Section = { start: number; length: number };

/** A proving key of snarkjs 0.7 on disk, read part by part: whole it would be the largest thing in memory. */
export class ZkeyFile {
  readonly header: ZkeyHeader;
  readonly #file: FileHandle;
  readonly #sections: Map<number, Section>;

  /** @throws ProverError when the file is not such a key. */
  static async open(path: string): Promise<ZkeyFile> {
    const file = await open(path);
    try {
      const sections = await readSections(file, path);
      return new ZkeyFile(file, sections, await readHeader(file, sections, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(file: FileHandle, sections: Map<number, Section>, header: ZkeyHeader) {
    this.#file = file;
    this.#sections = sections;
    this.header = header;
  }

  async points(section: keyof typeof pointSection): Promise<Uint8Array> {
    const { start, length } = this.#sections.get(pointSection[section])!;
    return await readBytes(this.#file, start, length);
  }

  /** The coefficients in file order, at most `count` at a time. */
  async *coefficients(count: number): AsyncGenerator<Uint8Array> {
    const { start, length } = this.#sections.get(coefficientSection)!;
    const step = count * coefficientBytes;
    for (let position = 4; position < length; position += step) {
      yield await readBytes(this.#file, start + position, Math.min(step, length - position));
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function readSections(file: FileHandle, path: string): Promise<Map<number, Section>> {
  const { size } = await file.stat();
  const start = Buffer.from(await readBytes(file, 0, 12));
  if (start.toString("latin1", 0, 4) !== "zkey") throw new ProverError(`${path} is not a proving key.`);
  const sections = new Map<number, Section>();
  let position = 12;
  for (let remaining = start.readUInt32LE(8); remaining > 0; remaining--) {
    const head = Buffer.from(await readBytes(file, position, 12));
    const length = Number(head.readBigUInt64LE(4));
    sections.set(head.readUInt32LE(0), { start: position + 12, length });
    position += 12 + length;
  }
  const complete = [headerSection, coefficientSection, ...Object.values(pointSection)];
  if (position !== size || complete.some((section) => !sections.has(section))) {
    throw new ProverError(`The proving key ${path} is incomplete.`, {
      next: "Delete it and run the set-up again.",
    });
  }
  return sections;
}

async function readHeader(
  file: FileHandle,
  sections: Map<number, Section>,
  path: string,
): Promise<ZkeyHeader> {
  const { start, length } = sections.get(headerSection)!;
  const bytes = await readBytes(file, start, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  // Two field orders of 32 bytes, each with its length before it; then counts; then points.
  if (length !== 84 + 3 * 64 + 3 * 128 || view.getUint32(0, true) !== 32 || view.getUint32(36, true) !== 32) {
    throw new ProverError(`The proving key ${path} is not a Groth16 key over BN254.`);
  }
  return {
    wires: view.getUint32(72, true),
    publicSignals: view.getUint32(76, true),
    domain: view.getUint32(80, true),
    alpha1: bytes.subarray(84, 148),
    beta1: bytes.subarray(148, 212),
    beta2: bytes.subarray(212, 340),
    delta1: bytes.subarray(468, 532),
    delta2: bytes.subarray(532, 660),
  };
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new ProverError("The proving key ends too early.");
    done += bytesRead;
  }
  return bytes;
}
