import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { isProduction, matchSnapshot, tableOf } from "./snapshots.ts";
import { createWorld, instances, type World } from "./storage/deployment.ts";
import { buildDataset, elementsOf, openCell, openChunk } from "./storage/reference.ts";
import { prove, r } from "./zk/trapdoor.ts";

/** One segment of 160 objects of 784 bytes on 11 bundles of 33 cells. */
const digits = { objectCount: 160n, objectSize: 784, segmentObjects: 160, k: 8, n: 11, encrypted: false };
/** 64 segments: one operator holds a bundle of each under a cover. */
const wide = { objectCount: 64n, objectSize: 100, segmentObjects: 1, k: 2, n: 3, encrypted: false };

// Times are fixed so that seeds, and with them the zero bytes of every call, are the same in each run.
const start = Date.UTC(2030, 0, 1) / 1000;

async function measure(): Promise<Record<string, number>> {
  const gas: Record<string, number> = {};
  let world: World;
  let now = start + 7_200;
  const tick = async () => {
    now = Math.max(now + 60, (await world.networkHelpers.time.latest()) + 1);
    await world.networkHelpers.time.setNextBlockTimestamp(now);
  };
  world = await createWorld({ initialDate: new Date(start * 1000).toISOString(), tick });
  const { owner, operators, datasets, bundles, audit, retrieval, fraud, publicClient } = world;
  const sender = async (name: string, send: () => Promise<Hex>) => {
    await tick();
    const { gasUsed } = await publicClient.getTransactionReceipt({ hash: await send() });
    gas[name] = Number(gasUsed);
  };
  const waitUntil = async (time: bigint) => {
    now = Number(time);
    await world.networkHelpers.time.increaseTo(now);
  };

  // A dataset on eleven operators.
  const dataset = buildDataset(digits, 1n, { bundles: (each) => (each[0]![0]! ^= 1) });
  let id: Hex = "0x";
  await sender("anchor 11 bundles", async () => {
    const { hash, id: anchored } = await world.anchor(dataset, 30, "digits");
    id = anchored;
    return hash;
  });
  const receipts = await Promise.all(
    operators.slice(0, 11).map((each, i) => world.sign(dataset, id, i, each)),
  );
  await sender("place 1 of 11", () => bundles.write.place([receipts.slice(0, 1)]));
  await sender("place 10 of 11", () => bundles.write.place([receipts.slice(1)]));
  const ids = receipts.map((_, i) => world.bundleId(id, i));

  // 64 bundles under a cover.
  const many = buildDataset(wide, 2n);
  let manyId: Hex = "0x";
  await sender("anchor 192 bundles", async () => {
    const { hash, id: anchored } = await world.anchor(many, 30, "wide");
    manyId = anchored;
    return hash;
  });
  const holder = operators[12]!;
  const indices = Array.from({ length: 64 }, (_, i) => 3 * i);
  for (let at = 0; at < 64; at += 16) {
    const part = await Promise.all(
      indices.slice(at, at + 16).map((i) => world.sign(many, manyId, i, holder)),
    );
    await tick();
    await bundles.write.place([part]);
  }
  const covered = indices.map((i) => world.bundleId(manyId, i));
  const registration = await world.proveRegistration(covered, 42n);
  await sender("registerCover of 64", () =>
    bundles.write.registerCover([covered, 42n, registration], { account: holder.account }),
  );
  const { coverId } = await bundles.read.holdingOf([covered[0]!]);

  // Three epochs: the first answer of a duty in 256 epochs writes a fresh word.
  for (const when of ["first", "later"]) {
    const epoch = await world.nextEpoch();
    const single = await world.proveBundle(ids[0]!, epoch);
    await sender(`answer, ${when}`, () =>
      audit.write.answer([ids[0]!, epoch, single.evaluation, single.proof], {
        account: operators[0]!.account,
      }),
    );
    const all = await world.proveCover(coverId, covered, epoch);
    await sender(`answerCover of 64, ${when}`, () =>
      audit.write.answerCover([coverId, epoch, all.evaluation, all.cells, all.proof], {
        account: holder.account,
      }),
    );
  }
  await sender("claim", () => audit.write.claim([ids[0]!]));
  await sender("claim under a cover", () => audit.write.claim([covered[0]!]));
  await tick();
  await audit.write.performUpkeep(["0x"]).catch(() => undefined);

  // A missed audit and its repair.
  const missed = await world.nextEpoch();
  const [, , closesAt] = await audit.read.windowOf([missed]);
  await waitUntil(closesAt + 1n);
  await sender("callTimeout", () => audit.write.callTimeout([ids[1]!, missed]));
  await waitUntil(closesAt + 7_200n);
  await sender("slashMissed", () => audit.write.slashMissed([ids[1]!, missed]));
  const fresh = await world.nextEpoch();
  const repair = await world.placeProven(dataset, id, 1, operators[13]!, fresh);
  await sender("place as repair", () => bundles.write.placeProven(repair));
  const next = await world.nextEpoch();
  const repaired = await world.proveBundle(ids[1]!, next);
  await tick();
  await audit.write.answer([ids[1]!, next, repaired.evaluation, repaired.proof]);
  await sender("claim with a bounty", () => audit.write.claim([ids[1]!]));
  await sender("withdrawBounty", () =>
    bundles.write.withdrawBounty([operators[13]!.account.address], { account: operators[13]!.account }),
  );
  await sender("withdrawCredit", () =>
    datasets.write.withdrawCredit([operators[0]!.account.address], { account: operators[0]!.account }),
  );
  await sender("surrender", () => bundles.write.surrender([ids[2]!], { account: operators[2]!.account }));

  // Retrieval of one cell, published and withheld.
  const value = await retrieval.read.bond();
  const proof = dataset.bundlesTree.proof(3);
  const ask = (cell: number) => () =>
    retrieval.write.challenge([ids[3]!, cell, dataset.transport[3]!.root, proof], { value });
  await sender("challenge a cell", ask(5));
  const cell = toHex(dataset.cells[3]![5]!);
  // An estimate may see a base fee of 0, at which the publication earns nothing and writes a slot less.
  await sender("publish a cell", () =>
    retrieval.write.publish([1n, cell, dataset.transport[3]!.proof(5)], { gas: 200_000n }),
  );
  await sender("challenge another cell", ask(6));
  const { deadline } = await retrieval.read.challengeOf([2n]);
  await waitUntil(deadline + 1n);
  await sender("callTimeout of a retrieval", () => retrieval.write.callTimeout([2n]));
  await waitUntil(deadline + 7_200n);
  await sender("slashFailed", () => retrieval.write.slashFailed([2n]));

  // Each fraud proof from the same state: what one convicts, the next must not find convicted.
  const snapshot = await world.networkHelpers.takeSnapshot();
  const convict = async (name: string, send: () => Promise<Hex>) => {
    await sender(name, send);
    await snapshot.restore();
    now = await world.networkHelpers.time.latest();
  };
  const nine = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((bundle) => openCell(dataset, bundle, 0));
  await convict("proveCodeword, k = 8", () => fraud.write.proveCodeword([id, 0, 0, nine]));
  const challenged = Array.from({ length: 16 }, (_, j) => 2 * j);
  const packed = challenged.reduce((word, index, j) => word + (BigInt(index) << BigInt(14 * j)), 0n);
  const rho = 1_234_567n;
  const evaluation = challenged
    .flatMap((index) => elementsOf(dataset.cells[4]![index]!))
    .reduceRight((sum, element) => (sum * rho + element) % r, 1n);
  const root = BigInt(dataset.poseidonRoots[4]!);
  const possession = prove(instances.possession, [evaluation, root, packed, rho]);
  const opened = {
    bundleIndex: 4,
    poseidonRoot: dataset.poseidonRoots[4]!,
    transportRoot: dataset.transport[4]!.root,
    bundleProof: dataset.bundlesTree.proof(4),
    cells: challenged.map((index) => toHex(dataset.cells[4]![index]!)),
    cellProofs: challenged.map((index) => dataset.transport[4]!.proof(index)),
  };
  await convict("proveMismatch", () =>
    fraud.write.proveMismatch([id, packed, rho, evaluation, possession, opened]),
  );
  await convict("proveObject", () =>
    fraud.write.proveObject([id, 0n, openCell(dataset, 0, 0), openChunk(dataset, 0, 0)]),
  );

  // The end.
  await datasets.write.addEpochs([manyId, 1]);
  await waitUntil(await datasets.read.settledAt([(await datasets.read.datasetOf([manyId])).endEpoch]));
  await sender("release", () => bundles.write.release([covered[0]!]));
  assert.equal((await datasets.read.datasetOf([id])).owner.toLowerCase(), owner.account.address);
  return gas;
}

describe("gas of the deployed code", {
  skip: !isProduction && "only with --build-profile production",
}, async () => {
  it("is what is on record, within the bars", async () => {
    const gas = await measure();
    assert.ok(gas["answer, first"]! <= 300_000, `an answer costs ${gas["answer, first"]}`);
    assert.ok(gas["answerCover of 64, later"]! / 64 < 6_000, "a bundle under a cover");
    matchSnapshot("gas.json", tableOf(gas));
  });
});
