import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Logger } from "pino";
import type { Hex } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import {
  JobLedger,
  jobLedgerHandler,
  jobLedgerSchema,
} from "../../../../keepers/src/roles/jobs/job-ledger.ts";
import { RunSweeper } from "../../../../keepers/src/roles/jobs/run-sweeper.ts";
import {
  CommitteeLedger,
  committeeSchema,
} from "../../../../keepers/src/roles/validator/committee-ledger.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";

const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const account: Hex = `0x${"1".padStart(40, "0")}`;
const log = { info() {} } as unknown as Logger;

describe("the runs of a challenger", () => {
  const state = openState({ path: ":memory:", schemas: [jobLedgerSchema, committeeSchema] });
  const ledger = new JobLedger(state);
  const committees = new CommitteeLedger(state);
  let folder: string;
  let block = 0;

  const add = (eventName: string, args: Record<string, unknown>) => {
    const at = { blockNumber: BigInt(++block), blockHash: word(block), logIndex: 0 };
    const event = { contract: "JobRegistry", eventName, args, ...at } as unknown as AssayEvent;
    jobLedgerHandler.applied(event, state);
  };
  const open = (jobId: bigint) =>
    add("JobOpened", {
      jobId,
      orderHash: word(9),
      consumer: account,
      order: { conditions: {}, problem: {}, nonce: jobId },
      training: "0x12",
    });
  const isThere = (name: string) => existsSync(join(folder, name, "state"));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-sweep-"));
    for (const name of ["1", "2", "3", "notes"]) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "state"), "");
    }
    open(1n);
    open(2n);
  });

  after(async () => {
    state.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("are deleted once their job has ended, and no others are", async () => {
    const sweeper = new RunSweeper({ ledger, log, committees, folder, patience: 0 });
    await sweeper.tick();
    assert.deepEqual(["1", "2", "3", "notes"].map(isThere), [true, true, true, true]);
    add("JobCancelled", { jobId: 1n });
    await sweeper.tick();
    assert.deepEqual(["1", "2", "3", "notes"].map(isThere), [false, true, true, true]);
  });

  it("stay for a while, because work on them may still be under way", async () => {
    add("JobCancelled", { jobId: 2n });
    const patient = new RunSweeper({ ledger, log, committees, folder });
    await patient.tick();
    await patient.tick();
    assert.ok(isThere("2"));
    await new RunSweeper({ ledger, log, committees, folder, patience: 0 }).tick();
    assert.ok(!isThere("2"));
  });

  it("need not be there", async () => {
    const nowhere = join(folder, "nowhere");
    await new RunSweeper({ ledger, log, committees, folder: nowhere, patience: 0 }).tick();
  });
});
