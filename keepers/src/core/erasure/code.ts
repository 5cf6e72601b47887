import { ShardShapeError, TooFewShardsError } from "./errors.ts";
import { CombineKernel, makeTables, type Tables } from "./kernel.ts";
import { parityRow, recoveryRows, requireCode } from "./matrix.ts";

/** A shard that may be lost. */
export type MaybeShard = Uint8Array | undefined;

/** Recovery plans kept: all 231 patterns of up to three losses of (8, 11) fit. */
const plansKept = 256;

/** All tiles together: small enough for a second-level cache, long enough that copying in pieces costs little. */
const tilesBytes = 64 * 1024;

/**
 * Bytes per tile for this many tiles: an odd multiple of 64, since tiles a power of two apart would fall into the same
 * few cache sets.
 */
function tileBytes(tiles: number): number {
  return Math.max(320, Math.floor(tilesBytes / tiles / 128) * 128 - 64);
}

type Plan = {
  readonly sources: readonly number[];
  readonly wanted: readonly number[];
  readonly tables: Tables;
};

/**
 * Systematic Reed–Solomon code over GF(2^8) with k data and n − k parity shards (storage protocol, section 1).
 *
 * Coding is byte-wise, so shards may be those of one blob, or whole bundles: bundle j ≥ k of a segment is the same
 * combination of the segment's data bundles as parity shard j is of an object's data shards. Coding long streams is
 * how small objects are coded fast.
 *
 * Not re-entrant, but every call is synchronous; use one instance per thread. Which shard is corrupt is not this
 * class's business: check shards against their Merkle roots first.
 */
export class ErasureCode {
  readonly k: number;
  readonly n: number;
  readonly #kernel: CombineKernel;
  readonly #parityTables: Tables;
  readonly #plans = new Map<string, Plan>();
  #latest: Plan | undefined;

  /** Throws BadInputError unless 1 ≤ k < n ≤ 255. */
  constructor(k: number, n: number) {
    requireCode(k, n);
    this.k = k;
    this.n = n;
    // At most n − k shards can be lost, so a recovery never has more outputs than the encoder.
    this.#kernel = new CombineKernel(k, n - k, tileBytes(n));
    this.#parityTables = makeTables(Array.from({ length: n - k }, (_, r) => parityRow(k, k + r)));
  }

  /** Length of each shard of a blob of `length` bytes: ⌈length / k⌉. */
  shardLength(length: number): number {
    return Math.ceil(length / this.k);
  }

  /** Cuts a blob into k data shards (the last padded with zeros) and appends n − k parity shards. */
  encodeBlob(blob: Uint8Array): Uint8Array[] {
    const length = this.shardLength(blob.length);
    const bytes = new Uint8Array(this.n * length);
    bytes.set(blob);
    const shards = Array.from({ length: this.n }, (_, j) => bytes.subarray(j * length, (j + 1) * length));
    this.encodeInto(shards.slice(0, this.k), shards.slice(this.k));
    return shards;
  }

  /** Parity of k equally long data shards or bundles. */
  encode(data: readonly Uint8Array[]): Uint8Array[] {
    const length = data[0]?.length ?? 0;
    const parity = Array.from({ length: this.n - this.k }, () => new Uint8Array(length));
    this.encodeInto(data, parity);
    return parity;
  }

  /** As `encode`, into the caller's n − k buffers of the shards' length; allocates nothing. */
  encodeInto(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    if (data.length !== this.k || parity.length !== this.n - this.k) {
      throw new ShardShapeError(
        `a (${this.k}, ${this.n}) code takes ${this.k} data and ${this.n - this.k} parity shards, ` +
          `not ${data.length} and ${parity.length}`,
      );
    }
    const length = data[0]!.length;
    requireLength(data, length);
    requireLength(parity, length);
    this.#combine(this.#parityTables, data, parity, length);
  }

  /**
   * The blob of `length` bytes whose shards these are, by position; any k of them are enough.
   * Throws TooFewShardsError with fewer, ShardShapeError when their number or lengths do not fit.
   */
  decodeBlob(shards: readonly MaybeShard[], length: number): Uint8Array {
    const shardLength = this.shardLength(length);
    const blob = new Uint8Array(this.k * shardLength);
    const into = Array.from({ length: this.k }, (_, j) =>
      blob.subarray(j * shardLength, (j + 1) * shardLength),
    );
    this.decodeInto(shards, into);
    return blob.subarray(0, length);
  }

