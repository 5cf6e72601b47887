import { createHash } from "node:crypto";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { z } from "zod";
import type { Program } from "../../core/exact/tape/types.ts";
import { writeWhole } from "../files.ts";
import { CheckpointError } from "./errors.ts";
import { hashSchema } from "./plan.ts";

/** What a checkpoint says about itself. */
export type CheckpointHeader = {
  readonly programRoot: Hex;
  /** Hash of what the run does: see `trainingHash`. */
  readonly trainingHash: Hex;
  /** Steps done. */
  readonly step: number;
  readonly stateRoot: Hex;
};

export type Checkpoint = CheckpointHeader & { readonly state: Int32Array[] };

const magic = new TextEncoder().encode("ASSAYCP1");
const hashLength = 32;
const maxHeaderBytes = 4096;
const headerSchema = z.strictObject({
  programRoot: hashSchema,
  trainingHash: hashSchema,
  step: z.int().min(0),
  stateRoot: hashSchema,
});

const namePattern = /^(\d{12})\.checkpoint$/;

/** File name of the checkpoint after so many steps: names sort as steps do. */
export function checkpointName(step: number): string {
  return `${String(step).padStart(12, "0")}.checkpoint`;
}

/**
 * Writes a checkpoint, whole or not at all. The file: "ASSAYCP1", the header's length (uint32, little-endian), the header
 * (JSON), every slot's mantissas (int32, little-endian), SHA-256 of all before.
 *
 * @throws CannotWriteRunError
 */
export async function writeCheckpoint(folder: string, { state, ...header }: Checkpoint): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(headerSchema.parse(header)));
  const payload = state.reduce((sum, slot) => sum + slot.byteLength, 0);
  const bytes = new Uint8Array(magic.length + 4 + json.length + payload + hashLength);
  bytes.set(magic);
  const view = new DataView(bytes.buffer);
  view.setUint32(magic.length, json.length, true);
  bytes.set(json, magic.length + 4);
  let at = magic.length + 4 + json.length;
  for (const slot of state) {
    for (const mantissa of slot) {
      view.setInt32(at, mantissa, true);
      at += 4;
    }
  }
  bytes.set(sha256(bytes.subarray(0, at)), at);
  const path = join(folder, checkpointName(header.step));
  await writeWhole(path, bytes);
  return path;
}

/**
 * Reads a checkpoint of a program. The state root inside is as the file says it; whoever relies on it computes it again.
 *
 * @throws CheckpointError when the file is damaged, truncated, or of another program
 */
export async function readCheckpoint(path: string, program: Program): Promise<Checkpoint> {
  const sizes = program.state.map(({ layout }) => layout.shape.reduce((product, side) => product * side, 1));
  const payload = 4 * sizes.reduce((sum, size) => sum + size, 0);
  const bytes = await readLimited(path, magic.length + 4 + maxHeaderBytes + payload + hashLength);
  const end = bytes.length - hashLength;
  const prefix = magic.length + 4;
  if (end < prefix || magic.some((byte, i) => bytes[i] !== byte))
    throw new CheckpointError(path, "it is no checkpoint");
  if (sha256(bytes.subarray(0, end)).some((byte, i) => bytes[end + i] !== byte)) {
    throw new CheckpointError(path, "it is damaged or truncated (its hash does not fit)");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerEnd = prefix + view.getUint32(magic.length, true);
  if (headerEnd + payload !== end)
    throw new CheckpointError(path, "it holds another number of weights than the program");
  const header = headerSchema.safeParse(parseJson(bytes.subarray(prefix, headerEnd)));
  if (!header.success) throw new CheckpointError(path, "its header is malformed");
  let at = headerEnd;
  const state = sizes.map((size) => {
    const slot = new Int32Array(size);
    for (let i = 0; i < size; i++, at += 4) slot[i] = view.getInt32(at, true);
    if (slot.includes(-(2 ** 31))) throw new CheckpointError(path, "it holds -2^31, which is no weight");
    return slot;
  });
  return { ...header.data, state };
}

/** Steps of the checkpoints in a folder, ascending; none when there is no folder. */
export async function listCheckpoints(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .map((name) => namePattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Removes all but the newest `keep` checkpoints; the first state's stays, as replays begin there. */
export async function pruneCheckpoints(folder: string, keep: number): Promise<void> {
  const steps = await listCheckpoints(folder);
  for (const step of steps.slice(0, -keep))
    if (step !== 0) await rm(join(folder, checkpointName(step)), { force: true });
}

async function readLimited(path: string, most: number): Promise<Uint8Array> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new CheckpointError(path, "it cannot be opened", { cause });
  });
  try {
    const { size } = await file.stat();
    if (size > most) throw new CheckpointError(path, "it is longer than a checkpoint of this program");
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
