import type { Hex } from "viem";
import type { RecordsFormat } from "../../core/dataset/format.ts";

/** Objects of a dataset that can be read in any order. */
export interface ObjectSource {
  readonly name: string;
  /** Objects. */
  readonly count: number;
  /** Bytes of each object. */
  readonly objectBytes: number;
  /** The objects of these indices, one after another. Indices must exist. */
  read(indices: ArrayLike<number>): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Objects of one size that come in their order: what files and storage give. */
export type ObjectSequence = {
  readonly name: string;
  readonly objectSize: number;
  /** Objects, when that is known before they are read. */
  readonly objectCount: number | undefined;
  /** The anchored dataset, when the objects are those of one. */
  readonly datasetId?: Hex;
  /** Reads from the start; may be called again. */
  objects(): AsyncIterable<Uint8Array>;
  /** How an object becomes fields, when the source knows. */
  readonly records?: RecordsFormat;
};

/** Where the class of an object stands. */
export type LabelField = {
  readonly offset: number;
  /** Bytes of the unsigned little-endian label. */
  readonly bytes: 1 | 2 | 4;
  readonly classes: number;
};
