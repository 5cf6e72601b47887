/** How a node comes to know its registered peers: beside whatever strangers do, and on what anybody may register. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Abi,
  type Address,
  decodeFunctionData,
  encodeFunctionResult,
  type Hex,
  zeroAddress,
} from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { addressOf } from "../../../../keepers/src/chain/contracts.ts";
import {
  RegisteredPeers,
  registeredSchema,
} from "../../../../keepers/src/roles/storage-node/registered-peers.ts";
import { peerIdText } from "../../../../keepers/src/storage/client/peers.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { deployment } from "../../roles/dataset.ts";
import { account, contractsOf } from "../../roles/doubles.ts";

const peerBytes = (i: number): Hex => `0x1220${(i + 1).toString(16).padStart(64, "0")}`;
const peerOf = (i: number): string => peerIdText(peerBytes(i));

/** Operators that have registered: each with a peer, and a stake. */
type Registry = { operators: Address[]; stakeOf: (operator: Address) => bigint };

/** What the contracts answer of a registry. */
function answer({ operators, stakeOf }: Registry, name: string, args: readonly unknown[] = []): unknown {
  const operator = args[0] as Address;
  const indexOf = () => operators.findIndex((each) => each.toLowerCase() === operator.toLowerCase());
  switch (name) {
    case "parameters":
      return {
        ...{ bondPerBundle: 0n, bundleStake: 10n, missPenalty: 0n, surrenderPenalty: 0n },
        policy: zeroAddress,
      };
    case "operatorCount":
      return BigInt(operators.length);
    case "operators":
      return operators.slice(Number(args[0]), Number(args[0]) + Number(args[1]));
    case "operatorOf":
      return {
        stake: stakeOf(operator),
        locked: 0n,
        unbonding: 0n,
        roles: 1,
        registeredAt: 0n,
        active: true,
      };
    case "identityOf":
      return [peerBytes(indexOf()), "/dns4/a/tcp/1"];
    default:
      throw new Error(`${name} is not read here`);
  }
}

const registryOf = (count: number): Registry => ({
  operators: Array.from({ length: count }, (_, i) => account(0x1000 + i)),
  stakeOf: () => 10n,
});

/** A chain behind endpoints that let 50 requests through a second, and take 20 ms for each. */
async function chainOf(registry: Registry, endpoints: number) {
  const names = ["Staking", "DatasetRegistry"] as const;
  const abiAt = new Map<string, Abi>(
    names.map((name) => [addressOf(deployment, name).toLowerCase(), abis[name]]),
  );
  const request = async ({ method, params }: { method: string; params?: readonly unknown[] }) => {
    await delay(20);
    if (method === "eth_chainId") return "0x7a69";
    if (method !== "eth_call") return "0x1";
    const { to, data } = params![0] as { to: Hex; data?: Hex };
    const abi = abiAt.get(to?.toLowerCase() ?? "");
    if (abi === undefined || data === undefined) return "0x";
    const { functionName, args = [] } = decodeFunctionData({ abi, data });
    return encodeFunctionResult({ abi, functionName, result: answer(registry, functionName, args) });
  };
  return await connectChain({
    chainId: 31337,
    endpoints: Array.from({ length: endpoints }, (_, i) => ({ name: `endpoint ${i}`, request })) as never,
    requestsPerSecond: 50,
    quorum: 1,
  });
}

