import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { sign, signatureDomain } from "../../../../keepers/src/core/attestation/bls.ts";
import {
  maskOf,
  messageOf,
  statementTree,
  UnsoundStatementError,
} from "../../../../keepers/src/core/attestation/statement.ts";
import { resultFiles } from "../../../../keepers/src/core/exact/result-files.ts";
import { loadOrCreateBlsSecret } from "../../../../keepers/src/roles/validator/bls-secret.ts";
import { leavesOf } from "../../../../keepers/src/roles/validator/desk.ts";
import { NotReadyError } from "../../../../keepers/src/roles/validator/exchange.ts";
import { committee, windows } from "../jobs/network.ts";
import { cheat } from "../jobs/scene.ts";
import { CommitteeScene, checkFee, phase, type Seat, stake, turnSeconds } from "./committee-scene.ts";

const size = 9;
const threshold = 5;
const fees = BigInt(committee.checks) * checkFee;
const { terms } = committee;
/** Long enough for everybody's turn. */
const allTurns = size * turnSeconds;

describe("a committee of keepers", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });

  after(async () => {
    await stage?.close();
  });

  /** A job whose committee has its seed. */
  const committed = async (options: Parameters<CommitteeScene["scene"]["provider"]>[0] = {}) => {
    const { scene } = stage;
    const described = await stage.order(size, threshold);
    const provider = await scene.provider(options);
    await scene.consumer.post(described);
    const job = await scene.until(described, "Committed", [provider]);
    await stage.seed(job.jobId);
    return { described, provider, job, jobId: job.jobId };
  };

  const finalised = async ({ described, provider }: Awaited<ReturnType<typeof committed>>) => {
    const { scene, keepers } = stage;
    await scene.network.outlast(windows.challenge + allTurns);
    await scene.until(described, "Finalised", [...keepers, provider]);
    await scene.settle([...keepers, provider]);
    await provider.stop();
  };

  it("checks, signs, reveals, and is paid; the job is attested and finalised", async () => {
    const { scene, keepers } = stage;
    const { AssayToken, Committee, Escrow } = scene.network.contracts;
    const job = await committed();
    const { jobId } = job;
    await scene.until(job.described, "Attested", [...keepers, job.provider]);
    const { signers } = await Committee.read.drawOf([jobId, 1n]);
    assert.deepEqual(
      [signers, await stage.differingOf(jobId)],
      [maskOf(Array.from({ length: size }, (_, i) => i)), 0n],
    );
    await finalised(job);
    for (const purse of await stage.purses()) assert.deepEqual(purse, { stake, paid: fees });
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), 0n);
    assert.equal((await Committee.read.drawOf([jobId, 1n])).isDismissed, true);
  });

  it("attests without a silent minority, and reveals by the hand of one that was restarted", async () => {
    const { scene, seats, members } = stage;
    const { network } = scene;
    const before = await stage.purses();
    const job = await committed();
    const { jobId, provider } = job;
    for (const { account } of seats.slice(threshold)) members.silent.add(account.address);
    const active = seats.slice(0, threshold);
    await scene.settle(active.map(({ keeper }) => keeper));
    await network.chain.advance(allTurns);
    await scene.settle(active.map(({ keeper }) => keeper));
    assert.equal(
      await stage.phaseOf(jobId),
      phase.signing,
      "everybody is waited for as long as there is time",
    );
    await network.chain.advance(terms.signingWindow / 4);
    await scene.settle([active[0]!.keeper], 1);
    assert.equal(await stage.phaseOf(jobId), phase.opening);
    await seats[1]!.keeper.stop();
    seats[1] = { account: seats[1]!.account, keeper: await stage.open(seats[1]!.account) };
    await scene.settle([provider], 1);
    assert.equal(await stage.phaseOf(jobId), phase.revealing);
    await network.chain.advance(allTurns);
    await scene.until(job.described, "Attested", [provider, seats[1].keeper]);
    members.silent.clear();
    await finalised(job);
    const paid = (await stage.purses()).map((purse, i) => purse.paid - before[i]!.paid);
    const expected = seats.map((_, i) => (i < threshold ? fees : 0n));
    assert.deepEqual(paid, expected);
    assert.ok((await stage.purses()).every((purse) => purse.stake === stake));
  });

  it("attack: a stranger, or one that names other digests, is not signed for", async () => {
    const { scene, keepers, seats, members } = stage;
    const job = await committed();
    const { jobId } = job;
    for (const { account } of seats) members.silent.add(account.address);
    await scene.settle(keepers, 2);
    const draw = await stage.drawOf(jobId);
    const [first, second] = seats as [Seat, Seat];
    const desk = members.desks.get(first.account.address)!;
    const position = await stage.positionOf(first, draw);
    const named = await Promise.all(
      seats.map(async (seat) => ({
        position: await stage.positionOf(seat, draw),
        digests: await stage.digestsOf(seat, draw),
      })),
    );
    named.sort((a, b) => a.position - b.position);
    const others = (own: readonly Hex[]) =>
      named.map((each) => (each.position === position ? { position, digests: own } : each));
    const { digests } = named[position]!;
    const statement = { ...draw, members: named };
    const asker = bytesToHex(members.exchangeOf(second.account.address).identity.peerId);
    assert.equal((await desk.sign(statement, asker)).length, 2);
    await assert.rejects(desk.sign(statement, "0x00141234"), NotReadyError);
    const framed = { ...draw, members: others(digests.map(() => keccak256("0x11e0"))) };
    await assert.rejects(desk.sign(framed, asker), UnsoundStatementError);
    const short = { ...draw, members: others(digests.slice(1)) };
    await assert.rejects(desk.sign(short, asker), UnsoundStatementError);
    await assert.rejects(stage.digestsOf(first, { jobId, attempt: 2n }), NotReadyError);
    await assert.rejects(desk.digests(draw, "0x00141234"), NotReadyError);
    members.silent.clear();
    await scene.until(job.described, "Attested", [...keepers, job.provider]);
    await finalised(job);
  });

  it("attack: does not attest to a lie, which a challenger convicts; nobody of it is slashed", async () => {
    const { scene, keepers, seats } = stage;
    const before = await stage.purses();
    const { described, provider, jobId } = await committed({ worker: cheat });
    await scene.settle([...keepers, provider]);
    assert.equal(await stage.phaseOf(jobId), phase.signing);
    const draw = await stage.drawOf(jobId);
    for (const seat of seats) {
      await assert.rejects(stage.digestsOf(seat, draw), NotReadyError);
    }
    const watcher = await scene.challenger();
    await scene.until(described, "Failed", [provider, watcher]);
    assert.equal(await stage.phaseOf(jobId), phase.closed);
    await scene.settle(keepers, 1);
    assert.deepEqual(await stage.purses(), before);
    const { isDismissed } = await scene.network.contracts.Committee.read.drawOf([jobId, 1n]);
    assert.equal(isDismissed, true);
    await provider.stop();
  });

  it("says nothing of a trace that is withheld, appears in time, and attests when it can be had", async () => {
    const { scene, keepers } = stage;
    const { chain, contracts } = scene.network;
    const job = await committed();
    const { resultId } = job.job.result!;
    scene.storage.withheld.add(resultId);
    await scene.settle(keepers, 2);
    await chain.advance((terms.signingWindow * 3) / 4 + 60);
    await scene.settle(keepers, 1);
    const { appeared } = await contracts.Committee.read.drawOf([job.jobId, 1n]);
    assert.equal(appeared, maskOf(Array.from({ length: size }, (_, i) => i)));
    assert.equal(await stage.phaseOf(job.jobId), phase.signing);
    scene.storage.withheld.delete(resultId);
    await scene.until(job.described, "Attested", [...keepers, job.provider]);
    await finalised(job);
  });

  it("attack: a member that swears to another digest is accused, convicted and not paid; the others are paid", async () => {
    const { scene, keepers, seats, members } = stage;
    const { chain, folder } = scene.network;
    const before = await stage.purses();
    const job = await committed();
    const liar = seats[0]!;
    const { address } = liar.account;
    members.silent.add(address);
    await scene.settle(keepers, 2);
    const draw = await stage.drawOf(job.jobId);
    const false_: Hex[] = Array.from({ length: committee.checks }, () => keccak256("0x11e0"));
    const secret = await loadOrCreateBlsSecret(join(folder, address), {
      account: liar.account,
      deployment: stage.scene.network.deployment,
    });
    members.desks.set(address, {
      digests: async () => false_,
      sign: async ({ members: sworn }) => {
        const root = bytesToHex(statementTree(draw, leavesOf(draw, sworn)).root);
        const mask = maskOf(sworn.map(({ position }) => position));
        return sign(secret, signatureDomain, hexToBytes(messageOf(draw, mask, root)));
      },
    });
    members.silent.clear();
    const honest = keepers.slice(1);
    await chain.advance(allTurns);
    await scene.until(job.described, "Attested", [...honest, job.provider]);
    // The provider knows what every interval gives, and the liar has nothing to answer with.
    await scene.settle([job.provider], 3);
    assert.ok(job.provider.ledger.accusationsOf(job.jobId).length > 0);
    await chain.advance(terms.moveWindow + 1);
    await scene.settle([job.provider], 2);
    await chain.advance(terms.grace + 1);
    await scene.settle([job.provider], 2);
    await finalised(job);
    const { signers } = await scene.network.contracts.Committee.read.drawOf([job.jobId, 1n]);
    assert.equal(await stage.differingOf(job.jobId), maskOf([await stage.positionOf(liar, draw)]));
    assert.equal(signers, maskOf(Array.from({ length: size }, (_, i) => i)));
    const after = await stage.purses();
    assert.equal(after[0]!.stake, before[0]!.stake - terms.lieSlash);
    const paid = after.map((purse, i) => purse.paid - before[i]!.paid);
    assert.equal(paid[0], 0n);
    const [, share] = await scene.network.contracts.Staking.read.parameters();
    const bounty = (terms.lieSlash * BigInt(share)) / 10_000n;
    // Who was given the same interval knows it, too, and may have accused the liar before the provider did.
    const rewarded = paid.slice(1).filter((each) => each !== fees);
    assert.ok(rewarded.length === 0 || (rewarded.length === 1 && rewarded[0] === fees + bounty), `${paid}`);
  });

  it("attack: a silent majority is slashed, its honest rest is not, and the next draw attests", async () => {
    const { scene, seats, members } = stage;
    const { chain, contracts } = scene.network;
    const job = await committed();
    const { jobId } = job;
    await chain.advance(allTurns);
    await scene.settle([seats[1]!.keeper], 1);
    const drawn = await stage.drawOf(jobId);
    const before = await stage.purses();
    const active = [1, 2, 3, 4];
    for (const { account } of seats) members.silent.add(account.address);
    for (const i of active) members.silent.delete(seats[i]!.account.address);
    const honest = active.map((i) => seats[i]!.keeper);
    await chain.advance((terms.signingWindow * 3) / 4 + 60);
    await scene.settle(honest, 1);
    await chain.advance(terms.signingWindow / 4 + allTurns);
    await scene.settle(honest, 1);
    await chain.advance(terms.grace + allTurns);
    await scene.settle(honest, 1);
    const after = await stage.purses();
    for (const [i, seat] of seats.entries()) {
      const isSlashed = !active.includes(i) && (await stage.positionOf(seat, drawn)) !== -1;
      assert.equal(after[i]!.stake, before[i]!.stake - (isSlashed ? terms.silentSlash : 0n), `seat ${i}`);
    }
    assert.equal((await contracts.Committee.read.jobOf([jobId])).attempt, 2);
    members.silent.clear();
    await stage.seed(jobId);
    const { keepers } = stage;
    await chain.advance(allTurns);
    await scene.untilHolds("the next draw", keepers, () => true);
    await chain.advance(terms.signingWindow / 4);
    await scene.until(job.described, "Attested", [...keepers, job.provider]);
    await finalised(job);
  });

  it("attack: does not attest to a right trace whose last state is stored as something else", async () => {
    const { scene, keepers, seats } = stage;
    const { provider, jobId, job } = await committed();
    const path = join(scene.storage.folderOf(job.result!.resultId), resultFiles.state);
    const bytes = await readFile(path);
    bytes[40] = bytes[40]! ^ 1;
    await writeFile(path, bytes);
    await scene.settle([...keepers, provider], 2);
    const draw = await stage.drawOf(jobId);
    // The first seat's desk is still that of the liar above.
    for (const seat of seats.slice(1)) {
      await assert.rejects(stage.digestsOf(seat, draw), NotReadyError);
    }
    await scene.network.chain.advance(allTurns);
    await scene.settle([...keepers, provider], 1);
    assert.equal(await stage.phaseOf(jobId), phase.signing);
    await provider.stop();
  });

  it("keeps its secret where only its owner reads it", async () => {
    const directory = join(stage.scene.network.folder, "secret");
    const { deployment } = stage.scene.network;
    const owner = { account: stage.seats[0]!.account, deployment };
    const secret = await loadOrCreateBlsSecret(directory, owner);
    assert.equal(await loadOrCreateBlsSecret(directory, owner), secret);
    const lost = join(stage.scene.network.folder, "lost");
    assert.equal(await loadOrCreateBlsSecret(lost, owner), secret, "a lost disk loses no key");
    assert.equal((await stat(join(directory, "bls.key"))).mode & 0o777, 0o600);
  });
});
