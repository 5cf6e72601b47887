import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { registerStorageOperator } from "../../../keepers/src/roles/storage-node/register.ts";
import { deployment } from "./dataset.ts";
import { contractsOf, QueueDouble } from "./doubles.ts";

const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
const peerId = new Uint8Array(38).fill(7);
const endpoint = "/ip4/127.0.0.1/tcp/1";

/** Staking for one operator; like the real queue, the double carries a key out once. */
class Staking {
  active = false;
  roles = 0;
  stake = 0n;
  identity: [string, string] = ["0x", ""];
  readonly calls: string[] = [];
  readonly #known = new Set<string>();

  register(parameters = { peerId, endpoint, stake: 100n }): Promise<void> {
    const double = new QueueDouble();
    double.onSend = ({ key, to, data }) => {
      if (this.#known.has(key)) return;
      this.#known.add(key);
      const abi = to === deployment.addresses.Staking ? abis.Staking : abis.AssayToken;
      this.#carryOut(decodeFunctionData({ abi, data }));
    };
    const contracts = contractsOf({
      Staking: {
        operatorOf: () => ({ active: this.active, roles: this.roles, stake: this.stake }),
        identityOf: () => this.identity,
      },
    });
    const chain = { public: { getBlockNumber: async () => 2n } };
    return registerStorageOperator(
      { account, chain, contracts, deployment, queue: double.queue } as never,
      parameters,
    );
  }

  #carryOut({ functionName, args }: { functionName: string; args?: readonly unknown[] }): void {
    this.calls.push(functionName);
    if (functionName === "stake") this.stake += args![0] as bigint;
    if (functionName !== "register" && functionName !== "update") return;
    this.active = true;
    this.roles = args![0] as number;
    this.identity = [args![1] as string, args![2] as string];
  }
}

describe("registering a storage operator", () => {
  it("registers and stakes, and does nothing when all is so already", async () => {
    const staking = new Staking();
    await staking.register();
    assert.deepEqual(staking.calls, ["register", "approve", "stake"]);
    await staking.register();
    assert.equal(staking.calls.length, 3);
    assert.equal(staking.stake, 100n);
  });

  it("tells the chain of a new endpoint, and of an old one that comes back", async () => {
    const staking = new Staking();
    await staking.register();
    for (const port of [2, 1, 2]) {
      await staking.register({ peerId, endpoint: `/ip4/127.0.0.1/tcp/${port}`, stake: 100n });
      assert.equal(staking.identity[1], `/ip4/127.0.0.1/tcp/${port}`);
    }
  });

  it("keeps roles that the operator has besides", async () => {
    const staking = new Staking();
    staking.active = true;
    staking.roles = 4;
    await staking.register();
    assert.equal(staking.roles, 5);
  });

  it("fills the stake up again however often it is slashed to the same amount", async () => {
    const staking = new Staking();
    await staking.register();
    for (let slashed = 0; slashed < 3; slashed++) {
      staking.stake -= 10n;
      await staking.register();
      assert.equal(staking.stake, 100n);
    }
  });
});
