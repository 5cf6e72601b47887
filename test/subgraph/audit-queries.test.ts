import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { before, describe, it } from "node:test";
import { execute, type GraphQLSchema, parse, print, validate } from "graphql";
import { type Hex, padHex, stringToHex, toHex } from "viem";
import type { AssayEvent } from "../../keepers/src/chain/contracts.ts";
import { decodeEvent, type Followed } from "../../keepers/src/chain/follower/decode.ts";
import { Attribution } from "../../keepers/src/roles/audit/attribution.ts";
import { differencesOf } from "../../keepers/src/roles/audit/compare.ts";
import { datasetRows } from "../../keepers/src/roles/audit/dataset-rows.ts";
import { eventId } from "../../keepers/src/roles/audit/event-rows.ts";
import type { Row } from "../../keepers/src/roles/audit/rows.ts";
import { publishedSchema, queriesPage, typedDocuments } from "../../subgraph/generate-queries.ts";
import { Indexer } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";
import { executableSchema } from "../../subgraph/node/query/resolvers.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import {
  DailyTotalsDocument,
  NetworkTotalsDocument,
  OperatorBundlesDocument,
  OperatorJobsDocument,
  OperatorRecordDocument,
  OperatorWorkDocument,
  SlashedOperatorsDocument,
  StorageHealthDocument,
} from "../../subgraph/queries/documents.ts";
import { readyMadeQueries } from "../../subgraph/ready-made.ts";
import { addressOf, SyntheticChain, type SyntheticEvent } from "./chain.ts";

const root = resolve(import.meta.dirname, "../..");
const dataset = padHex("0xda", { size: 32 });
const bundle = (n: number): Hex => padHex(toHex(0xb0 + n), { size: 32 });
const operator = (n: number): Hex => padHex(toHex(n + 1), { size: 20 });
const slashed = { module: addressOf("StorageAudit"), beneficiary: operator(9), burnt: 5n };

/** Questions to the dataset's owner for cells of a bundle that was never placed. */
const toOwner = (challengeId: bigint): SyntheticEvent => ({
  contract: "RetrievalChallenges",
  name: "OwnerChallenged",
  args: {
    ...{ challengeId, datasetId: dataset, owner: operator(7), challenger: operator(8) },
    ...{ bundleIndex: 5, cellIndex: Number(challengeId), deadline: 90n + challengeId },
  },
});

/**
 * A dataset two of whose bundles are placed; the operator of the second misses an audit, is slashed, and serves no
 * retrieval. Of what is asked of the owner one cell is published, one question is closed, and one stays open.
 */
