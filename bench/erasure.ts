import { ErasureCode } from "../keepers/src/core/erasure/code.ts";
import { CombineKernel, makeTables } from "../keepers/src/core/erasure/kernel.ts";
import { parityRow } from "../keepers/src/core/erasure/matrix.ts";
import { type BenchOptions, type Contender, interleave, type Report, secondsPerCall } from "./measure.ts";
import { buildIsal, type IsalSeconds } from "./peers/isal.ts";
import { javascriptPeers } from "./peers/javascript.ts";

const k = 8;
const n = 11;
const unit = "MB/s of data";

const megabytes = (length: number, seconds: number): number => (k * length) / seconds / 1e6;
const buffers = (count: number, length: number): Uint8Array[] =>
  Array.from({ length: count }, (_, j) => new Uint8Array(length).map((_, i) => i * 31 + j));

/** The kernel alone, on shards that already lie in its memory. */
function kernelWork(length: number, relaxed?: boolean): { work: () => void; relaxed: boolean } {
  const kernel = new CombineKernel(k, n - k, length, relaxed);
  const tables = makeTables(Array.from({ length: n - k }, (_, r) => parityRow(k, k + r)));
  return { work: () => kernel.run(tables, length), relaxed: kernel.relaxed };
}

function codeWork(length: number): { encode: () => void; decode: () => void } {
  const code = new ErasureCode(k, n);
  const data = buffers(k, length);
  const parity = buffers(n - k, length);
  code.encodeInto(data, parity);
  const shards = [...data, ...parity].map((shard, j) => (j === 0 || j === 3 || j === 5 ? undefined : shard));
  const decoded = buffers(k, length);
  return { encode: () => code.encodeInto(data, parity), decode: () => code.decodeInto(shards, decoded) };
}

/** Encoding and decoding with (8, 11) on one core, against ISA-L and the erasure codes of the package registry. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  // Many short rounds: on a shared machine, one of them meets a quiet moment.
  const rounds = quick ? 4 : 40;
  const seconds = 0.03;
  const timed =
    (work: () => void): Contender =>
    () =>
      secondsPerCall(work, seconds);
  await againstIsal(report, rounds, seconds, timed);
  await againstJavaScript(report, rounds, seconds, timed);
  await decoding(report, rounds, timed);
}

async function againstIsal(
  report: Report,
  rounds: number,
  seconds: number,
  timed: (work: () => void) => Contender,
): Promise<void> {
  const length = 65536;
  const isal = buildIsal();
  if ("missing" in isal) throw new Error(`ISA-L is not here to compare with: ${isal.missing}`);
  using peer = isal;
  const kernel = kernelWork(length);
  const plain = kernelWork(length, false);
  const { encode } = codeWork(length);
  let full = Number.POSITIVE_INFINITY;
  const best = await interleave(
    {
      ssse3: () => {
        const measured: IsalSeconds = peer.measure({ k, n, length, seconds });
        full = Math.min(full, measured.full);
        return measured.ssse3;
      },
      kernel: timed(kernel.work),
      plain: timed(plain.work),
      copies: timed(encode),
    },
    rounds,
  );
  const row = (name: string, own: number, peerName: string, theirs: number, note: string): void =>
    report({
      name,
      value: megabytes(length, own),
      unit,
      peer: peerName,
      peerValue: megabytes(length, theirs),
      ratio: theirs / own,
      note,
    });
  const swizzle = kernel.relaxed ? "relaxed swizzle" : "plain swizzle";
  const held = "ISA-L held to SSSE3";
  row(
    "encode, 64 KiB shards, kernel",
    best.kernel,
    held,
    best.ssse3,
    `higher is better, bar 0.9; ${swizzle}`,
  );
  row(
    "encode, 64 KiB shards, kernel, plain swizzle",
    best.plain,
    held,
    best.ssse3,
    "higher is better; for engines without relaxed SIMD",
  );
  row(
    "encode, 64 KiB shards, copies in and out",
    best.copies,
    held,
    best.ssse3,
    `higher is better, bar 0.7; ${swizzle}`,
  );
  row(
    "encode, 64 KiB shards, copies in and out",
    best.copies,
    "ISA-L at full width",
    full,
    "higher is better",
  );
}

async function againstJavaScript(
  report: Report,
  rounds: number,
  seconds: number,
  timed: (work: () => void) => Contender,
): Promise<void> {
  const length = 1024;
  const { peers, missing, dispose } = await javascriptPeers(k, n, length);
  try {
    for (const reason of missing) process.stderr.write(`  left out: ${reason}\n`);
    for (const peer of peers) {
      const best = await interleave(
        { own: timed(codeWork(length).encode), theirs: () => peer.measure(seconds) },
        rounds,
      );
      report({
        name: "encode, 1 KiB shards, copies in and out",
        value: megabytes(length, best.own),
        unit,
        peer: peer.name,
        peerValue: megabytes(length, best.theirs),
        ratio: best.theirs / best.own,
        note: "higher is better, bar 5",
      });
    }
  } finally {
    dispose();
  }
}

async function decoding(
  report: Report,
  rounds: number,
  timed: (work: () => void) => Contender,
): Promise<void> {
  for (const length of [1024, 65536]) {
    const { encode, decode } = codeWork(length);
    const best = await interleave({ encode: timed(encode), decode: timed(decode) }, rounds);
    report({
      name: `decode with 3 data shards lost, ${length / 1024} KiB shards`,
      value: megabytes(length, best.decode),
      unit,
      peer: "our encoding",
      peerValue: megabytes(length, best.encode),
      ratio: best.encode / best.decode,
      note: "higher is better, bar 0.8; known loss pattern",
    });
  }
  const code = new ErasureCode(k, n);
  const object = buffers(1, 1024)[0]!;
  const shards = code
    .encodeBlob(object)
    .map((shard, j) => (j === 0 || j === 3 || j === 5 ? undefined : shard));
  const fresh = [...shards];
  const best = await interleave(
    {
      cached: timed(() => code.decodeBlob(shards, 1024)),
      // A new code knows no loss pattern yet; its kernel is compiled already.
      first: timed(() => new ErasureCode(k, n).decodeBlob(fresh, 1024)),
    },
    rounds,
  );
  report({
    name: "decode one object of 1 KiB with 3 data shards lost",
    value: best.cached * 1e6,
    unit: "µs",
    peer: "the same with a new code and a new loss pattern",
    peerValue: best.first * 1e6,
    ratio: best.first / best.cached,
    note: "bar 5 µs",
  });
}
