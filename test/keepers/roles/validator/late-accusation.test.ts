import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Hex, keccak256 } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { openJobRun, type SessionWrapper, trainJob } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { committee } from "../jobs/network.ts";
import { cheat, digitsConfig, flip, limits } from "../jobs/scene.ts";
import { CommitteeScene, phase, turnSeconds } from "./committee-scene.ts";

const size = 2;
const length = digitsConfig.interval as number;
const intervals = (digitsConfig.steps as number) / length;
const last = intervals - 1;
/** The interval in which a provider lies; what is stored with its result comes before it, or behind the next one. */
const cheated = Math.floor(flip.step / length);

/** A seed that has both members check the last interval, no other together, and some not at all. */
function lateSeed(unseen: readonly number[] = []): Hex {
  const draw = { intervals, checks: committee.checks };
  for (let seed = keccak256("0x11e0"); ; seed = keccak256(seed)) {
    const [one, other] = Array.from({ length: size }, (_, position) =>
      intervalsOf({ ...draw, seed } as DrawnCommittee, position),
    );
    if ([...one!, ...other!].some((each) => unseen.includes(each))) continue;
    if (one!.filter((each) => other!.includes(each)).join() === String(last)) return seed;
  }
}

/** An engine whose right states come from witnesses that it makes up. */
const inventive: Executor = {
  ...nativeExecutor,
  async open(...args) {
    const session = await nativeExecutor.open(...args);
    const run = session.run.bind(session);
    session.run = async (steps) => {
      const outputs = await run(steps);
      for (const { witness } of outputs) witness.mantissas[0]! ^= 1;
      return outputs;
    };
    return session;
  },
};

describe("a member that signs falsely for a late interval", { timeout: 120_000 }, () => {
  let stage: CommitteeScene;
  let liar: string | undefined;
  /** Steps that the honest member's engine was asked for. */
  let steps = 0;

  const counted: Executor = {
    ...nativeExecutor,
    async open(...args) {
      const session = await nativeExecutor.open(...args);
      const run = session.run.bind(session);
      session.run = (inputs) => {
        steps += inputs.length;
        return run(inputs);
      };
      return session;
    },
  };

  // A liar that was slashed is drawn no more.
  beforeEach(async () => {
    liar = undefined;
    stage = await CommitteeScene.start(size, {
      options: ({ address }) => {
        liar ??= address;
        return { executor: address === liar ? inventive : counted, budget: 2 * length };
      },
    });
  });

  afterEach(async () => {
    await stage?.close();
  });

  /** A job whose last interval the liar has signed falsely, as the other member has accused it of. */
  async function accused(worker?: SessionWrapper) {
    const { scene, keepers, seats } = stage;
    const { chain } = scene.network;
    const { account, keeper } = seats[1]!;
    const described = await stage.order(size, size);
    const provider = await scene.provider(worker && { worker });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    // It knows every interval, and would accuse first.
    await provider.stop();
    await stage.seed(jobId, lateSeed(worker && [cheated, cheated + 1]));
    await chain.advance(size * turnSeconds);
    const isSigned = async () => (await stage.phaseOf(jobId)) === phase.opening;
    await scene.untilHolds("the signature of both", keepers, isSigned);
    await chain.advance(size * turnSeconds);
    const own = () => {
      const all = keeper.ledger.accusationsOf(jobId);
      return all.find(({ challenger }) => challenger === account.address);
    };
    await scene.untilHolds("the accusation", [keeper], () => own() !== undefined);
    assert.equal(own()!.interval, BigInt(last));
    const convict = () =>
      scene.untilHolds("the conviction", keepers, async () => {
        if (own()!.outcome === undefined) await chain.advance(committee.terms.moveWindow / 2);
        return own()!.outcome === "convicted";
      });
    return { described, jobId, own, convict };
  }

  it("attack: is accused by the other from the state before the interval, not from the first step on", async () => {
    const { keepers } = stage;
    const { own, convict } = await accused();
    steps = 0;
    await stage.scene.untilHolds("a move of the accuser", keepers, () => own()!.moves >= 2);
    assert.ok(steps > 0 && steps <= 4 * length, `${steps} steps were computed`);
    await convict();
  });

  it("attack: is convicted though the provider has lied before, and the accuser's own run goes another way", async () => {
    const { scene, seats } = stage;
    const { network, storage } = scene;
    const { account, keeper } = seats[1]!;
    const { described, jobId, convict } = await accused(cheat);
    // As where it had to see what witnesses a job has from its first step on.
    const compute = {
      ...{ ledger: keeper.ledger, deployment: network.deployment, storage: storage.of(account), limits },
      ...{ folder: join(network.folder, account.address, "jobs"), executor: nativeExecutor },
    };
    const { orderHash } = described;
    const opened = await openJobRun(compute, { jobId, orderHash });
    await trainJob(compute, opened);
    await opened.job.close();
    await convict();
  });
});
