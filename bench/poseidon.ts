import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { commitBundle } from "../keepers/src/core/merkle/bundle-committer.ts";
import { sliceBytes } from "../keepers/src/core/merkle/slice.ts";
import { integerArithmetic } from "../keepers/src/core/poseidon/integer-arithmetic.ts";
import { bestArithmetic, PoseidonKernel } from "../keepers/src/core/poseidon/kernel.ts";
import { CommitPool } from "../keepers/src/storage/commit-pool.ts";
import { type BenchOptions, interleave, type Report, secondsPerCall } from "./measure.ts";

type Circomlibjs = { buildPoseidon(): Promise<(inputs: readonly bigint[]) => Uint8Array> };

const cellBytes = 496;
const bundleCells = 16384;
/** Inner nodes of the possession tree: 4^0 + … + 4^6. */
const bundleNodes = 5461;

/** Commitment of a full bundle, per core against circomlibjs, and over all cores. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const rounds = quick ? 2 : 5;
  const { buildPoseidon } = createRequire(import.meta.url)("circomlibjs") as Circomlibjs;
  const theirs = await buildPoseidon();
  const count = quick ? 128 : 512;
  const cells = new Uint8Array(count * cellBytes).map((_, i) => i * 41);
  const elements = Array.from({ length: 16 }, (_, i) => BigInt(i + 1) ** 90n);
  const fused = bestArithmetic() === integerArithmetic ? undefined : new PoseidonKernel();
  const integer = new PoseidonKernel(integerArithmetic);
  const digests = integer.hashCells(cells);
  const seconds = quick ? 0.1 : 0.3;
  const perMessage = (work: () => void, messages: number) => () => secondsPerCall(work, seconds) / messages;
  const ofKernel = (kernel: PoseidonKernel) => ({
    cell: perMessage(() => kernel.hashCells(cells), count),
    node: perMessage(() => kernel.hashNodes(digests), count / 4),
  });
  const own = ofKernel(fused ?? integer);
  const fallback = ofKernel(integer);
  const best = await interleave(
    {
      ownCell: own.cell,
      theirCell: perMessage(() => theirs(elements), 1),
      fallbackCell: fallback.cell,
      ownNode: own.node,
      theirNode: perMessage(() => theirs(elements.slice(0, 4)), 1),
      fallbackNode: fallback.node,
    },
    rounds,
  );
  const bundle = (cell: number, node: number): number => bundleCells * cell + bundleNodes * node;
  const peer = "circomlibjs buildPoseidon";
  const theirBundle = bundle(best.theirCell, best.theirNode);
  const rows: [string, number, number, number, string, string][] = [
    ["16-input hash, one core", best.ownCell, best.theirCell, 1e6, "µs", ""],
    ["4-input hash, one core", best.ownNode, best.theirNode, 1e6, "µs", ""],
    [
      "possession root of a bundle (8.1 MB), one core",
      bundle(best.ownCell, best.ownNode),
      theirBundle,
      1,
      "s",
      ", bar 2",
    ],
    [
      "the same without fused multiply-add",
      bundle(best.fallbackCell, best.fallbackNode),
      theirBundle,
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
      peer,
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