  /** The k data shards or bundles, into the caller's buffers. Errors as `decodeBlob`. */
  decodeInto(shards: readonly MaybeShard[], data: readonly Uint8Array[]): void {
    if (data.length !== this.k) throw new ShardShapeError(`${data.length} buffers for ${this.k} data shards`);
    const length = data[0]!.length;
    this.#requireShards(shards, length);
    requireLength(data, length);
    const lost: number[] = [];
    for (let j = 0; j < this.k; j++) {
      const shard = shards[j];
      if (shard === undefined) lost.push(j);
      else data[j]!.set(shard);
    }
    this.#recover(
      shards,
      lost,
      lost.map((j) => data[j]!),
      length,
    );
  }

  /**
   * Only the wanted shards or bundles, data or parity, from any k present ones: what a repair computes.
   * Errors as `decodeBlob`; a wanted position that is present is returned as a copy.
   */
  reconstruct(shards: readonly MaybeShard[], wanted: readonly number[]): Uint8Array[] {
    const length = shards.find((shard) => shard !== undefined)?.length ?? 0;
    this.#requireShards(shards, length);
    for (const position of wanted) {
      if (!Number.isInteger(position) || position < 0 || position >= this.n) {
        throw new ShardShapeError(`position ${position} is not one of 0 … ${this.n - 1}`);
      }
    }
    const results = new Map<number, Uint8Array>();
    for (const position of wanted) results.set(position, shards[position]?.slice() ?? new Uint8Array(length));
    const lost = [...results.keys()].filter((position) => shards[position] === undefined);
    this.#recover(
      shards,
      lost,
      lost.map((position) => results.get(position)!),
      length,
    );
    return wanted.map((position) => results.get(position)!);
  }

  #recover(
    shards: readonly MaybeShard[],
    wanted: readonly number[],
    outputs: readonly Uint8Array[],
    length: number,
  ): void {
    const sources: number[] = [];
    let present = 0;
    for (let position = 0; position < this.n; position++) {
      if (shards[position] === undefined) continue;
      present++;
      if (sources.length < this.k) sources.push(position);
    }
    if (present < this.k) throw new TooFewShardsError(present, this.k);
    if (wanted.length === 0) return;
    const plan = this.#plan(sources, wanted);
    this.#combine(
      plan.tables,
      plan.sources.map((position) => shards[position]!),
      outputs,
      length,
    );
  }

  #plan(sources: readonly number[], wanted: readonly number[]): Plan {
    // Object after object is decoded with the same losses: comparing a few numbers is cheaper than a map's key.
    const latest = this.#latest;
    if (latest !== undefined && sameNumbers(latest.sources, sources) && sameNumbers(latest.wanted, wanted)) {
      return latest;
    }
    const key = `${sources.join()};${wanted.join()}`;
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = { sources, wanted, tables: makeTables(recoveryRows(this.k, sources, wanted)) };
      if (this.#plans.size >= plansKept) this.#plans.delete(this.#plans.keys().next().value!);
    } else {
      this.#plans.delete(key);
    }
    this.#plans.set(key, plan);
    this.#latest = plan;
    return plan;
  }

  #combine(
    tables: Tables,
    inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    length: number,
  ): void {
    const { memory, layout } = this.#kernel;
    for (let at = 0; at < length; at += layout.tile) {
      const part = Math.min(layout.tile, length - at);
      const whole = part === length;
      for (let j = 0; j < inputs.length; j++) {
        const input = inputs[j]!;
        memory.set(whole ? input : input.subarray(at, at + part), layout.input + j * layout.tile);
      }
      this.#kernel.run(tables, part);
      for (let r = 0; r < outputs.length; r++) {
        const from = layout.output + r * layout.tile;
        outputs[r]!.set(memory.subarray(from, from + part), at);
      }
    }
  }

  #requireShards(shards: readonly MaybeShard[], length: number): void {
    if (shards.length !== this.n) {
      throw new ShardShapeError(`${shards.length} places for the ${this.n} shards of this code`);
    }
    requireLength(shards, length);
  }
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

function requireLength(shards: readonly MaybeShard[], length: number): void {
  for (let position = 0; position < shards.length; position++) {
    const shard = shards[position];
    if (shard !== undefined && shard.length !== length) {
      throw new ShardShapeError(`shard ${position} has ${shard.length} bytes where ${length} are expected`);
    }
  }
}