const history: Readonly<Record<number, readonly SyntheticEvent[]>> = {
  1: [1, 2].map((n) => ({
    contract: "Staking",
    name: "OperatorRegistered",
    args: { operator: operator(n), roles: 1, peerId: "0x01", endpoint: `/dns4/${n}.example.org` },
  })),
  2: [1, 2].map((n) => ({
    contract: "Staking",
    name: "Staked",
    args: { operator: operator(n), from: operator(n), amount: 1_000n },
  })),
  3: [
    {
      contract: "DatasetRegistry",
      name: "DatasetAnchored",
      args: {
        datasetId: dataset,
        owner: operator(7),
        previous: padHex("0x0", { size: 32 }),
        manifestHash: bundle(60),
        manifestDigest: bundle(61),
        objectRoot: bundle(62),
        bundlesRoot: bundle(63),
        shape: {
          objectCount: 1_797n,
          objectSize: 65,
          segmentObjects: 1_024,
          k: 8,
          n: 11,
          encrypted: false,
        },
      },
    },
    ...[1, 2].map((n) => ({
      contract: "BundleRegistry" as const,
      name: "BundlePlaced",
      args: {
        bundleId: bundle(n),
        datasetId: dataset,
        bundleIndex: n - 1,
        operator: operator(n),
        since: 3,
        repair: false,
      },
    })),
  ],
  5: [
    {
      contract: "StorageAudit",
      name: "AuditAnswered",
      args: { dutyId: bundle(1), epoch: 4, operator: operator(1), evaluation: 77n },
    },
  ],
  6: [
    {
      contract: "StorageAudit",
      name: "AuditMissed",
      args: { bundleId: bundle(2), epoch: 4, operator: operator(2) },
    },
    {
      contract: "Staking",
      name: "Slashed",
      args: {
        operator: operator(2),
        ...slashed,
        amount: 60n,
        reason: stringToHex("audit missed", { size: 32 }),
      },
    },
    ...[1n, 2n].map((challengeId) => ({
      contract: "RetrievalChallenges" as const,
      name: "RetrievalChallenged",
      args: {
        ...{ challengeId, bundleId: bundle(2), operator: operator(2) },
        ...{ challenger: operator(8), cellIndex: Number(challengeId), deadline: 90n },
      },
    })),
    ...[3n, 4n, 5n].map(toOwner),
  ],
  7: [
    {
      contract: "RetrievalChallenges",
      name: "RetrievalFailed",
      args: { challengeId: 2n, bundleId: bundle(2), operator: operator(2) },
    },
    {
      contract: "RetrievalChallenges",
      name: "CellPublished",
      args: { challengeId: 3n, cell: "0xce11", proof: [bundle(70)] },
    },
    ...[4n, 5n].map((challengeId) => ({
      contract: "RetrievalChallenges" as const,
      name: "RetrievalTimeoutCalled",
      args: { challengeId, graceEnds: 120n },
    })),
  ],
  8: [{ contract: "RetrievalChallenges", name: "RetrievalVoided", args: { challengeId: 4n } }],
};

