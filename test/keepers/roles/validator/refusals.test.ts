import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bytesToHex } from "viem";
import type { DrawnCommittee } from "../../../../keepers/src/core/attestation/statement.ts";
import type { DescribedOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { NotReadyError } from "../../../../keepers/src/roles/validator/exchange.ts";
import { committee, windows } from "../jobs/network.ts";
import { CommitteeScene, checkFee, phase, type Seat, turnSeconds } from "./committee-scene.ts";

const size = 9;
const threshold = 5;
const fees = BigInt(committee.checks) * checkFee;
const { signingWindow } = committee.terms;
const allTurns = size * turnSeconds;

type Job = { readonly jobId: bigint; readonly described: DescribedOrder; readonly provider: JobKeeper };

describe("a committee of nine, five of whom are enough", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });
  after(async () => {
    await stage?.close();
  });

  /** A job whose members have all computed their intervals, and asked nobody yet. */
  async function computed(): Promise<Job> {
    const { scene, keepers, seats, members } = stage;
    const described = await stage.order(size, threshold);
    const provider = await scene.provider({});
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    for (const { account } of seats) members.silent.add(account.address);
    await scene.settle(keepers, 2);
    members.silent.clear();
    assert.equal(await stage.phaseOf(jobId), phase.signing);
    return { jobId, described, provider };
  }

  /** What a member that leaves others out would have signed. */
  async function statementOf(chosen: readonly Seat[], draw: DrawnCommittee) {
    const named = await Promise.all(
      chosen.map(async (seat) => ({
        position: await stage.positionOf(seat, draw),
        digests: await stage.digestsOf(seat, draw),
      })),
    );
    return { ...draw, members: named.sort((a, b) => a.position - b.position) };
  }

  it("attack: signs for no member that leaves out others who are there, and pays all that sign", async () => {
    const { scene, seats, members } = stage;
    const { jobId, described, provider } = await computed();
    const draw = await stage.drawOf(jobId);
    const [own, ...honest] = seats as [Seat, ...Seat[]];
    const before = await stage.purses();
    const asker = bytesToHex(members.exchangeOf(own.account.address).identity.peerId);
    const statement = await statementOf(seats.slice(0, threshold), draw);
    const ask = ({ account }: Seat) => members.desks.get(account.address)!.sign(statement, asker);
    const chosen = seats.slice(1, threshold);
    for (const seat of chosen) await assert.rejects(ask(seat), /All members of the draw are waited for/);

    // It signs for nobody, either, so that not all sign.
    const desk = members.desks.get(own.account.address)!;
    members.desks.set(own.account.address, {
      digests: (name, asker) => desk.digests(name, asker),
      sign: async () => {
        throw new NotReadyError("not now");
      },
    });
    await scene.network.chain.advance(signingWindow / 4 + allTurns);
    for (const seat of chosen) await assert.rejects(ask(seat), /are there, and left out/);
    const keepers = honest.map(({ keeper }) => keeper);
    await scene.settle(keepers, 2);
    assert.equal(await stage.phaseOf(jobId), phase.opening);
    await scene.network.chain.advance(allTurns);
    await scene.until(described, "Attested", [...keepers, provider]);
    await scene.network.outlast(windows.challenge + allTurns);
    await scene.until(described, "Finalised", [...keepers, provider]);
    await scene.settle([...keepers, provider]);
    const paid = (await stage.purses()).map((purse, i) => purse.paid - before[i]!.paid);
    assert.deepEqual(
      paid,
      seats.map((seat) => (seat === own ? 0n : fees)),
    );
    members.desks.set(own.account.address, desk);
    await provider.stop();
  });

  it("attack: attests although three of it refuse to sign, one after the other", async () => {
    const { scene, seats, keepers, members } = stage;
    const { network } = scene;
    const { jobId, provider } = await computed();
    for (const [i, { account }] of seats.slice(0, 3).entries()) {
      const desk = members.desks.get(account.address)!;
      members.desks.set(account.address, {
        digests: (name, asker) => desk.digests(name, asker),
        sign: async (statement, asker) => {
          // The first refuses what nine are to sign, the second what is left, the third what is left then.
          if (statement.members.length === size - i) throw new NotReadyError("not now");
          return desk.sign(statement, asker);
        },
      });
    }
    const honest = keepers.slice(3);
    await network.chain.advance(signingWindow / 4 + allTurns);
    await scene.settle(honest, 2);
    assert.equal(await stage.phaseOf(jobId), phase.signing, "they could still be reached");
    await network.chain.advance(signingWindow / 4);
    await scene.settle(honest, 1);
    assert.equal(await stage.phaseOf(jobId), phase.opening);
    await provider.stop();
  });
});
