import { bytesToHex, type Hex, hexToBytes } from "viem";
import { StateHasher } from "../../core/exact/commitment.ts";
import { samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import type { SampleOrder } from "../../core/exact/random/order.ts";
import { programTree } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { RootBuilder } from "../../core/merkle/binary-tree.ts";
import { objectHash } from "../../core/merkle/object-hash.ts";
import { MemoryObjects } from "../../training/data/memory-objects.ts";
import { type Place, placesOf } from "../../training/trace/place.ts";

/** A job small enough to be computed in a moment by the definitions of the operations. */
export type TinyJob = {
  readonly name: string;
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly objects: readonly Uint8Array[];
  readonly source: MemoryObjects;
  readonly places: readonly Place[];
  readonly intervals: number;
  /** Number of the object at a row of a micro-batch. */
  objectAt(step: number, microBatch: number, row: number): number;
};

export type TinyJobParameters = {
  readonly name: string;
  readonly program: Program;
  readonly objects: readonly Uint8Array[];
} & Pick<TrainingOrder, "microBatches" | "steps" | "interval">;

const seed: Hex = `0x${"05".repeat(32)}`;

/** A job whose order names no dataset yet. */
export function tinyJob({ name, program, objects, ...size }: TinyJobParameters): TinyJob {
  const objectBytes = objects[0]!.length;
  const builder = new RootBuilder();
  for (const object of objects) builder.push(objectHash(object));
  const order: TrainingOrder = {
    bits: program.bits,
    programRoot: bytesToHex(programTree(program).root),
    initialRoot: bytesToHex(new StateHasher(program).root(initialState(program, seed))),
    objectRoot: bytesToHex(builder.root()),
    objects: objects.length,
    objectBytes,
    train: objects.length,
    seed,
    microBatch: program.microBatch,
    schedule: { table: [3_000, 2_000, 1_000], every: 2 },
    ...size,
  };
  let samples: SampleOrder | undefined;
  return {
    name,
    program,
    order,
    objects,
    source: new MemoryObjects(name, objectBytes, new Uint8Array(objects.flatMap((object) => [...object]))),
    places: placesOf(program, size.microBatches),
    intervals: Math.ceil(size.steps / size.interval),
    objectAt(step, microBatch, row) {
      samples ??= samplesOf(order);
      return samples.sample(step, microBatch, row);
    },
  };
}

/** The same job on an anchored dataset. */
export function onDataset(job: TinyJob, datasetId: Hex): TinyJob {
  return { ...job, order: { ...job.order, datasetId } };
}

/** Bytes that look like nothing, the same every time. */
export function objectsOf(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, object) => {
    let x = 2 * object + 1;
    return Uint8Array.from({ length }, () => {
      x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
      return x >>> 24;
    });
  });
}

/** 32 bytes of a hash. */
export function bytesOf(hash: Hex): Uint8Array {
  return hexToBytes(hash);
}