describe("the ready-made audit queries", () => {
  let schema: GraphQLSchema;
  let events: readonly AssayEvent[];

  const ask = (document: unknown, variables: Record<string, unknown> = {}): Record<string, never> => {
    const answer = execute({ schema, document: document as never, variableValues: variables });
    const { data, errors } = answer as { data?: unknown; errors?: readonly Error[] };
    assert.deepEqual(errors ?? [], []);
    return JSON.parse(JSON.stringify(data)) as Record<string, never>;
  };

  before(async () => {
    const names = [
      "Staking",
      "DatasetRegistry",
      "BundleRegistry",
      "StorageAudit",
      "RetrievalChallenges",
    ] as const;
    const sources = new Map(names.map((name) => [name, { address: addressOf(name), startBlock: 0n }]));
    const manifest = join(root, "subgraph", "build", "subgraph.yaml");
    const subgraph = readSubgraph(manifest, { sources, network: "test" });
    const store = new EntityStore(Database.open(":memory:", subgraph.schema, "test"), subgraph.schema);
    const chain = new SyntheticChain((block) => history[block] ?? []);
    chain.mine(10);
    const followed: Followed = new Map(names.map((name) => [addressOf(name), name]));
    const mined = await chain.blocks(0n, 9n, false);
    events = mined.flatMap(({ logs }) => logs.map((log) => decodeEvent(followed, log)!));
    await new Indexer({ subgraph, store, source: chain }).catchUp();
    schema = executableSchema({ schema: subgraph.schema, store, deployment: "test", failed: () => false });
  });

  it("are valid in the published schema, within the node's limits, one question each", () => {
    const published = publishedSchema();
    for (const { name, question, text } of readyMadeQueries()) {
      assert.match(question, /^[A-Z].*[.?]$/, name);
      assert.deepEqual(validate(published, parse(text)), [], name);
    }
  });

  it("are shown in an order: the jobs that there are before what one account ordered", () => {
    const names = readyMadeQueries().map(({ name }) => name);
    assert.deepEqual(names.slice(0, 3), ["recent-jobs", "ordered-jobs", "posted-orders"]);
    assert.equal(names.at(-1), "find");
  });

  it("are what the documents and their page were generated from: `node subgraph/generate-queries.ts` writes both anew", async () => {
    assert.equal(readFileSync(join(root, "subgraph/queries/documents.ts"), "utf8"), await typedDocuments());
    assert.equal(readFileSync(join(root, "docs/audit-queries.md"), "utf8"), queriesPage());
  });

  it("tell how healthy a dataset's storage is", () => {
    const answer = ask(StorageHealthDocument, { dataset, bundlesOf: dataset }) as unknown as {
      dataset: { k: number; bundles: { index: number; auditsAnswered: number; auditsMissed: number }[] };
      audits: { epoch: string; bundle: { index: number }; operator: { id: string } }[];
      retrievals: {
        id: string;
        cellIndex: string;
        challenger: string;
        deadline: string;
        operator: { id: string };
        bundle: { index: number; events: { parameters: string }[] };
      }[];
    };
    assert.deepEqual(
      answer.dataset.bundles.map(({ index, auditsAnswered, auditsMissed }) => [
        index,
        auditsAnswered,
        auditsMissed,
      ]),
      [
        [0, 1, 0],
        [1, 0, 1],
      ],
    );
    assert.deepEqual(
      answer.audits.map(({ epoch, bundle: { index }, operator: { id } }) => [epoch, index, id]),
      [["4", 1, operator(2)]],
    );
    assert.deepEqual(
      answer.retrievals.map(({ bundle: { index }, operator: { id }, ...said }) => ({
        ...said,
        index,
        holder: id,
      })),
      [{ id: "2", cellIndex: "2", challenger: operator(8), deadline: "90", index: 1, holder: operator(2) }],
    );
    // The event of the failure leads to its transaction.
    const [{ bundle: failed }] = answer.retrievals as [(typeof answer.retrievals)[number]];
    assert.deepEqual(
      failed.events.map(({ parameters }) => JSON.parse(parameters).challengeId),
      ["2"],
    );
  });

  it("tell what nobody holds and the owner has not published", () => {
    const { dataset: found } = ask(StorageHealthDocument, { dataset, bundlesOf: dataset }) as unknown as {
      dataset: { ownerRetrievals: unknown[]; asked: { parameters: string }[] };
    };
    assert.deepEqual(found.ownerRetrievals, [
      { id: "5", bundleIndex: "5", cellIndex: "5", challenger: operator(8), deadline: "95" },
    ]);
    // The events of the questions lead to their transactions.
    assert.deepEqual(found.asked.map(({ parameters }) => JSON.parse(parameters).challengeId).toSorted(), [
      "3",
      "4",
      "5",
    ]);
  });

  it("rest on what an audit finds on the chain: every retrieval, a holder's or an owner's, and whom its events are about", () => {
    const answer = ask(
      parse(`{
        retrievals { id bundle { id } operator { id } challenger cellIndex deadline status }
        ownerRetrievals { id dataset { id } owner challenger bundleIndex cellIndex deadline status }
        events(where: { contract: "RetrievalChallenges" }) { id dataset { id } bundle { id } operator { id } }
      }`),
    ) as unknown as Record<"retrievals" | "ownerRetrievals" | "events", { readonly id: string }[]>;
    // What is referred to, by its id.
    const flat = (rows: readonly { readonly id: string }[]): Row[] =>
      rows.map(
        (row) =>
          Object.fromEntries(
            Object.entries(row).map(([name, value]) => [
              name,
              (value as { id?: string } | null)?.id ?? value,
            ]),
          ) as unknown as Row,
      );
    const [retrievals, ownerRetrievals] = [flat(answer.retrievals), flat(answer.ownerRetrievals)];
    assert.deepEqual(
      [...retrievals, ...ownerRetrievals].map(({ id, status }) => [id, status]),
      [
        ["1", "Open"],
        ["2", "Failed"],
        ["3", "Published"],
        ["4", "Void"],
        ["5", "Open"],
      ],
    );
    const found = datasetRows(
      events,
      new Map(
        events.map(({ transactionHash }) => [
          transactionHash,
          { timestamp: 0n, from: operator(0), to: null, input: "0x" },
        ]),
      ),
    );
    assert.deepEqual(differencesOf("retrievals", retrievals, found.retrievals), []);
    assert.deepEqual(differencesOf("ownerRetrievals", ownerRetrievals, found.ownerRetrievals), []);
    const attribution = new Attribution(events);
    assert.deepEqual(
      flat(answer.events),
      events
        .filter(({ contract }) => contract === "RetrievalChallenges")
        .map((event) => {
          const {
            dataset: of = null,
            bundle: placed = null,
            operator: who = null,
          } = attribution.subjectsOf(event);
          return { id: eventId(event), dataset: of, bundle: placed, operator: who };
        }),
    );
  });

  it("tell which operators were slashed and what they have left", () => {
    const { slashes } = ask(SlashedOperatorsDocument) as unknown as {
      slashes: { amount: string; burnt: string; reason: string; operator: Record<string, unknown> }[];
    };
    assert.deepEqual(
      slashes.map(({ amount, burnt, reason, operator: { id, staked } }) => ({
        amount,
        burnt,
        reason,
        id,
        staked,
      })),
      [{ amount: "60", burnt: "5", reason: "audit missed", id: operator(2), staked: "940" }],
    );
    assert.deepEqual(ask(SlashedOperatorsDocument, { since: "99999999999" }), { slashes: [] });
    const { operator: record } = ask(OperatorRecordDocument, { operator: operator(2) }) as unknown as {
      operator: { slashed: string; bundles: unknown[]; slashes: unknown[] };
    };
    assert.equal(record.slashed, "60");
    assert.equal(record.bundles.length, 1);
    assert.equal(record.slashes.length, 1);
    const { operator: holder } = ask(OperatorBundlesDocument, { operator: operator(2) }) as unknown as {
      operator: { bundles: { index: number; auditsMissed: number }[] };
    };
    assert.deepEqual(
      holder.bundles.map(({ index, auditsMissed }) => [index, auditsMissed]),
      [[1, 1]],
    );
    assert.deepEqual(ask(OperatorJobsDocument, { operator: operator(2) }), { operator: { jobs: [] } });
    const of = operator(2);
    const work = ask(OperatorWorkDocument, {
      operator: of,
      of,
      to: of,
      audits: 5,
      payments: 5,
    }) as unknown as {
      operator: { bundles: unknown[] };
      audits: { isAnswered: boolean; bundle: { index: number } }[];
      payments: unknown[];
    };
    assert.deepEqual(
      work.audits.map(({ isAnswered, bundle: { index } }) => [isAnswered, index]),
      [[false, 1]],
    );
    assert.equal(work.operator.bundles.length, 1);
  });

  it("add up days and the whole network", () => {
    const { days } = ask(DailyTotalsDocument) as unknown as { days: Record<string, unknown>[] };
    assert.equal(days.length, 1);
    assert.deepEqual(
      [days[0]!.datasets, days[0]!.auditsAnswered, days[0]!.auditsMissed, days[0]!.slashed],
      [1, 1, 1, "60"],
    );
    const { network, _meta } = ask(NetworkTotalsDocument) as unknown as {
      network: Record<string, unknown>;
      _meta: { block: { number: number } };
    };
    assert.deepEqual([network.operators, network.staked, network.slashed], [2, "1940", "60"]);
    assert.equal(_meta.block.number, 9);
  });

  it("have documents that say what the files say", () => {
    const [totals] = readyMadeQueries().filter(({ name }) => name === "network-totals");
    assert.equal(print(NetworkTotalsDocument), print(parse(totals!.text)));
  });
});
