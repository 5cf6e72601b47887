import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { sliceBytes } from "../../../keepers/src/core/merkle/slice.ts";
import { CommitPool } from "../../../keepers/src/storage/commit-pool.ts";
import { CommitPoolClosedError, CommitWorkerError } from "../../../keepers/src/storage/slice-pool.ts";
import { randomBytes, seededRandom } from "../core/erasure/random.ts";

const silent = new URL("./fixtures/silent-commit-worker.ts", import.meta.url);
const dying = new URL("./fixtures/dying-commit-worker.ts", import.meta.url);

test("a pool commits to bundles of any size as one thread does", async () => {
  await using pool = new CommitPool({ workers: 2 });
  const random = seededRandom(71);
  const bundles = [1, 1000, sliceBytes, sliceBytes + 1, 3 * sliceBytes - 1].map((length) =>
    randomBytes(random, length),
  );
  const commitments = await Promise.all(bundles.map((bundle) => pool.commit(bundle)));
  commitments.forEach((commitment, i) => {
    assert.deepEqual(
      commitment.toBytes(),
      commitBundle(bundles[i]!).toBytes(),
      `${bundles[i]!.length} bytes`,
    );
  });
});

test("the caller's bundle is left as it was", async () => {
  await using pool = new CommitPool({ workers: 1 });
  const bundle = randomBytes(seededRandom(72), sliceBytes + 5);
  const copy = bundle.slice();
  await pool.commit(bundle);
  assert.deepEqual(bundle, copy);
});

test("a stream is read no further ahead than two slices per thread", async () => {
  // Threads of this pool never answer, so what is read without an answer is all that is ever read.
  const pool = new CommitPool({ workers: 2, entry: silent });
  let read = 0;
  async function* chunks() {
    for (; read < 16; read++) yield new Uint8Array(sliceBytes);
  }
  const outcome = assert.rejects(pool.commit(chunks()), CommitPoolClosedError);
  for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
  // Four slices are taken; the fifth chunk was needed to know that the fourth is not the last.
  assert.equal(read, 4);
  await pool.close();
  await outcome;
});

test("a thread that dies fails its bundle with a clear error, and the next one succeeds", async () => {
  await using pool = new CommitPool({ workers: 2, entry: dying });
  const good = Uint8Array.of(9, 9, 9);
  for (const first of [1, 2]) {
    const [bad, fine] = await Promise.allSettled([pool.commit(Uint8Array.of(first)), pool.commit(good)]);
    assert(bad.status === "rejected");
    assert(bad.reason instanceof CommitWorkerError, String(bad.reason));
    assert.match(bad.reason.message, /thread ended unexpectedly/);
    assert(bad.reason.cause instanceof Error);
    assert.match(bad.reason.cause.message, first === 1 ? /exit code 3/ : /out of memory, say/);
    assert.equal(fine.status, "fulfilled");
    assert.deepEqual((await pool.commit(good)).toBytes(), commitBundle(good).toBytes());
  }
});

test("every thread of the pool may die and be replaced", async () => {
  await using pool = new CommitPool({ workers: 1, entry: dying });
  const results = await Promise.allSettled([1, 1, 9, 1, 9].map((first) => pool.commit(Uint8Array.of(first))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected", "fulfilled", "rejected", "fulfilled"],
  );
});

test("a stream that fails, an empty bundle and one too long fail alone", async () => {
  await using pool = new CommitPool({ workers: 1 });
  async function* broken() {
    yield new Uint8Array(2 * sliceBytes);
    throw new Error("the disk went away");
  }
  await assert.rejects(pool.commit(broken()), /the disk went away/);
  await assert.rejects(pool.commit(new Uint8Array(0)), BadInputError);
  await assert.rejects(pool.commit(new Uint8Array(16384 * 496 + 1)), BadInputError);
  assert.equal((await pool.commit(Uint8Array.of(5))).cells, 1);
});

test("closing fails what is under way and everything after it", async () => {
  const pool = new CommitPool({ workers: 1 });
  const pending = [pool.commit(new Uint8Array(4 * sliceBytes)), pool.commit(Uint8Array.of(1))];
  const outcomes = Promise.allSettled(pending);
  await pool.close();
  for (const outcome of await outcomes) {
    assert(outcome.status === "rejected" && outcome.reason instanceof CommitPoolClosedError);
  }
  await assert.rejects(pool.commit(Uint8Array.of(1)), CommitPoolClosedError);
  await pool.close();
});

test("a pool without threads is refused", () => {
  assert.throws(() => new CommitPool({ workers: 0 }), RangeError);
  assert.throws(() => new CommitPool({ workers: 1.5 }), RangeError);
});
