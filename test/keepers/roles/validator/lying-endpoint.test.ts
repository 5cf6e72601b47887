import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { keccak256, toHex } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { addressOf, connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  statementTree,
} from "../../../../keepers/src/core/attestation/statement.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { readingAgreed } from "../../../../keepers/src/roles/storage-node/context.ts";
import { Attendance, type AttendanceParts } from "../../../../keepers/src/roles/validator/attendance.ts";
import { Committees, type CommitteesParts } from "../../../../keepers/src/roles/validator/committees.ts";
import { Steward, type StewardParts } from "../../../../keepers/src/roles/validator/steward.ts";
import { ManualClock } from "../../chain/fixtures.ts";
import { deployment } from "../dataset.ts";
import { account, LogDouble, QueueDouble, type Reads, word } from "../doubles.ts";
import { TableEndpoint } from "../endpoints.ts";
import { ToldCommittees } from "./told-committees.ts";

const operator = account(0xa0d);
const training = encodeOrder({
  ...{ bits: 8, programRoot: word(1), initialRoot: word(1), objectRoot: word(1), seed: word(1) },
  ...{ objects: 64, objectBytes: 65, train: 64, microBatch: 8, microBatches: 1, steps: 12, interval: 4 },
  schedule: { table: [1], every: 1 },
});
const job = {
  ...{ jobId: 1n, orderHash: word(4), status: "Committed", provider: account(1), training, checkpoints: [] },
  result: { traceRoot: word(5) },
  order: { conditions: { committeeSize: 1, threshold: 1 } },
} as unknown as JobRecord;
const draw: DrawnCommittee = {
  ...{ chainId: BigInt(deployment.chainId), contract: addressOf(deployment, "Committee"), jobId: 1n },
  ...{ attempt: 1n, seed: word(6), traceRoot: word(5), intervals: 3, checks: 2, members: [1n] },
};

const committeeJob = {
  ...{ provider: account(1), intervals: 3, size: 1, feePerInterval: 0n, threshold: 1, terms: 0 },
  ...{ attempt: 1, phase: 2, deadline: 2_000, graceEnds: 0, opened: 0 },
};
const terms = {
  ...{ signingWindow: 800, openingWindow: 800, revealWindow: 500, grace: 100, disputeTime: 100 },
  ...{ accusableFor: 1_000, moveWindow: 100, silentSlash: 1n, lieSlash: 1n, leastFee: 1n },
};
const drawRow = {
  ...{ requestId: 1n, rotation: 1, drawUntil: 2_000, signedAt: 0, count: 1, isDismissed: false },
  ...{ signers: 0n, appeared: 0n, silent: 0n, liars: 0n, revealedAt: 0, accusations: 0 },
  ...{ root: word(6), openings: word(0) },
};

type Said = {
  job?: Partial<typeof committeeJob>;
  terms?: Partial<typeof terms>;
  draw?: Partial<typeof drawRow>;
};

const says = (said: Said = {}): Reads => ({
  Committee: {
    jobOf: () => ({ ...committeeJob, ...said.job }),
    termsOf: () => ({ ...terms, ...said.terms }),
    drawOf: () => ({ ...drawRow, ...said.draw }),
    checks: () => 2n,
  },
});

