import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, decodeFunctionData, type Hex, zeroAddress } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import {
  OwnerAnswers,
  type OwnerAnswersParts,
} from "../../../../keepers/src/roles/provider/owner-answers.ts";
import type { LedgerRetrieval } from "../../../../keepers/src/roles/storage-node/ledger.ts";
import { transportRootOf } from "../../../../keepers/src/storage/client/roots.ts";
import { account, contextOf, word } from "../doubles.ts";

const operator = account(1);
const none = new AbortController().signal;
/** A result of eight bundles, and a dataset of the account that it has no copy of. */
const [result, other] = [word(500), word(600)];
const bundles = Array.from({ length: 8 }, (_, i) => new Uint8Array(496 * 40).fill(i + 1));
const roots = bundles.map(transportRootOf) as Hex[];
const shape = { objectCount: 1n, objectSize: 496 * 160, segmentObjects: 1, k: 4, n: 8, encrypted: false };
const jobs = [1n, 2n, 3n];

type Row = LedgerRetrieval & { readonly datasetId: Hex; readonly index: number };

/** Questions in the order of their deadlines. */
function asked(datasetIds: readonly Hex[], count: number): Row[] {
  return datasetIds.flatMap((datasetId) =>
    Array.from({ length: count }, (_, i) => ({
      ...{
        datasetId,
        index: i % bundles.length,
        bundleId: bundleId(datasetId, i % bundles.length),
        operator,
      },
      ...{
        challengeId: BigInt(datasetId) * 1_000n + BigInt(i),
        isOwners: true,
        cellIndex: Math.floor(i / 8),
      },
      deadline: BigInt(i),
    })),
  );
}

/** A provider of three jobs, the last of which has stored the result. */
function answering(rows: readonly Row[], pause?: number) {
  const open = new Map(rows.map((row) => [row.challengeId, row]));
  const reads = { challenges: 0, copies: [] as string[] };
  const { context, queue, log } = contextOf(operator, {
    RetrievalChallenges: {
      challengeOf: ([id]: [bigint]) => {
        reads.challenges++;
        const row = open.get(id);
        const challenger: Address = row === undefined ? zeroAddress : account(2);
        return {
          challenger,
          graceEnds: 0n,
          datasetId: row?.datasetId,
          transportRoot: row?.datasetId === result ? roots[row.index] : word(7),
        };
      },
      creditOf: () => 0n,
    },
    DatasetRegistry: { datasetOf: () => ({ shape }) },
  });
  const published: bigint[] = [];
  queue.onSend = ({ data }) => {
    const [id] = decodeFunctionData({ abi: abis.RetrievalChallenges, data }).args as [bigint];
    published.push(id);
    open.delete(id);
  };
  const here = { result: true };
  const answers = new OwnerAnswers({
    ...context,
    ...{ folder: "/provider", pause },
    ledger: {
      jobsOfProvider: () =>
        jobs.map((jobId) => ({
          ...{ jobId, provider: operator, status: "Training" },
          order: { conditions: { instalments: 0 } },
        })),
    },
    retrievals: { openRetrievals: () => [...open.values()] },
    storage: {
      kept: async (directory: string, index: number, root: Hex) => {
        reads.copies.push(directory);
        const isHere = here.result && directory.startsWith("/provider/3/") && root === roots[index];
        return isHere ? bundles[index] : undefined;
      },
    },
  } as unknown as OwnerAnswersParts);
  return { answers, published, reads, log, here };
}

describe("what a provider is asked for as the owner of its results", () => {
  it("attack: is answered bundle by bundle, each read once, although the questions take turns among them", async () => {
    const { answers, published, reads } = answering(asked([result], 160));
    await answers.tick(none);
    assert.equal(published.length, 160);
    assert.equal(reads.copies.length, 3 + 7, "the folder of the first is known to hold the others");
  });

  it("attack: takes few reads and words for questions about a dataset that is none of its results", async () => {
    const { answers, published, reads, log } = answering([...asked([other], 160), ...asked([result], 16)]);
    await answers.tick(none);
    assert.equal(published.length, 16);
    const copies = reads.copies.length;
    const before = reads.challenges;
    for (let tick = 0; tick < 4; tick++) await answers.tick(none);
    assert.deepEqual([reads.challenges, reads.copies.length], [before, copies], "they rest for a while");
    const said = log.lines.filter(({ msg }) => msg === "a cell is asked for of a bundle that is not here");
    assert.equal(said.length, bundles.length, "once for each bundle");
  });

  it("is answered when a copy that was not found is here again, one question of each bundle first", async () => {
    const { answers, published, here } = answering(asked([result], 16), 0);
    here.result = false;
    await answers.tick(none);
    assert.deepEqual(published, []);
    here.result = true;
    await answers.tick(none);
    assert.equal(published.length, bundles.length);
    await answers.tick(none);
    assert.equal(published.length, 16);
  });
});
