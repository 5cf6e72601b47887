import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Registry } from "prom-client";
import { bytesToHex, type Hex, keccak256 } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import {
  type IntervalSource,
  libp2pIntervals,
} from "../../../../keepers/src/roles/validator/interval-source.ts";
import { Libp2pExchange } from "../../../../keepers/src/roles/validator/libp2p-exchange.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { nativeEngine } from "../../../../keepers/src/training/executors/native.ts";
import type { WayChooser } from "../../../../keepers/src/training/freivalds/cheapest-way.ts";
import { committee } from "../jobs/network.ts";
import { cheat, digitsConfig, flip } from "../jobs/scene.ts";
import { CommitteeScene, turnSeconds } from "./committee-scene.ts";

const size = 3;
const length = digitsConfig.interval as number;
const cheated = Math.floor(flip.step / length);

/** A seed that gives the interval with the lie to some members, and not to all. */
function mixedSeed(): Hex {
  const draw = { intervals: (digitsConfig.steps as number) / length, checks: committee.checks };
  for (let seed = keccak256("0x11e0"); ; seed = keccak256(seed)) {
    const drawn = Array.from({ length: size }, (_, position) =>
      intervalsOf({ ...draw, seed } as DrawnCommittee, position).includes(cheated),
    );
    if (drawn.includes(true) && drawn.includes(false)) return seed;
  }
}

/** Verifies whatever it can. */
function eager(): WayChooser {
  let gaveUp = false;
  return {
    next: (left) => (gaveUp ? { way: "execute", steps: left } : { way: "verify", steps: 1 }),
    executed: () => undefined,
    verified: () => undefined,
    giveUp: () => {
      gaveUp = true;
    },
  };
}

describe("validators that check intervals from what the provider hands over", () => {
  const hosts = new Map<string, Host>();
  const counts = new Map<string, Registry>();
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size, {
      exchange: async ({ address }, { contracts }) => {
        const host = await listening(address);
        return new Libp2pExchange({ host, endpoint: host.getMultiaddrs()[0]!.toString(), contracts });
      },
      options: ({ address }, { contracts }) => {
        const metrics = new Registry();
        counts.set(address, metrics);
        const open = libp2pIntervals(hosts.get(address)!, contracts);
        return {
          budget: 1,
          metrics,
          handedOver: { open, engine: nativeEngine, bytesPerSecond: 1, chooser: eager },
        };
      },
    });
  });

  after(async () => {
    await stage?.close();
    for (const host of hosts.values()) await host.stop();
  });

  async function listening(name: string): Promise<Host> {
    const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
    hosts.set(name, host);
    return host;
  }

  /** A provider that answers members of committees, and a job of its own whose committee is drawn and is to sign. */
  async function committed(worker?: SessionWrapper) {
    const { scene } = stage;
    const { network } = scene;
    const account = scene.account();
    await scene.stake(account);
    const host = await listening(account.address);
    const identity = [
      2,
      bytesToHex(host.peerId.toMultihash().bytes),
      host.getMultiaddrs()[0]!.toString(),
    ] as const;
    await network.send(account, encodeCall(network.deployment, "Staking", "update", identity));
    const provider = await scene.openProvider(account, {
      shows: { host, engine: nativeEngine },
      ...(worker !== undefined && { worker }),
    });
    const described = await stage.order(size, size);
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId, mixedSeed());
    await network.chain.advance(size * turnSeconds);
    // The provider has seen that its result is on chain, and somebody has drawn the committee.
    for (const keeper of [provider, stage.keepers[0]!]) await keeper.tick();
    return { account, provider, jobId, described, draw: await stage.drawOf(jobId) };
  }

  /** What a counter of a member has come to, by its label. */
  async function counted(address: string, name: string): Promise<Record<string, number>> {
    const metric = await counts.get(address)!.getSingleMetric(name)!.get();
    return Object.fromEntries(
      metric.values.map(({ labels, value }) => [String(Object.values(labels)[0]), value]),
    );
  }

  async function checkedBy(keepers: readonly JobKeeper[]): Promise<void> {
    await stage.scene.settle(keepers, 1);
  }

  const reset = () => {
    for (const registry of counts.values()) registry.resetMetrics();
  };

  const stepsOf = (draw: DrawnCommittee, position: number) =>
    new Set(intervalsOf(draw, position)).size * length;

  it("execute no step themselves, and attest", async () => {
    reset();
    const { provider, described, draw } = await committed();
    await checkedBy(stage.keepers);
    for (const seat of stage.seats) {
      const steps = await counted(seat.account.address, "assay_steps_recomputed_total");
      const position = await stage.positionOf(seat, draw);
      assert.deepEqual(steps, { verified: stepsOf(draw, position) });
    }
    await stage.scene.until(described, "Attested", [...stage.keepers, provider]);
    await provider.stop();
  });

  it("attack: a flipped bit is found in its interval, and nobody else is refused", async () => {
    reset();
    const { provider, draw } = await committed(cheat);
    await checkedBy(stage.keepers);
    const found: boolean[] = [];
    for (const seat of stage.seats) {
      const outcomes = await counted(seat.account.address, "assay_intervals_checked_total");
      const intervals = intervalsOf(draw, await stage.positionOf(seat, draw));
      const isWrong = intervals.includes(cheated);
      assert.deepEqual(outcomes, { [isWrong ? "wrong" : "right"]: intervals.length });
      found.push(isWrong);
    }
    assert.ok(found.includes(true) && found.includes(false), `${found}`);
    await provider.stop();
  });

  it("attack: strangers, other intervals and endless questions are refused", async () => {
    const { network } = stage.scene;
    const { provider, account, jobId, draw } = await committed();
    const seat = stage.seats[0]!;
    const position = await stage.positionOf(seat, draw);
    const [drawn] = intervalsOf(draw, position);
    const other = Array.from({ length: draw.intervals }, (_, i) => i).find(
      (interval) => !intervalsOf(draw, position).includes(interval),
    )!;
    const { signal } = new AbortController();
    const sourceOf = (host: Host) => libp2pIntervals(host, network.contracts)(account.address, jobId);
    const bytes = async (source: IntervalSource, interval: number, expected: number) =>
      (await source.state(interval, expected, signal)).length;
    const member = sourceOf(hosts.get(seat.account.address)!);
    const stranger = sourceOf(await listening("a stranger"));
    // Weights and momentum: an entry of the directory for each tensor, and its elements, eight to a word.
    const size = [64 * 16, 16, 16 * 10, 10]
      .map((elements) => 2 * (64 + 32 * Math.ceil(elements / 8)))
      .reduce((sum, bytes) => sum + bytes);
    await assert.rejects(bytes(stranger, drawn!, size), RefusalError);
    await assert.rejects(bytes(member, other, size), RefusalError);
    await assert.rejects(bytes(member, drawn!, size - 1), /bytes, not/);
    assert.equal(await bytes(member, drawn!, size), size);
    await assert.rejects(bytes(member, drawn!, size), /often enough/);
    for (const source of [member, stranger]) await source.close();
    await provider.stop();
  });
});
