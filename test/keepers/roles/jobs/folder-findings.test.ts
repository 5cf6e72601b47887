import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Hex, keccak256, toHex, zeroHash } from "viem";
import { witnessesHash } from "../../../../keepers/src/core/attestation/statement.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { encodeLeaves, type OpenedLeaf } from "../../../../keepers/src/core/exact/result-files.ts";
import { FolderFindings } from "../../../../keepers/src/roles/jobs/folder-findings.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { traceRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { mislabelled } from "../../../contracts/disputes/game/mislabelled.ts";

/** Five intervals of a step each. */
const { order } = mislabelled(5, 1);
const hash = (text: string): Hex => keccak256(toHex(text));
const witnesses = Array.from({ length: 5 }, (_, i) => [hash(`witness ${i}`)]);
/** The committed states: the third is a lie, with which its provider goes on. */
const claimed: OpenedLeaf[] = Array.from({ length: 6 }, (_, leaf) => ({
  stateRoot: hash(`${leaf < 3 ? "right" : "false"} state ${leaf}`),
  h: leaf === 0 ? zeroHash : hash(`h ${leaf}`),
}));
const right = (interval: number) => ({ isRight: true, witnessHash: witnessesHash(witnesses[interval]!) });

describe("what the run in a folder says of a committed trace", () => {
  let folder: string;
  let run: string;
  let findings: FolderFindings;
  const job = {
    jobId: 7n,
    training: encodeOrder(order),
    result: { traceRoot: traceRootOf(claimed, order) },
  } as unknown as JobRecord;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-findings-"));
    run = join(folder, "7", "run");
    findings = new FolderFindings(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const line = (value: unknown) => `${JSON.stringify(value)}\n`;
  const entry = (leaf: number) =>
    line({ step: leaf, stateRoot: hash(`right state ${leaf}`), h: claimed[leaf]!.h });

  /** A right run as far as some leaf. */
  async function begin(leaves: number): Promise<void> {
    await mkdir(run, { recursive: true });
    await writeFile(join(run, "run.json"), "{}");
    const entries = Array.from({ length: leaves }, (_, leaf) => entry(leaf));
    await writeFile(join(run, "trace.jsonl"), entries.join(""));
    await writeFile(
      join(run, "witnesses.jsonl"),
      witnesses
        .slice(0, leaves - 1)
        .map(line)
        .join(""),
    );
  }

  async function keepLeaves(): Promise<void> {
    await mkdir(join(folder, "7", "result"), { recursive: true });
    await writeFile(join(folder, "7", "result", "1-leaves"), encodeLeaves(claimed));
  }

  const find = (interval: number, isOwn = false) => findings.find(job, interval, isOwn);
  const isPlayable = (interval: number, isOwn = false) => findings.isPlayable(job, interval, isOwn);

  it("is that an interval is right, or wrong, as far as the first leaf is the run's, and nothing otherwise", async () => {
    assert.equal(await find(0), undefined);
    await begin(5);
    await keepLeaves();
    assert.deepEqual(await find(0), right(0));
    assert.deepEqual(await find(1), right(1));
    assert.deepEqual(await find(2), { isRight: false });
    assert.equal(await find(3), undefined);
    assert.equal(await find(4), undefined);
    assert.deepEqual(await find(3, true), right(3));
  });

  it("is played from where it is computed and begins at the claimed state", async () => {
    assert.equal(await isPlayable(0), false);
    await begin(5);
    assert.equal(await isPlayable(3), true, "nothing is known of the claimed one");
    await keepLeaves();
    const playable = [0, 1, 2, 3, 4].map((interval) => isPlayable(interval));
    assert.deepEqual(await Promise.all(playable), [true, true, true, false, false]);
    assert.equal(await isPlayable(3, true), true);
    assert.equal(await isPlayable(4, true), false);
  });

  it("is read again once its files have changed, and only then", async () => {
    await begin(2);
    await keepLeaves();
    assert.deepEqual(await find(0), right(0));
    assert.equal(await find(1), undefined);
    await appendFile(join(run, "trace.jsonl"), entry(2));
    await appendFile(join(run, "witnesses.jsonl"), line(witnesses[1]));
    assert.deepEqual(await find(1), right(1));
    // Nobody changes a log so: what is not read cannot be missed.
    const path = join(run, "trace.jsonl");
    const { size, atime, mtime } = await stat(path);
    await utimes(path, atime, new Date(Math.floor(mtime.getTime() / 1_000) * 1_000));
    assert.deepEqual(await find(1), right(1));
    const times = await stat(path);
    await writeFile(path, " ".repeat(size));
    await utimes(path, times.atime, times.mtime);
    for (let time = 0; time < 3; time++) assert.deepEqual(await find(1), right(1));
    await utimes(path, times.atime, new Date());
    assert.equal(await find(1), undefined);
  });
});
