import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { zeroHash } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { Attribution } from "../../../../keepers/src/roles/audit/attribution.ts";
import {
  auditDataset,
  type DatasetEvidence,
  type StorageAuditParameters,
  storageClaim,
} from "../../../../keepers/src/roles/audit/dataset-claims.ts";
import { datasetRows } from "../../../../keepers/src/roles/audit/dataset-rows.ts";
import { eventRow } from "../../../../keepers/src/roles/audit/event-rows.ts";
import type { GatherParameters } from "../../../../keepers/src/roles/audit/job-evidence.ts";
import { paymentRows } from "../../../../keepers/src/roles/audit/payment-rows.ts";
import type { KindName, Row } from "../../../../keepers/src/roles/audit/rows.ts";
import type { StorageClient } from "../../../../keepers/src/storage/client/client.ts";
import {
  ManifestMismatchError,
  ManifestUnavailableError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { account, happened, historyOf, stampsOf, word } from "./doubles.ts";

const [ours, others] = [word(0xd1), word(0xd2)];
const holder = account(1);
const bundle = (index: number) => word(0xb000 + index);
const foreign = word(0xf0);
const [cover, foreignCover] = [word(0xc1), word(0xc2)];

/** What the owner was asked for of a bundle that nobody ever held, and what became of it. */
function questions(from: number): AssayEvent[] {
  const next = (at: number, name: string, args: Readonly<Record<string, unknown>>) =>
    happened(from + at, `RetrievalChallenges.${name}`, args);
  const question = (at: number, challengeId: bigint, datasetId: string) =>
    next(at, "OwnerChallenged", {
      ...{ challengeId, datasetId, owner: account(2), challenger: account(3) },
      ...{ bundleIndex: 2, cellIndex: 0, deadline: 90n },
    });
  return [
    question(1, 1n, ours),
    question(2, 2n, ours),
    question(3, 3n, others),
    question(4, 4n, ours),
    next(5, "CellPublished", { challengeId: 1n, cell: "0xce", proof: [] }),
    next(6, "RetrievalTimeoutCalled", { challengeId: 2n, graceEnds: 120n }),
    next(7, "RetrievalVoided", { challengeId: 2n }),
  ];
}

/** Events of two datasets: ours with so many bundles, of which some are placed, all of them under one cover. */
function story(made: number, placed: number): AssayEvent[] {
  let block = 0;
  const next = (name: string, args: Readonly<Record<string, unknown>>) => happened(++block, name, args);
  const anchored = (datasetId: string) =>
    next("DatasetRegistry.DatasetAnchored", {
      ...{ datasetId, owner: account(2), previous: zeroHash, manifestHash: word(1), manifestDigest: word(2) },
      ...{ objectRoot: word(3), bundlesRoot: word(4) },
      shape: { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 2, encrypted: false },
    });
  const place = (bundleId: string, datasetId: string, bundleIndex: number) =>
    next("BundleRegistry.BundlePlaced", {
      ...{ bundleId, datasetId, operator: holder, bundleIndex, since: 0, repair: false },
    });
  const answered = (dutyId: string, epoch: number) =>
    next("StorageAudit.AuditAnswered", { dutyId, epoch, operator: holder, evaluation: 5n });
  const roots = Array.from({ length: made }, (_, i) => word(i));
  const bundleIds = Array.from({ length: placed }, (_, i) => bundle(i));
  return [
    anchored(ours),
    next("DatasetRegistry.BundleRoots", { datasetId: ours, poseidonRoots: roots, transportRoots: roots }),
    anchored(others),
    ...bundleIds.map((id, i) => place(id, ours, i)),
    place(foreign, others, 0),
    next("BundleRegistry.CoverRegistered", { coverId: cover, operator: holder, root: 1n, bundleIds }),
    next("BundleRegistry.CoverRegistered", {
      ...{ coverId: foreignCover, operator: holder, root: 1n, bundleIds: [foreign] },
    }),
    answered(foreign, 0),
    answered(foreignCover, 1),
    next("DatasetRegistry.FeePaid", { datasetId: ours, operator: holder, amount: 3n * 10n ** 18n }),
    answered(cover, 1),
    next("DatasetRegistry.FeePaid", { datasetId: ours, operator: holder, amount: 4n * 10n ** 18n }),
    answered(cover, 2),
  ];
}

type Asked = { readonly name: KindName; readonly where: unknown; readonly most: number };

/** What an audit says beside an honest index that has read the chain up to a block, and what it asked and read for it. */
async function audit(
  events: readonly AssayEvent[],
  indexed = events.length,
  storage?: StorageAuditParameters,
  lies: { readonly [K in KindName]?: readonly Row[] } = {},
) {
  const asked: Asked[] = [];
  const read = new Set<AssayEvent>();
  const attribution = new Attribution(events);
  const [stamps, block] = [stampsOf(events), events.length];
  const known = events.slice(0, indexed);
  const ofOurs = known.filter((event) => {
    const { dataset, bundle: id } = attribution.subjectsOf(event);
    return dataset === ours || (id !== undefined && id !== foreign);
  });
  const folded = datasetRows(known, stamps);
  const told: { readonly [K in KindName]?: readonly Row[] } = {
    events: ofOurs.map((event) => eventRow(event, stamps)),
    datasets: folded.datasets.filter(({ id }) => id === ours),
    bundles: folded.bundles.filter(({ dataset }) => dataset === ours),
    payments: paymentRows(ofOurs, stamps, attribution),
    ownerRetrievals: folded.ownerRetrievals.filter(({ dataset }) => dataset === ours),
    ...lies,
  };
  const reader = {
    position: async () => ({ number: BigInt(indexed), hash: word(0xb0000 + indexed), hasErrors: false }),
    rows: async (name: KindName, where: unknown, { most }: { most: number }) => {
      asked.push({ name, where, most });
      return told[name] ?? [];
    },
  };
  const parameters = {
    ...{ history: historyOf(events, block), attribution, contracts: {} },
    index: { url: "http://127.0.0.1/", reader, patience: 0 },
    client: {
      public: {
        getBlockNumber: async () => BigInt(block),
        getBlock: async ({ blockNumber }: { blockNumber: bigint }) => ({
          hash: word(0xb0000 + Number(blockNumber)),
        }),
      },
    },
    stamps: {
      read: async (some: readonly AssayEvent[]) => {
        for (const event of some) read.add(event);
        return stamps;
      },
    },
  } as unknown as GatherParameters;
  const evidence = await auditDataset(parameters, ours, storage);
  return { evidence, asked, read };
}

const claimOf = ({ claims }: DatasetEvidence, id: string) => claims.find((claim) => claim.id === id)!;
/** Claims that are wrong, beside the made-up root of the bundles. */
const wrongOnes = ({ claims }: DatasetEvidence) =>
  claims.filter(({ id, verdict }) => verdict === "wrong" && id !== "roots").map(({ id }) => id);

describe("an audit of a dataset", () => {
  it("agrees with an honest index, and counts bundles that nobody ever held", async () => {
    const { evidence } = await audit(story(3, 2));
    assert.deepEqual(wrongOnes(evidence), []);
    assert.match(claimOf(evidence, "holders").statement, /^2 of 3 bundles have a holder/);
    assert.match(claimOf(evidence, "audits").statement, /4 times they did/);
    assert.equal(claimOf(evidence, "storage").verdict, "trusted");
  });

  it("tells the whole of what was paid and answered beside an index that stands still, and blames it for that alone", async () => {
    const events = story(3, 2);
    const { evidence } = await audit(events, events.length - 3);
    assert.deepEqual(wrongOnes(evidence), ["index-current"]);
    assert.match(claimOf(evidence, "payments").statement, /were paid 7 tokens/);
    assert.match(claimOf(evidence, "audits").statement, /4 times they did/);
    const last = await audit(events, events.length - 1);
    assert.deepEqual(wrongOnes(last.evidence), ["index-current"], "an answer for a cover counts as well");
  });

  it("tells what was demanded of the owner, and which of it was not shown", async () => {
    const before = story(3, 2);
    const { evidence, asked } = await audit([...before, ...questions(before.length)]);
    assert.deepEqual(wrongOnes(evidence), []);
    assert.equal(
      claimOf(evidence, "owner-retrievals").statement,
      "3 pieces that no holder owed demanded of its owner on chain; 1 not shown so far.",
    );
    assert.deepEqual(
      evidence.rows.ownerRetrievals.map(({ id, status }) => [id, status]),
      [
        ["1", "Published"],
        ["2", "Void"],
        ["4", "Open"],
      ],
    );
    assert.deepEqual(asked.find(({ name }) => name === "ownerRetrievals")?.where, { dataset: ours });
    const none = claimOf((await audit(before)).evidence, "owner-retrievals");
    assert.match(none.statement, /^Nobody had to demand of its owner/);
  });

  it("attack: an index hides that the owner has not published what it was asked for", async () => {
    const before = story(3, 2);
    const events = [...before, ...questions(before.length)];
    const { ownerRetrievals } = (await audit(events)).evidence.rows;
    const shown = ownerRetrievals.map((row) => ({ ...row, status: "Published" }));
    for (const lie of [shown, ownerRetrievals.slice(0, 2)]) {
      const { evidence } = await audit(events, undefined, undefined, { ownerRetrievals: lie });
      assert.deepEqual(wrongOnes(evidence), ["owner-retrievals"]);
    }
  });

  it("reads no block or transaction of what other datasets' holders answered", async () => {
    const { read } = await audit(story(3, 2));
    const duties = [...read].flatMap(({ eventName, args }) =>
      eventName === "AuditAnswered" ? [(args as { dutyId: string }).dutyId] : [],
    );
    assert.deepEqual(duties, [cover, cover]);
  });

  it("asks for many bundles in parts that a node takes, and for as many rows as the chain has", async () => {
    const { evidence, asked } = await audit(story(2_500, 2_500));
    assert.deepEqual(wrongOnes(evidence), []);
    const lengths = asked.flatMap(({ where }) => {
      const [{ bundle_in: list }] = [where].flatMap(
        (each) => (each as { or?: unknown[] }).or?.[1] ?? each,
      ) as [{ bundle_in?: string[] }];
      return list === undefined ? [] : [list.length];
    });
    assert.equal(lengths.length, 12);
    assert.ok(lengths.every((length) => length <= 1_000));
    assert.ok(asked.find(({ name }) => name === "bundles")!.most >= 2_500);
    assert.ok(asked.find(({ name }) => name === "datasets")!.most < 2_500);
  });

  it("attack: what its owner anchored is not what the manifest says: that is wrong, what nobody gives is not", async () => {
    const storageClaimAfter = async (error: Error) => {
      const contracts = { DatasetRegistry: { read: { datasetOf: () => Promise.reject(error) } } };
      const client = { contracts } as unknown as StorageClient;
      const storage = { client, commit: () => assert.fail("nothing was fetched"), full: true };
      return claimOf((await audit(story(3, 2), undefined, storage)).evidence, "storage");
    };
    const fraud = await storageClaimAfter(new ManifestMismatchError("objectRoot"));
    assert.equal(fraud.verdict, "wrong");
    assert.match(fraud.how, /contradicts its anchor at objectRoot/);
    const silence = await storageClaimAfter(new ManifestUnavailableError("bafy", []));
    assert.equal(silence.verdict, "trusted");
  });

  it("says that there is no proof of possession where none is due yet", () => {
    const proofs = { source: "chain" as const, proven: [], refuted: [], unproven: [], transactions: [] };
    const check = { what: "possession", ok: true, isComplete: false, detail: "0 bundles proven" };
    const unproven = [{ bundleIndex: 0, reason: "its first audit is not over yet", overdue: false }];
    const none = storageClaim(check, { ...proofs, unproven });
    assert.equal(none.verdict, "trusted");
    assert.match(none.statement, /^There is no proof of possession/);
    assert.match(none.how, /its first audit is not over yet/);
    const some = storageClaim(check, { ...proofs, proven: [1] });
    assert.match(some.statement, /proofs of possession are right/);
    const overdue = storageClaim({ ...check, ok: false }, proofs);
    assert.deepEqual(
      [overdue.verdict, overdue.statement],
      ["wrong", "The last proofs of possession are right."],
    );
  });

  it("attack: bundles that fit no others are not served: that they fit together is taken on trust", () => {
    const proofs = { source: "none" as const, proven: [], refuted: [], unproven: [], transactions: [] };
    const check = {
      what: "code",
      ok: true,
      isComplete: false,
      detail: "1 of 2 segments could not be compared",
    };
    const verdictOf = (rest: Partial<typeof check>) => storageClaim({ ...check, ...rest }, proofs).verdict;
    assert.equal(verdictOf({}), "trusted");
    assert.equal(verdictOf({ isComplete: true }), "verified");
    assert.equal(verdictOf({ ok: false }), "wrong");
  });
});
