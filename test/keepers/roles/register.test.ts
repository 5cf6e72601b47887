import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { stakeModules } from "../../../keepers/src/chain/stake-modules.ts";
import { registerStorageOperator } from "../../../keepers/src/roles/storage-node/register.ts";
import { deployment } from "./dataset.ts";
import { contractsOf, QueueDouble, refusal } from "./doubles.ts";

const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
const peerId = new Uint8Array(38).fill(7);
const endpoint = "/ip4/127.0.0.1/tcp/1";

/** Staking for one operator; like the real queue, the double carries a key out once. */
class Staking {
  active = false;
  roles = 0;
  stake = 0n;
  identity: [string, string] = ["0x", ""];
  readonly caps = new Map<string, bigint>();
  readonly calls: string[] = [];
  /** What may be pulled for staking. */
  allowance = 0n;
  /** Told of each call that is carried out; throws what the chain refuses it with. */
  onCall = (_functionName: string): void => {};
  readonly #known = new Set<string>();

  register(parameters = { peerId, endpoint, stake: 100n }): Promise<void> {
    const double = new QueueDouble();
    double.onSend = ({ key, to, data }) => {
      if (this.#known.has(key)) return;
      const isStaking = to === deployment.addresses.Staking;
      const call = decodeFunctionData({ abi: isStaking ? abis.Staking : abis.AssayToken, data });
      this.onCall(call.functionName);
      this.#carryOut(call);
      this.#known.add(key);
      if (!isStaking) this.allowance = call.args![1] as bigint;
      // The token's approvals have the same name.
      if (isStaking && call.functionName === "approve") this.caps.set(...(call.args as [string, bigint]));
    };
    const contracts = contractsOf({
      Staking: {
        operatorOf: () => ({ active: this.active, roles: this.roles, stake: this.stake }),
        identityOf: () => this.identity,
        capOf: ([, module]: [string, string]) => this.caps.get(module) ?? 0n,
      },
      AssayToken: { allowance: () => this.allowance },
    });
    const reader = {};
    const poll = async () => [{ status: "fulfilled", value: "0x2" }];
    const chain = { public: reader, confirmed: reader, trust: { quorum: 1 }, poll };
    const queue = { ...double.queue, isBegun: (key: string) => this.#known.has(key) };
    return registerStorageOperator({ account, chain, contracts, deployment, queue } as never, parameters);
  }

  #carryOut({ functionName, args }: { functionName: string; args?: readonly unknown[] }): void {
    this.calls.push(functionName);
    if (functionName === "stake") {
      const amount = args![0] as bigint;
      if (amount > this.allowance) throw refusal("stake");
      this.allowance -= amount;
      this.stake += amount;
    }
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
    assert.deepEqual(staking.calls.slice(0, 3), ["register", "approve", "stake"]);
    const approvals = stakeModules(deployment, 1).map(({ address }) => [address, 100n]);
    assert.deepEqual([...staking.caps], approvals);
    await staking.register();
    assert.equal(staking.calls.length, 3 + approvals.length);
    assert.equal(staking.stake, 100n);
  });

  it("leaves an approval that is greater, and raises one that is not enough", async () => {
    const staking = new Staking();
    const [first] = stakeModules(deployment, 1);
    staking.caps.set(first!.address, 500n);
    await staking.register();
    assert.equal(staking.caps.get(first!.address), 500n);
    await staking.register({ peerId, endpoint, stake: 600n });
    assert.equal(staking.caps.get(first!.address), 600n);
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

  it("stakes although another pull of the account uses up what was approved for it", async () => {
    const staking = new Staking();
    let isUsed = false;
    staking.onCall = (name) => {
      if (name !== "stake" || isUsed) return;
      isUsed = true;
      staking.allowance = 0n;
    };
    await assert.rejects(staking.register(), /the chain refuses it/);
    await staking.register();
    assert.equal(staking.stake, 100n);
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