describe("a member of a committee, of whose endpoints the one that is asked first lies,", () => {
  let told: ToldCommittees;
  let endpoints: TableEndpoint[];
  let log: LogDouble;

  beforeEach(() => {
    told = new ToldCommittees();
    log = new LogDouble();
    endpoints = ["liar", "b", "c"].map((name) => new TableEndpoint(name, says(), () => 1_900n));
    told.tell("ValidatorSet", "Enrolled", { id: 1n, operator, place: 1n, key: {} });
    told.tell("ValidatorSet", "WeightSet", { id: 1n, weight: 1n, fromRotation: 1n });
    const { jobId, attempt, seed, members } = draw;
    told.tell("Committee", "CommitteeDrawn", { jobId, attempt, seed, members, deadline: 2_000n });
  });

  afterEach(() => {
    told.close();
  });

  async function context() {
    const { chainId } = deployment;
    const client = await connectChain({ chainId, endpoints, clock: new ManualClock() });
    const contracts = connectContracts(client.public, deployment);
    const agreed = readingAgreed({ client, contracts, deployment });
    const double = new QueueDouble();
    const ledger = { openJobs: () => [job], job: () => job };
    const chain = { operator, client, deployment, contracts, agreed, log: log.logger };
    const parts = { ...chain, ledger, queue: double.queue, committees: told.ledger };
    const all = new Committees(parts as unknown as CommitteesParts);
    return { sent: double.sent, parts: { ...parts, all, turnSeconds: 5, folder: "/nowhere" } };
  }

  const keysOf = (sent: QueueDouble["sent"], kind: string) =>
    sent.flatMap(({ key }) => (key.startsWith(kind) ? [key] : []));

  /** Keys of the calls by which a member that found nothing says that it is there. */
  async function appearances(): Promise<string[]> {
    const { sent, parts } = await context();
    const book = { check: () => undefined };
    await new Attendance({ ...parts, book } as unknown as AttendanceParts).tick();
    return keysOf(sent, "appear");
  }

  const lies: [string, Said][] = [
    ["there is a lot of time left to sign", { job: { deadline: 1_000_000 } }],
    ["another draw is on", { job: { attempt: 2 } }],
    ["nothing is to be signed", { job: { phase: 5 } }],
    ["the time to sign takes no time", { terms: { signingWindow: 0 } }],
  ];
  for (const [what, said] of lies) {
    it(`attack: appears in time although the liar says that ${what}`, async () => {
      endpoints[0]!.reads = says(said);
      assert.deepEqual(await appearances(), ["appear:1:1"]);
    });

    it(`attack: appears in time although one of only two says that ${what}`, async () => {
      endpoints.pop();
      endpoints[0]!.reads = says(said);
      assert.deepEqual(await appearances(), ["appear:1:1"]);
    });
  }

  it("does not appear as long as there is time, nor for what its endpoints agree is over", async () => {
    for (const each of endpoints) each.now = () => 1_700n;
    assert.deepEqual(await appearances(), []);
    for (const each of endpoints) each.now = () => 1_900n;
    for (const each of endpoints) each.reads = says({ job: { phase: 5 } });
    assert.deepEqual(await appearances(), []);
  });

  it("does not appear for a draw that has failed by its events while the endpoints are divided", async () => {
    endpoints.pop();
    endpoints[0]!.reads = says({ job: { deadline: 1_000_000 } });
    told.tell("Committee", "AttemptFailed", { jobId: 1n, attempt: 1n, silent: 0n });
    assert.deepEqual(await appearances(), []);
  });

  describe("once it has signed and all witnesses are open,", () => {
    const hashes = [keccak256("0x01"), keccak256("0x02")];
    const leaves = intervalsOf(draw, 0).map((interval, i) => ({
      ...{ position: 0, interval },
      digest: digestOf(draw, 1n, 1n, interval, hashes[i]!),
    }));
    const root = toHex(statementTree(draw, leaves).root);
    const revealing = { job: { phase: 4 }, draw: { root, signers: 1n, signedAt: 1_500 } };

    beforeEach(() => {
      const { jobId, attempt } = draw;
      told.tell("Committee", "RootSigned", { jobId, attempt, signers: 1n, root, deadline: 1_700n });
      told.tell("Committee", "WitnessesOpened", { jobId, attempt, first: 0n, witnessHashes: hashes });
      for (const each of endpoints) each.reads = says(revealing);
    });

    async function reveals(): Promise<string[]> {
      const { sent, parts } = await context();
      const book = { leaves: (_: DrawnCommittee, signed: string) => (signed === root ? leaves : undefined) };
      const prosecutor = { prosecute: async () => undefined };
      await new Steward({ ...parts, book, prosecutor } as unknown as StewardParts).tick();
      return keysOf(sent, "reveal");
    }

    const denials: [string, Said][] = [
      ["nothing is to be revealed", { ...revealing, job: { phase: 2 } }],
      ["another root was signed", { ...revealing, draw: { ...revealing.draw, root: word(9) } }],
      ["the time to reveal comes later", { ...revealing, job: { phase: 4, deadline: 1_000_000 } }],
      ["another draw is on", { ...revealing, job: { phase: 4, attempt: 2 } }],
      ["the committee has attested", { ...revealing, job: { phase: 5 } }],
    ];
    for (const [what, said] of denials) {
      it(`attack: reveals although the liar says that ${what}`, async () => {
        endpoints[0]!.reads = says(said);
        assert.deepEqual(await reveals(), ["reveal:1:1"]);
      });

      it(`attack: reveals although one of only two says that ${what}`, async () => {
        endpoints.pop();
        endpoints[0]!.reads = says(said);
        assert.deepEqual(await reveals(), ["reveal:1:1"]);
      });
    }

    it("attack: reveals although its clock is far behind", async () => {
      endpoints[0]!.now = () => 1n;
      assert.deepEqual(await reveals(), ["reveal:1:1"]);
    });

    it("does not reveal what its endpoints agree is not to be, nor what was revealed by its events", async () => {
      for (const each of endpoints) each.reads = says({ ...revealing, job: { phase: 5 } });
      assert.deepEqual(await reveals(), []);
      endpoints.pop();
      endpoints[1]!.reads = says(revealing);
      told.tell("Committee", "CommitteeAttested", { jobId: 1n, attempt: 1n, feePerMember: 1n });
      assert.deepEqual(await reveals(), []);
    });
  });
});
