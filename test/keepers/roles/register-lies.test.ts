import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { bytesToHex, decodeFunctionData, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { registerStorageOperator } from "../../../keepers/src/roles/storage-node/register.ts";
import { deployment } from "./dataset.ts";
import type { Reads } from "./doubles.ts";
import { LiedTo } from "./lied-to.ts";

const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
const peerId = new Uint8Array(38).fill(7);
const endpoint = "/ip4/127.0.0.1/tcp/1";
const row = { stake: 100n, locked: 0n, unbonding: 0n, roles: 1, registeredAt: 1n, active: true };

describe("an operator that is registered when its keeper starts, of whose endpoints the first lies,", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo({
      Staking: {
        operatorOf: () => row,
        identityOf: () => [bytesToHex(peerId), endpoint],
        capOf: () => 500n,
      },
      AssayToken: { allowance: () => 10n ** 9n },
    });
  });

  /** Names of the functions that were called. */
  async function called(stake = 100n): Promise<string[]> {
    const { client: chain, contracts, queue } = await scene.context();
    const client = { account, chain, contracts, deployment, queue, log: scene.log.logger };
    await registerStorageOperator(client as never, { peerId, endpoint, stake });
    return scene.double.sent.map(({ to, data }) => {
      const abi = to === deployment.addresses.Staking ? abis.Staking : abis.AssayToken;
      return decodeFunctionData({ abi, data }).functionName;
    });
  }

  const isWarned = () =>
    scene.log.lines.some(({ level, msg }) => level === 40 && msg.includes("left as it is"));

  const lies: [string, Reads[string]][] = [
    ["it has another identity", { identityOf: () => ["0x01" as Hex, "/ip4/9.9.9.9/tcp/9"] }],
    ["it has another role", { operatorOf: () => ({ ...row, roles: 2 }) }],
    ["it is not registered", { operatorOf: () => ({ ...row, active: false, roles: 0 }) }],
    ["it has nothing staked", { operatorOf: () => ({ ...row, stake: 0n }) }],
    ["its contracts may lock nothing", { capOf: () => 0n }],
  ];
  for (const [what, says] of lies) {
    it(`attack: sends nothing although that says that ${what}`, async () => {
      scene.lie({ Staking: says });
      assert.deepEqual(await called(), []);
      assert.equal(isWarned(), false);
    });

    it(`attack: sends nothing, says so and goes on although one of only two says that ${what}`, async () => {
      scene.lie({ Staking: says });
      scene.leaveTwo();
      assert.deepEqual(await called(), []);
      assert.equal(isWarned(), true);
    });
  }

  it("attack: stakes what is lacking although that says that all is staked", async () => {
    scene.lie({ Staking: { operatorOf: () => ({ ...row, stake: 900n }) } });
    const operatorOf = () => ({ ...row, stake: scene.double.sent.length === 0 ? 100n : 200n });
    scene.tell({ Staking: { operatorOf } });
    assert.deepEqual(await called(200n), ["stake"]);
  });

  it("gives up an identity that does not stay after a few calls, each with a key of its own, and goes on", async () => {
    scene.tell({ Staking: { identityOf: () => ["0x01", ""] } });
    assert.deepEqual(await called(), ["update", "update", "update"]);
    assert.equal(new Set(scene.keys).size, 3);
    assert.equal(isWarned(), true);
  });

  it("believes the only endpoint that answers, since nobody else can be asked", async () => {
    const identityOf = () => (scene.double.sent.length === 0 ? ["0x01", ""] : [bytesToHex(peerId), endpoint]);
    scene.tell({ Staking: { identityOf } });
    scene.leaveTwo();
    const [, other] = scene.endpoints;
    other!.failure = new Error("connection reset");
    assert.deepEqual(await called(), ["update"]);
  });

  it("waits for what was under way when its process was killed", async () => {
    scene.double.waiting.push("stake:0:100:0");
    assert.deepEqual(await called(), []);
    assert.deepEqual(scene.double.waited, ["stake:0:100:0"]);
  });
});
