import { join } from "node:path";
import { type Logger, pino } from "pino";
import {
  bytesToHex,
  encodeFunctionData,
  type Hex,
  keccak256,
  type LocalAccount,
  parseAbi,
  toHex,
} from "viem";
import { addressOf } from "../../../../keepers/src/chain/contracts.ts";
import type { DrawnCommittee } from "../../../../keepers/src/core/attestation/statement.ts";
import { schemes } from "../../../../keepers/src/core/market/types.ts";
import { type DescribedOrder, describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import type { DrawName, Exchange } from "../../../../keepers/src/roles/validator/exchange.ts";
import { openValidator, type ValidatorOptions } from "../../../../keepers/src/roles/validator/validator.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { committee, type JobNetwork, tokens } from "../jobs/network.ts";
import { digitsConfig, limits, maximumPrice, Scene } from "../jobs/scene.ts";
import { LocalMembers } from "./local-exchange.ts";

const beaconAbi = parseAbi([
  "function deliver(uint256 requestId, bytes32 value)",
  "function refuse(bool isRefusing)",
]);

/** What every validator of the scene has staked. */
export const stake = 2n * committee.unit;
export const checkFee = tokens;
/** Chain seconds of a turn. */
export const turnSeconds = 5;
/** Codes of `Phase`. */
export const phase = { seeding: 1, signing: 2, opening: 3, revealing: 4, closed: 7 };

/** Trains as it should, and says that every step has put out something else. */
export const falseWitnesses: SessionWrapper = (session) => ({
  program: session.program,
  setState: (state) => session.setState(state),
  getState: () => session.getState(),
  close: () => session.close(),
  async run(inputs) {
    const outputs = await session.run(inputs);
    return outputs.map((output) => {
      const mantissas = output.witness.mantissas.slice();
      mantissas[0] = mantissas[0]! ^ 1;
      return { ...output, witness: { ...output.witness, mantissas } };
    });
  },
});

export type Seat = { readonly account: LocalAccount; readonly keeper: JobKeeper };

type SeatOptions = (
  account: LocalAccount,
  network: JobNetwork,
) => Partial<Pick<ValidatorOptions, "handedOver" | "budget" | "metrics" | "chain" | "patience">>;

type Parts = {
  /** What the validators compute with. */
  readonly executor: Executor;
  /** How they reach each other; within this process by default. */
  readonly exchange: (account: LocalAccount, network: JobNetwork) => Promise<Exchange>;
  /** What else they are opened with. */
  readonly options: SeatOptions;
};

/** A scene with validators that reach each other within this process. */
export class CommitteeScene {
  readonly scene: Scene;
  readonly members = new LocalMembers();
  readonly seats: Seat[] = [];
  /** What else validators are opened with from now on. */
  options: SeatOptions;
  readonly #parts: Omit<Parts, "options">;
  readonly #log: Logger;

  private constructor(scene: Scene, parts: Partial<Parts>) {
    this.scene = scene;
    this.#parts = {
      executor: nativeExecutor,
      exchange: async ({ address }) => this.members.exchangeOf(address),
      ...parts,
    };
    this.options = parts.options ?? (() => ({}));
    this.#log = pino({ level: process.env.LOG_LEVEL ?? "silent" });
  }

  /** Starts with so many validators, all of whom can be drawn. */
  static async start(validators: number, parts: Partial<Parts> = {}): Promise<CommitteeScene> {
    const self = new CommitteeScene(await Scene.start(), parts);
    const { scene } = self;
    for (let i = 0; i < validators; i++) {
      const account = scene.account();
      await scene.network.give(account.address, stake);
      self.seats.push({ account, keeper: await self.open(account) });
    }
    for (const { keeper } of self.seats) await keeper.tick();
    await scene.network.chain.advance(committee.period);
    return self;
  }

  async open(account: LocalAccount): Promise<JobKeeper> {
    const { network, storage } = this.scene;
    return openValidator({
      dataDirectory: join(network.folder, account.address),
      account,
      chain: network.client,
      deployment: network.deployment,
      log: this.#log.child({ who: `validator ${account.address.slice(0, 6)}` }),
      interval: 20,
      storage: storage.of(account),
      executor: this.#parts.executor,
      limits,
      exchange: await this.#parts.exchange(account, network),
      stake,
      turnSeconds,
      // Whatever a tick begins it ends, however busy the machine is.
      patience: 600_000,
      ...this.options(account, network),
    });
  }

  async order(committeeSize: number, threshold: number): Promise<DescribedOrder> {
    const { owner, storage, datasetId, network } = this.scene;
    return describeOrder({
      consumer: owner.address,
      config: digitsConfig,
      dataset: await storage.of(owner).objects(datasetId, ""),
      folder: network.folder,
      executor: nativeExecutor,
      conditions: {
        maximumPrice,
        trainingTime: 3_600,
        scheme: schemes.both,
        committeeSize,
        threshold,
        checkFee,
      },
      expiry: BigInt(await network.chain.now()) + 7_200n,
    });
  }

  /** Gives the newest request of a job's committee its seed. */
  async seed(jobId: bigint, given?: Hex): Promise<void> {
    const { network } = this.scene;
    const { Committee } = network.contracts;
    const { attempt } = await Committee.read.jobOf([jobId]);
    const { requestId } = await Committee.read.drawOf([jobId, BigInt(attempt)]);
    const value = given ?? keccak256(toHex(`seed ${requestId}`));
    await network.send(network.admin, {
      to: addressOf(network.deployment, "RandomnessBeacon"),
      data: encodeFunctionData({ abi: beaconAbi, functionName: "deliver", args: [requestId, value] }),
    });
  }

  /** Has the beacon refuse requests, or take them again. */
  async refuseSeeds(isRefusing: boolean): Promise<void> {
    const { network } = this.scene;
    await network.send(network.admin, {
      to: addressOf(network.deployment, "RandomnessBeacon"),
      data: encodeFunctionData({ abi: beaconAbi, functionName: "refuse", args: [isRefusing] }),
    });
  }

  /** The draw of a job's committee that is on. */
  async drawOf(jobId: bigint): Promise<DrawnCommittee> {
    const { contracts, deployment } = this.scene.network;
    const { attempt, intervals } = await contracts.Committee.read.jobOf([jobId]);
    const { requestId } = await contracts.Committee.read.drawOf([jobId, BigInt(attempt)]);
    const [traceRoot] = await contracts.JobRegistry.read.traceOf([jobId]);
    const [seed] = await contracts.RandomnessBeacon.read.seedOf([requestId]);
    return {
      chainId: BigInt(deployment.chainId),
      contract: addressOf(deployment, "Committee"),
      jobId,
      attempt: BigInt(attempt),
      seed,
      traceRoot,
      intervals,
      checks: committee.checks,
      members: await contracts.Committee.read.membersOf([jobId, BigInt(attempt)]),
    };
  }

  /** What a validator tells another one of a committee that both sit on. */
  digestsOf({ account: { address } }: Seat, name: DrawName): Promise<readonly Hex[]> {
    const other = this.seats.find(({ account }) => account.address !== address)!;
    const asker = this.members.exchangeOf(other.account.address).identity.peerId;
    return this.members.desks.get(address)!.digests(name, bytesToHex(asker));
  }

  /** Position of a validator in a draw. */
  async positionOf({ account }: Seat, { members }: DrawnCommittee): Promise<number> {
    const id = await this.scene.network.contracts.ValidatorSet.read.idOf([account.address]);
    return members.indexOf(id);
  }

  /** Mask of the members whose digests were revealed to differ from what was opened, in the first draw. */
  async differingOf(jobId: bigint): Promise<bigint> {
    const { Committee } = this.scene.network.contracts;
    const [event] = await Committee.getEvents.DigestsRevealed({ jobId, attempt: 1n }, { fromBlock: 0n });
    return event!.args.differing!;
  }

  get keepers(): JobKeeper[] {
    return this.seats.map(({ keeper }) => keeper);
  }

  /** Stake of each validator, and what it has been paid. */
  async purses(): Promise<{ stake: bigint; paid: bigint }[]> {
    const { AssayToken, Staking } = this.scene.network.contracts;
    return Promise.all(
      this.seats.map(async ({ account: { address } }) => ({
        stake: (await Staking.read.operatorOf([address])).stake,
        paid: await AssayToken.read.balanceOf([address]),
      })),
    );
  }

  /** Which of the phases of `IAttestation` a job's committee is in. */
  async phaseOf(jobId: bigint): Promise<number> {
    return (await this.scene.network.contracts.Committee.read.jobOf([jobId])).phase;
  }

  async close(): Promise<void> {
    for (const { keeper } of this.seats) await keeper.stop();
    await this.scene.close();
  }
}
