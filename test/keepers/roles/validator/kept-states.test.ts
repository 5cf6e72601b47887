import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Committees, type CommitteesParts } from "../../../../keepers/src/roles/validator/committees.ts";
import { Steward, type StewardParts } from "../../../../keepers/src/roles/validator/steward.ts";
import { account, contextOf, type Reads, word } from "../doubles.ts";
import { ToldCommittees } from "./told-committees.ts";

const operator = account(0xa0d);

/** What an endpoint says for which every committee is over, and nothing can be accused any more. */
const over: Reads = {
  Committee: {
    jobOf: () => ({ phase: 7, attempt: 3, threshold: 1, deadline: 1, graceEnds: 0, opened: 0 }),
    termsOf: () => ({ accusableFor: 0 }),
    drawOf: () => ({ silent: 0n, signers: 1n, signedAt: 1, revealedAt: 1, accusations: 0 }),
  },
};

describe("the states that a member answers accusations from", () => {
  let folder: string;
  let told: ToldCommittees;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-states-"));
    told = new ToldCommittees();
    told.tell("ValidatorSet", "Enrolled", { id: 1n, operator, place: 1n, key: {} });
  });

  afterEach(async () => {
    told.close();
    await rm(folder, { recursive: true });
  });

  const draw = (jobId: bigint, attempt: bigint) =>
    told.tell("Committee", "CommitteeDrawn", { jobId, attempt, seed: word(1), members: [1n], deadline: 9n });
  const dismiss = (jobId: bigint, attempt: bigint) =>
    told.tell("Committee", "CommitteeDismissed", { jobId, attempt });

  async function keep(jobId: bigint): Promise<void> {
    const own = join(folder, String(jobId));
    await mkdir(own);
    for (const name of ["before-3.state", "leaves.bin"]) await writeFile(join(own, name), "x");
  }

  const kept = (jobId: bigint) => readdir(join(folder, String(jobId)));
  const states = async (jobId: bigint) =>
    (await kept(jobId)).filter((name) => name.endsWith(".state")).length;

  function steward(): Steward {
    const { context } = contextOf(operator, over, () => 1_000_000n);
    const ledger = { openJobs: () => [], job: () => undefined };
    const parts = { ...context, ledger, committees: told.ledger, folder, turnSeconds: 5 };
    const all = new Committees(parts as unknown as CommitteesParts);
    return new Steward({ ...parts, all } as unknown as StewardParts);
  }

  it("attack: stay although an endpoint says that its draw is over and its clock is far ahead", async () => {
    await keep(1n);
    draw(1n, 1n);
    const one = steward();
    for (let i = 0; i < 3; i++) await one.tick();
    assert.equal(await states(1n), 1);
  });

  it("go once every draw of the job is dismissed, whoever did it, and nothing else goes with them", async () => {
    const one = steward();
    await keep(1n);
    await keep(2n);
    draw(1n, 1n);
    draw(1n, 2n);
    dismiss(1n, 1n);
    await one.tick();
    assert.equal(await states(1n), 1, "a draw of the job can still be accused");
    dismiss(1n, 2n);
    await one.tick();
    assert.deepEqual(await kept(1n), ["leaves.bin"]);
    assert.equal(await states(2n), 1, "of a job without a draw nothing is known");
  });

  it("go after a restart, of draws that were dismissed while the keeper was away", async () => {
    await keep(1n);
    draw(1n, 1n);
    dismiss(1n, 1n);
    await steward().tick();
    assert.deepEqual(await kept(1n), ["leaves.bin"]);
  });

  it("are not looked for on disk again before a draw begins or ends", async () => {
    draw(1n, 1n);
    dismiss(1n, 1n);
    const one = steward();
    await one.tick();
    await keep(1n);
    await one.tick();
    assert.equal(await states(1n), 1);
    draw(2n, 1n);
    await one.tick();
    assert.equal(await states(1n), 0);
  });
});
