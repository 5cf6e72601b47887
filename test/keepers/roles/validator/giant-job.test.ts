import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "prom-client";
import { type Hex, keccak256, zeroHash } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { orderHash } from "../../../../keepers/src/core/market/typed-data.ts";
import {
  compilePublished,
  type MachineLimits,
} from "../../../../keepers/src/roles/jobs/published-program.ts";
import { writeResult } from "../../../../keepers/src/roles/jobs/result.ts";
import { openLeaf } from "../../../../keepers/src/training/dispute/leaves.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { stateRootOf, traceRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { mostStepsMeasured } from "../../../../keepers/src/training/trainer/measure.ts";
import { committee, providerBond, tokens } from "../jobs/network.ts";
import { limits } from "../jobs/scene.ts";
import { tightFor } from "../jobs/tight-machine.ts";
import { CommitteeScene, phase } from "./committee-scene.ts";

const { signingWindow, grace } = committee.terms;
const interval = 16;

describe("a job of very many steps that was committed to without computing anything", () => {
  let stage: CommitteeScene;
  let metrics: Registry;
  /** Milliseconds that a call of the engine takes beside its own time, by its steps. */
  let pace: (steps: number) => number;
  /** Steps of each call of the validator's engine, and sessions that are open. */
  let calls: number[] = [];
  let sessions = 0;

  const executor: Executor = {
    ...nativeExecutor,
    async open(...args) {
      const session = await nativeExecutor.open(...args);
      const [run, close] = [session.run.bind(session), session.close.bind(session)];
      sessions++;
      session.run = async (steps) => {
        calls.push(steps.length);
        await delay(pace(steps.length));
        return run(steps);
      };
      session.close = () => {
        sessions--;
        return close();
      };
      return session;
    },
  };

  before(async () => {
    stage = await CommitteeScene.start(1, { executor });
  });
  after(async () => {
    await stage?.close();
  });
  beforeEach(() => {
    pace = () => 0;
    calls = [];
  });

  /** Opens the only validator anew. */
  async function reopen(budget?: number, machine?: MachineLimits): Promise<void> {
    const [seat] = stage.seats;
    await seat!.keeper.stop();
    metrics = new Registry();
    const more = {
      ...(budget !== undefined && { budget }),
      ...(machine !== undefined && { limits: machine }),
    };
    stage.options = () => ({ metrics, patience: 500, ...more });
    stage.seats[0] = { account: seat!.account, keeper: await stage.open(seat!.account) };
  }

  /** What the validator has found in how many intervals. */
  async function found(): Promise<Record<string, number>> {
    const { values } = await metrics.getSingleMetric("assay_intervals_checked_total")!.get();
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels.outcome), value]));
  }

  /** A committed job whose leaves and last state are anything, and whose committee is drawn. */
  async function giant(steps: number): Promise<bigint> {
    const { scene } = stage;
    const { network } = scene;
    const { deployment, contracts } = network;
    const attacker = scene.account();
    await scene.stake(attacker);
    const send = (call: Parameters<typeof network.send>[1]) => network.send(attacker, call);
    const base = await stage.order(1, 1);
    const trainingOrder = { ...base.trainingOrder, steps, interval };
    const training = encodeOrder(trainingOrder);
    const order = {
      ...base.order,
      consumer: attacker.address,
      problem: { ...base.order.problem, trainingHash: keccak256(training) },
      conditions: { ...base.order.conditions, maximumPrice: 1n, deposit: 1n },
    };
    const published = { order, training, package: base.package };
    const { compiled } = await compilePublished(published, limits, () =>
      Promise.reject(new Error("no data")),
    );
    const { program } = compiled;
    await send(encodeCall(deployment, "AssayToken", "approve", [contracts.Escrow.address, 50n * tokens]));
    await send(encodeCall(deployment, "Market", "post", [order, training, base.package, "0x"]));
    const bid = {
      ...{ provider: attacker.address, order: orderHash(order), price: 0n, compute: 1, region: 1n },
      ...{ regulations: 0n, privacyTier: 0, nonce: 7n, expiry: order.expiry },
    };
    await send(encodeCall(deployment, "Market", "accept", [order, training, "0x", bid, "0x"]));
    const jobId = await contracts.JobRegistry.read.jobCount();
    await send(encodeCall(deployment, "JobRegistry", "lock", [jobId], providerBond));
    const state = initialState(program, keccak256("0x01"));
    const last = Math.ceil(steps / interval);
    const leaves = Array.from({ length: last + 1 }, (_, i) => ({
      stateRoot:
        i === 0 ? trainingOrder.initialRoot : i === last ? stateRootOf(program, state) : keccak256("0x02"),
      h: i === 0 ? zeroHash : keccak256("0x02"),
    }));
    const folder = join(network.folder, `garbage-${jobId}`);
    const { leavesDigest } = await writeResult(folder, program, state, leaves);
    const resultId = await scene.storage
      .of(attacker)
      .store({ folder, name: `garbage-${jobId}`, directory: folder });
    const commitment = {
      ...{ traceRoot: traceRootOf(leaves, trainingOrder), leavesDigest, resultId },
      ...{ first: openLeaf(leaves, 0), last: openLeaf(leaves, last) },
    };
    await send(encodeCall(deployment, "JobRegistry", "commit", [jobId, commitment]));
    await stage.seed(jobId, lateSeed(last));
    await send(encodeCall(deployment, "Committee", "draw", [jobId]));
    return jobId;
  }

  /** A job that was trained, and whose committee is drawn. */
  async function honest(): Promise<bigint> {
    const { scene } = stage;
    const described = await stage.order(1, 1);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await provider.stop();
    await stage.seed(jobId);
    return jobId;
  }

  /** Has the validator do what is due until something holds. */
  async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await stage.scene.untilHolds(what, stage.keepers, holds);
  }

  const isSigned = async (jobId: bigint) => (await stage.phaseOf(jobId)) === phase.opening;

  it("attack: is signed by no member whose memory would not hold a step of it in an accusation", async () => {
    await reopen(undefined, await tightFor(await stage.order(1, 1)));
    const jobId = await honest();
    await until("the verdict", async () => (await found()).unreadable === committee.checks);
    assert.equal(await isSigned(jobId), false);
    assert.deepEqual(calls.includes(interval), false, "nothing was executed");
  });

  it("attack: is given up when it cannot be executed in the time to sign, and its member is there all the same", async () => {
    await reopen();
    pace = (steps) => 20 * steps;
    const jobId = await giant(1_000_000);
    await until("the verdict", async () => (await found()).unreadable === committee.checks);
    assert.equal(
      calls.reduce((sum, steps) => sum + steps, 0),
      1 + mostStepsMeasured,
    );
    await stage.scene.network.chain.advance(signingWindow - 60);
    const { Committee } = stage.scene.network.contracts;
    await until("its presence", async () => (await Committee.read.drawOf([jobId, 1n])).appeared === 1n);
  });

  it("attack: keeps no shorter one from being signed, and is executed no longer than it can be signed", async () => {
    await reopen();
    // Measuring finds it quick; in earnest it takes minutes.
    pace = (steps) => (steps === interval ? 250 : 0);
    const jobId = await giant(20_000);
    await until("the first calls", () => calls.includes(interval));
    const other = await honest();
    await until("the other's signature", () => isSigned(other));
    assert.deepEqual(await found(), { right: committee.checks });
    assert.equal(sessions, 1, "it goes on");
    assert.equal(await stage.phaseOf(jobId), phase.signing);
    await stage.scene.network.chain.advance(signingWindow);
    await until("its end", async () => {
      await stage.scene.network.chain.advance(grace);
      return sessions === 0;
    });
    assert.deepEqual(await found(), { right: committee.checks });
  });

  it("attack: is not executed beyond the budget where no state of it is handed over or stored", async () => {
    await reopen(100);
    await giant(20_000);
    await until("the verdict", async () => (await found()).unreadable === committee.checks);
    assert.ok(calls.reduce((sum, steps) => sum + steps, 0) <= 1 + mostStepsMeasured);
    const other = await honest();
    await until("the other's signature", () => isSigned(other));
  });
});

/** A seed that gives the member no interval near the beginning. */
function lateSeed(intervals: number): Hex {
  for (let seed = keccak256("0x11e0"); ; seed = keccak256(seed)) {
    const [first] = intervalsOf({ seed, intervals, checks: committee.checks } as DrawnCommittee, 0);
    if (first! > intervals / 4) return seed;
  }
}
