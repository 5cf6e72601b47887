import { type Address, getAddress, type Hex } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import type { Clock } from "../../../keepers/src/chain/clock.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment.ts";

const hash = `0x${"00".repeat(32)}` as Hex;
const numbered = (n: number) => getAddress(`0x${n.toString(16).padStart(40, "0")}`);

/** A deployment in which every contract has an address of its own. */
export function deploymentAt(staking: Address, startBlock = 0n): Deployment {
  return {
    chainId: 31337,
    startBlock,
    beacon: "CommitRevealBeacon",
    addresses: {
      AssayToken: numbered(0xa1),
      Staking: staking,
      DatasetRegistry: numbered(0xa2),
      BundleRegistry: numbered(0xa3),
      StorageAudit: numbered(0xa4),
      RetrievalChallenges: numbered(0xa5),
      EncodingFraud: numbered(0xa6),
      Escrow: numbered(0xa9),
      JobRegistry: numbered(0xaa),
      DisputeGame: numbered(0xab),
      DescentRules: numbered(0xb1),
      ElementRules: numbered(0xb2),
      SumRules: numbered(0xb3),
      RangeRules: numbered(0xb4),
      InputRules: numbered(0xb5),
      VoidRules: numbered(0xb6),
      ModelCertificate: numbered(0xac),
      Market: numbered(0xad),
      ValidatorSet: numbered(0xae),
      Committee: numbered(0xaf),
      WorkerRewards: numbered(0xb7),
      Instalments: numbered(0xb8),
      MemberGame: numbered(0xb9),
      ResultShortfalls: numbered(0xbb),
      ResultFraud: numbered(0xbc),
      VerifierRegistry: numbered(0xa7),
      CommitRevealBeacon: numbered(0xa8),
    },
    keyHashes: { possession: hash, covering: hash, registration: hash },
  };
}

/** A clock that stands still until someone sleeps; sleeping takes no time. */
export class ManualClock implements Clock {
  time = 1_000_000;
  now(): number {
    return this.time;
  }
  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    // Real work that is under way goes first: a timeout must not win against an answer that is already there.
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) return;
    }
    this.time += milliseconds;
  }
}

/** A clock whose sleepers wake up in the order of their times, each as soon as nothing else is under way. */
export class OrderedClock implements Clock {
  time = 1_000_000;
  #sleepers: { at: number; wake: () => void }[] = [];
  #isRunning = false;

  now(): number {
    return this.time;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.time + milliseconds, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        resolve();
      });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#sleepers.length > 0) {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      const [next, ...others] = this.#sleepers.sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#sleepers = others;
      this.time = Math.max(this.time, next.at);
      next.wake();
    }
    this.#isRunning = false;
  }
}

export type { ChainClient };
