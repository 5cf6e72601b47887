import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { Auditor, type AuditorParts } from "../../../keepers/src/roles/storage-node/auditor.ts";
import { readingAgreed } from "../../../keepers/src/roles/storage-node/context.ts";
import { ManualClock } from "../chain/fixtures.ts";
import { deployment } from "./dataset.ts";
import { account, LogDouble, proofNumber, QueueDouble, type Reads, word } from "./doubles.ts";
import { TableEndpoint } from "./endpoints.ts";

const operator = account(0xa0d);
const dataset = word(0xda);
const lost = word(0xdead);

/** What is true: the audits of epoch 5 are open until second 2,000. */
const honest: Reads = {
  StorageAudit: {
    currentEpoch: () => 5,
    windowOf: ([epoch]: [number]) => [word(epoch), epoch === 5 ? 900n : 0n, epoch === 5 ? 2_000n : 0n],
    epochOf: () => ({
      ...{ requestId: 1n, openedAt: 800n },
      windows: { seedDelay: 0, auditWindow: 1_000, timeoutWindow: 600, grace: 100 },
    }),
    isAnswered: () => false,
    graceEndsAt: () => 0n,
  },
  BundleRegistry: { dutyOf: ([id]: [Hex]) => id },
  DatasetRegistry: {
    termsOf: () => [1, 100, 1n],
    genesis: () => 0n,
    epochLength: () => 200,
    closeDelay: () => 2_000n,
  },
};

/** An endpoint that says the truth about blocks that are named by number, where its answers are compared. */
class LatestLiar extends TableEndpoint {
  lie: Hex | undefined;

  override request(request: { method: string; params?: unknown }): Promise<unknown> {
    const [, block] = (request.params ?? []) as unknown[];
    const isAlone = request.method === "eth_call" && block === "latest";
    return isAlone && this.lie !== undefined ? Promise.resolve(this.lie) : super.request(request);
  }
}

async function auditing(endpoints: TableEndpoint[], datasets: readonly Hex[] = [dataset]) {
  const { chainId } = deployment;
  const client = await connectChain({ chainId, endpoints, clock: new ManualClock() });
  const contracts = connectContracts(client.public, deployment);
  const { queue, sent } = new QueueDouble();
  const log = new LogDouble();
  const held = datasets.map((datasetId, i) => ({
    ...{ bundleId: word(i + 1), datasetId, bundleIndex: i, operator, since: 0 },
  }));
  const auditor = new Auditor({
    ...{ operator, client, deployment, contracts, queue, log: log.logger },
    agreed: readingAgreed({ client, contracts, deployment }),
    ledger: { holdingsOf: () => held, coverBundles: () => undefined },
    shelf: { byId: (bundleId: Hex) => ({ bundleId, cells: 1 }) },
    possession: { proveBundle: async () => ({ evaluation: 7n, proof: proofNumber(1) }) },
  } as unknown as AuditorParts);
  return { tick: () => auditor.tick(new AbortController().signal), contracts, sent, log };
}

describe("an endpoint that is asked first and gives what is no answer by the ABI", () => {
  const answers: [string, Hex][] = [
    ["nothing", "0x"],
    ["a word of ones", `0x${"ff".repeat(32)}`],
    ["words of ones", `0x${"ff".repeat(320)}`],
    ["bytes that are no words", "0x010203"],
  ];
  for (const [what, lie] of answers) {
    it(`attack: keeps no audit from being answered by ${what}`, async () => {
      const liar = new LatestLiar("liar", honest);
      const others = ["b", "c"].map((name) => new TableEndpoint(name, honest));
      const { tick, contracts, sent } = await auditing([liar, ...others]);
      liar.lie = lie;
      assert.equal(await tick(), 1);
      assert.equal(sent.length, 1);
      assert.deepEqual(await contracts.DatasetRegistry.read.termsOf([dataset]), [1, 100, 1n]);
    });
  }

  it("is believed alone where any word is an answer", async () => {
    const liar = new LatestLiar("liar", honest);
    const { contracts } = await auditing([
      liar,
      ...["b", "c"].map((name) => new TableEndpoint(name, honest)),
    ]);
    liar.lie = `0x${"ff".repeat(32)}`;
    assert.equal(await contracts.StorageAudit.read.isAnswered([word(1), 5]), false);
    assert.equal(await contracts.BundleRegistry.read.dutyOf([word(1), 5]), liar.lie);
  });
});

describe("a duty about which nothing can be read", () => {
  it("leaves the others be, and is noted", async () => {
    const refuses = (args: readonly unknown[]) => {
      if (args[0] === lost || args[0] === word(2)) throw new Error("this endpoint is broken");
      return args[0] as Hex;
    };
    const reads: Reads = {
      ...honest,
      BundleRegistry: { dutyOf: refuses },
      DatasetRegistry: {
        ...honest.DatasetRegistry,
        termsOf: (args: readonly unknown[]) => refuses(args) && [1, 100, 1n],
      },
    };
    const { tick, sent, log } = await auditing([new TableEndpoint("sole", reads)], [lost, dataset, dataset]);
    assert.equal(await tick(), 2);
    assert.deepEqual(
      sent.map(({ key }) => key.split(":")[2]),
      [word(3), word(1)],
      "what nobody says is over comes last, and is answered",
    );
    assert.ok(log.lines.some(({ msg }) => msg === "an audit was not answered"));
  });
});