describe("the look for registered peers", { timeout: 60_000 }, () => {
  it("attack: ends with a hundred operators and one endpoint, and waits for no stranger", async () => {
    const registry = registryOf(100);
    const chain = await chainOf(registry, 1);
    const stopping = new AbortController();
    const ask = () => chain.strangers.request({ method: "eth_call", params: [{}, "latest"] } as never);
    const strangers = Array.from({ length: 100 }, async () => {
      while (!stopping.signal.aborted) await ask().catch(() => delay(5));
    });
    try {
      const registered = RegisteredPeers.of({ client: chain, deployment });
      await delay(500);
      const begun = performance.now();
      const looking = registered.tick();
      // What is read is known at once, whatever becomes of the rest.
      while (!registered.has(peerOf(0))) {
        assert.ok(performance.now() - begun < 5_000, "not even the first is known after 5 s");
        await delay(20);
      }
      await looking;
      const known = registry.operators.filter((_, i) => registered.has(peerOf(i)));
      assert.equal(known.length, 100);
    } finally {
      stopping.abort();
      await Promise.all(strangers);
    }
  });

  it("goes on where a read failed, a few seconds later, and forgets nobody for it", async () => {
    const registry = registryOf(150);
    let failing: Address | undefined = registry.operators[120];
    const reads: string[] = [];
    const contracts = contractsOf({
      DatasetRegistry: { parameters: () => answer(registry, "parameters") },
      Staking: {
        operatorCount: () => answer(registry, "operatorCount"),
        operators: (args: readonly unknown[]) => answer(registry, "operators", args),
        identityOf: (args: readonly unknown[]) => answer(registry, "identityOf", args),
        operatorOf: ([operator]: readonly [Address]) => {
          reads.push(operator);
          if (operator === failing) throw new Error("the endpoint fails");
          return answer(registry, "operatorOf", [operator]);
        },
      },
    });
    const registered = new RegisteredPeers({ contracts, retryAfter: 400 });
    await assert.rejects(registered.tick(), /the endpoint fails/);
    const known = () => registry.operators.filter((_, i) => registered.has(peerOf(i))).length;
    assert.ok(known() >= 110 && known() < 150, `${known()} are known`);
    await registered.tick();
    const asked = reads.length;
    failing = undefined;
    await delay(420);
    await registered.tick();
    assert.equal(known(), 150);
    assert.ok(reads.length - asked < 50, `${reads.length - asked} were read again`);
    await delay(420);
    await registered.tick();
    assert.equal(known(), 150);
  });

  it("attack: begins with those that hold bundles, however many have registered and staked nothing", async () => {
    const registry = registryOf(10_000);
    const honest = registry.operators[9_999]!;
    registry.stakeOf = (operator) => (operator === honest ? 10n : 0n);
    let [underWay, most] = [0, 0];
    const read = (name: string) => async (args: readonly unknown[]) => {
      most = Math.max(most, ++underWay);
      await delay(0);
      underWay--;
      return answer(registry, name, args);
    };
    const contracts = contractsOf({
      DatasetRegistry: { parameters: read("parameters") },
      Staking: Object.fromEntries(
        ["operatorCount", "operators", "identityOf", "operatorOf"].map((name) => [name, read(name)]),
      ),
    });
    const registered = new RegisteredPeers({ contracts, holders: () => [honest] });
    await registered.tick();
    assert.equal(registered.has(peerOf(9_999)), true);
    assert.ok(most <= 4, `${most} reads at a time are before those of duties`);
  });

  it("are known again after a restart, before anything is read", async () => {
    const registry = registryOf(3);
    const state = openState({ path: ":memory:", schemas: [registeredSchema] });
    const contracts = contractsOf({
      DatasetRegistry: { parameters: () => answer(registry, "parameters") },
      Staking: Object.fromEntries(
        ["operatorCount", "operators", "identityOf", "operatorOf"].map((name) => [
          name,
          (args: readonly unknown[]) => answer(registry, name, args),
        ]),
      ),
    });
    const known = (registered: RegisteredPeers) => [0, 1, 2].map((i) => registered.has(peerOf(i)));
    await new RegisteredPeers({ contracts, state }).tick();
    const again = new RegisteredPeers({ contracts, state, lookEvery: 0 });
    assert.deepEqual(known(again), [true, true, true]);
    registry.stakeOf = (operator) => (operator === registry.operators[1] ? 9n : 10n);
    await again.tick();
    assert.deepEqual(known(again), [true, false, true]);
    assert.deepEqual(known(new RegisteredPeers({ contracts, state })), [true, false, true]);
    state.close();
  });
});
