import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { checkProofs } from "../../../../keepers/src/storage/client/check-proofs.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import {
  type Holder,
  type KnownDataset,
  readHolders,
} from "../../../../keepers/src/storage/client/dataset.ts";
import { openDataset } from "../../../../keepers/src/storage/client/get-object.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import { ProcessProver } from "../../../../keepers/src/storage/prover/process-prover.ts";
import type { PossessionAnswer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { startTestNetwork, type TestNetwork, type TestNode } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

describe("proofs on the client's own seed", () => {
  let prover: ProcessProver<"possession" | "covering" | "registration">;
  let network: TestNetwork;
  let client: StorageWriter;
  let dataset: KnownDataset;
  let holders: Holder[];

  before(async () => {
    const [possession, covering, registration] = await setupCircuits();
    prover = new ProcessProver({
      circuits: { possession: possession!, covering: covering!, registration: registration! },
    });
    network = await startTestNetwork(2, prover);
    client = await network.writer();
    const { datasetId } = await put(client, {
      source: sourceOf(objectsOf(1, 40, 700)),
      identity: "proofs",
      directory: join(network.folder, "uploads"),
      commit: async (bytes) => commitBundle(bytes),
      k: 1,
      n: 2,
      feePerAudit: 1n,
      epochs: 2,
    });
    dataset = await openDataset(client, datasetId);
    holders = await readHolders(client, datasetId, [0, 1]);
  });
  after(async () => {
    await network?.close();
    await prover?.close();
  });
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  const check = () => checkProofs(client, { source: "fresh", dataset, holders });
  const holderOf = (bundle: number): TestNode =>
    network.nodes.find(({ operator }) => operator === holders[bundle]!.operator)!;

  it("are verified against keys and roots of the chain; one of another seed or bundle is not", async () => {
    const honest = await check();
    assert.deepEqual([honest.proven, honest.refuted, honest.unproven], [[0, 1], [], []]);

    let kept: PossessionAnswer | undefined;
    const [first, second] = [holderOf(0), holderOf(1)];
    first.misbehave({
      prove: async (request, caller) => {
        kept = await first.service.prove(request, caller);
        return kept;
      },
    });
    second.misbehave({ prove: () => Promise.reject(new Error("busy")) });
    const half = await check();
    assert.deepEqual(half.proven, [0]);
    assert.deepEqual(
      half.unproven.map(({ bundleIndex }) => bundleIndex),
      [1],
    );

    // A proof of yesterday, and the neighbour's.
    first.misbehave({ prove: async () => kept! });
    second.misbehave({ prove: async () => kept! });
    const stale = await check();
    assert.deepEqual(stale.proven, []);
    assert.deepEqual(stale.refuted.map(({ bundleIndex }) => bundleIndex).sort(), [0, 1]);
    assert.deepEqual(
      new Set(stale.refuted.map(({ operator }) => operator)),
      new Set([first.operator, second.operator]),
    );
  });
});
