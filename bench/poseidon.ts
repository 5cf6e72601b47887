import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { commitBundle } from "../keepers/src/core/merkle/bundle-committer.ts";
import { bundleDepth, QuaternaryTree } from "../keepers/src/core/merkle/quaternary-tree.ts";
import { sliceBytes } from "../keepers/src/core/merkle/slice.ts";
import { integerArithmetic } from "../keepers/src/core/poseidon/integer-arithmetic.ts";
import { bestArithmetic, cellBytes, PoseidonKernel } from "../keepers/src/core/poseidon/kernel.ts";
import { CommitPool } from "../keepers/src/storage/commit-pool.ts";
import { type BenchOptions, interleave, type Report, secondsPerCall } from "./measure.ts";

type Circomlibjs = { buildPoseidon(): Promise<Hash & { F: { toString(element: Uint8Array): string } }> };

const elementBytes = 31;
const bundleCells = 16384;

type Hash = (inputs: readonly Uint8Array[] | readonly bigint[]) => Uint8Array;

/** The possession root of a bundle by circomlibjs: the tree that `QuaternaryTree` builds, one hash after another. */
function theirRoot(hash: Hash, bundle: Uint8Array): Uint8Array {
  const hex = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength).toString("hex");
  let level = Array.from({ length: bundleCells }, (_, cell) =>
    hash(
      Array.from({ length: 16 }, (_, i) => {
        const at = 2 * (cell * cellBytes + i * elementBytes);
        return BigInt(`0x${hex.slice(at, at + 2 * elementBytes)}`);
      }),
    ),
  );
  while (level.length > 1) {
    const children = level;
    level = Array.from({ length: level.length / 4 }, (_, i) => hash(children.slice(4 * i, 4 * i + 4)));
  }
  return level[0]!;
}

const sampleBundle = (): Uint8Array =>
  new Uint8Array(bundleCells * cellBytes).map((_, i) => Math.imul(i + 1, 2654435761) >>> 24);

/** Commitment of a full bundle, per core against circomlibjs, and over all cores. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const rounds = quick ? 2 : 5;
  const { buildPoseidon } = createRequire(import.meta.url)("circomlibjs") as Circomlibjs;
  const theirs = await buildPoseidon();
  const count = quick ? 128 : 512;
  const cells = sampleBundle().subarray(0, count * cellBytes);
  const elements = Array.from({ length: 16 }, (_, i) => BigInt(i + 1) ** 90n);
  const fused = bestArithmetic() === integerArithmetic ? undefined : new PoseidonKernel();
  const integer = new PoseidonKernel(integerArithmetic);
  const best = fused ?? integer;
  const digests = integer.hashCells(cells);
  const seconds = quick ? 0.1 : 0.3;
  const perMessage = (work: () => void, messages: number) => () => secondsPerCall(work, seconds) / messages;
  const hashes = await interleave(
    {
      ownCell: perMessage(() => best.hashCells(cells), count),
      theirCell: perMessage(() => theirs(elements), 1),
      ownNode: perMessage(() => best.hashNodes(digests), count / 4),
      theirNode: perMessage(() => theirs(elements.slice(0, 4)), 1),
    },
    rounds,
  );
  const bundle = sampleBundle();
  const roots: Partial<Record<"own" | "fallback" | "theirs", bigint>> = {};
  const timed = (name: keyof typeof roots, root: () => bigint) => () => {
    const start = performance.now();
    roots[name] = root();
    return (performance.now() - start) / 1000;
  };
  const ownRoot = (kernel: PoseidonKernel) => () =>
    BigInt(
      `0x${Buffer.from(new QuaternaryTree(kernel.hashCells(bundle), bundleDepth, { kernel }).root).toString("hex")}`,
    );
  const whole = await interleave(
    {
      own: timed("own", ownRoot(best)),
      fallback: timed("fallback", ownRoot(integer)),
      theirs: timed("theirs", () => BigInt(theirs.F.toString(theirRoot(theirs, bundle)))),
    },
    quick ? 1 : 3,
  );
  if (roots.own !== roots.theirs || roots.fallback !== roots.theirs)
    throw new Error("circomlibjs finds another root of the same bundle");
  const rows: [string, number, number, number, string, string][] = [
    ["16-input hash, one core", hashes.ownCell, hashes.theirCell, 1e6, "µs", ""],
    ["4-input hash, one core", hashes.ownNode, hashes.theirNode, 1e6, "µs", ""],
    [
      "possession root of a bundle (8.1 MB), one core",
      whole.own,
      whole.theirs,
      1,
      "s",
      ", bar 2; the same root",
    ],
    [
      "the same without fused multiply-add",
      whole.fallback,
      whole.theirs,
      1,
      "s",
      ", bar 2; for engines without relaxed SIMD",
    ],
  ];
  for (const [name, value, peerValue, scale, unit, bar] of rows) {
    report({
      name,
      value: value * scale,
      unit,
      peer: "circomlibjs buildPoseidon",
      peerValue: peerValue * scale,
      ratio: peerValue / value,
      note: `higher ratio is better${bar}`,
    });
  }
  await overCores(report, 2 * rounds, quick);
}

/** Both roots of one bundle, through the pool: what a keeper waits for. */
async function overCores(report: Report, rounds: number, quick: boolean): Promise<void> {
  const cores = availableParallelism();
  const bundle = new Uint8Array(quick ? 4 * sliceBytes : 16 * sliceBytes).map((_, i) => i * 37);
  await using one = new CommitPool({ workers: 1 });
  await using all = new CommitPool({ workers: cores });
  const seconds = (work: () => unknown) => async () => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };
  const warmUp = bundle.subarray(0, 2 * cores * sliceBytes);
  await Promise.all([one.commit(warmUp), all.commit(warmUp), all.commit(warmUp)]);
  const best = await interleave(
    {
      thread: seconds(() => commitBundle(bundle)),
      one: seconds(() => one.commit(bundle)),
      all: seconds(() => all.commit(bundle)),
    },
    rounds,
  );
  report({
    name: `both roots of one bundle, pool of ${cores} threads`,
    value: best.all,
    unit: "s",
    peer: "pool of 1 thread",
    peerValue: best.one,
    ratio: best.one / best.all,
    note: `speed-up on ${cores} cores; ${(bundle.length / best.all / 1e6).toFixed(1)} MB/s`,
  });
  report({
    name: "both roots of one bundle, pool of 1 thread",
    value: best.one,
    unit: "s",
    peer: "the same in the calling thread",
    peerValue: best.thread,
    ratio: best.thread / best.one,
    note: "what the pool itself costs",
  });
}
