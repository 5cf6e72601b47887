import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Hex, keccak256 } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { committee } from "../jobs/network.ts";
import { digitsConfig } from "../jobs/scene.ts";
import { CommitteeScene, phase, turnSeconds } from "./committee-scene.ts";

const size = 2;
const length = digitsConfig.interval as number;
const intervals = (digitsConfig.steps as number) / length;
const last = intervals - 1;

/** A seed that has both members check the last interval, and no other together. */
function lateSeed(): Hex {
  const draw = { intervals, checks: committee.checks };
  for (let seed = keccak256("0x11e0"); ; seed = keccak256(seed)) {
    const [one, other] = Array.from({ length: size }, (_, position) =>
      intervalsOf({ ...draw, seed } as DrawnCommittee, position),
    );
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

  before(async () => {
    stage = await CommitteeScene.start(size, {
      options: ({ address }) => {
        liar ??= address;
        return address === liar ? { executor: inventive } : { executor: counted, budget: 2 * length };
      },
    });
  });

  after(async () => {
    await stage?.close();
  });

  it("attack: is accused by the other from the state before the interval, not from the first step on", async () => {
    const { scene, keepers, seats } = stage;
    const { chain } = scene.network;
    const [dishonest, honest] = seats;
    const described = await stage.order(size, size);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    // It knows every interval, and would accuse first.
    await provider.stop();
    await stage.seed(jobId, lateSeed());
    await chain.advance(size * turnSeconds);
    const isSigned = async () => (await stage.phaseOf(jobId)) === phase.opening;
    await scene.untilHolds("the signature of both", keepers, isSigned);
    await chain.advance(size * turnSeconds);
    const { keeper } = honest!;
    const own = () => {
      const all = keeper.ledger.accusationsOf(jobId);
      return all.find(({ challenger }) => challenger === honest!.account.address);
    };
    await scene.untilHolds("the accusation", [keeper], () => own() !== undefined);
    assert.equal(own()!.interval, BigInt(last));
    steps = 0;
    await scene.untilHolds("a move of the accuser", [dishonest!.keeper, keeper], () => own()!.moves >= 2);
    assert.ok(steps > 0 && steps <= 4 * length, `${steps} steps were computed`);
    await scene.untilHolds("the conviction", keepers, async () => {
      if (own()!.outcome === undefined) await chain.advance(committee.terms.moveWindow / 2);
      return own()!.outcome === "convicted";
    });
  });
});
