import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeAbiParameters, type Hex, hexToBytes, keccak256, zeroHash } from "viem";
import {
  addSignatures,
  type G1Words,
  possessionDomain,
  sign,
  signatureDomain,
} from "../../../keepers/src/core/attestation/bls.ts";
import { intervalsOf, messageOf } from "../../../keepers/src/core/attestation/statement.ts";
import { outsideSubgroup, p } from "../zk/trapdoor.ts";
import {
  checks,
  createWorld,
  exitDelay,
  fee,
  hour,
  intervals,
  period,
  phase,
  reserveFor,
  stakePerOperator,
  terms,
  trace,
} from "./world.ts";

const five = [0, 2, 3, 5, 8];
/** No coordinate; with one more it is beyond what a word holds. */
const word = 2n ** 256n - 1n;

describe("Committee", async () => {
  const world = await createWorld();
  const { viem, committee, registry, fees, validators, networkHelpers, operators, provider, stranger } =
    world;
  const { revertWithCustomError, revertWithCustomErrorWithArgs } = viem.assertions;
  let jobs = 0n;
  const next = () => ++jobs;

  it("INV-5: draws, attests, opens, reveals, pays each member and tells the registry", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    assert.equal(await world.phaseOf(jobId), phase.signing);
    const leaves = world.leavesOf(drawn, five);
    await committee.write.attest([jobId, world.statementOf(drawn, leaves)], { account: stranger.account });
    assert.equal(await world.phaseOf(jobId), phase.opening);
    const openings = world.openingsOf(leaves);
    await committee.write.openWitnesses([jobId, openings.slice(0, 3)]);
    assert.equal(await world.phaseOf(jobId), phase.opening);
    await committee.write.openWitnesses([jobId, openings.slice(3)]);
    assert.equal(await committee.read.verdictOf([jobId]), 0);
    await committee.write.reveal([jobId, world.hashesOf(leaves), []]);
    assert.equal(await world.phaseOf(jobId), phase.attested);
    assert.equal(await committee.read.verdictOf([jobId]), 1);
    const [, , , attested] = await registry.read.told([jobId]);
    assert.equal(attested, 1);
    for (const [position, id] of drawn.members.entries()) {
      const paid = await fees.read.paid([jobId, operators[Number(id) - 1]!.address]);
      assert.equal(paid, five.includes(position) ? BigInt(checks) * fee : 0n, `member ${position}`);
    }
    // INV-5: what nobody earned is still in the purse.
    assert.equal(await fees.read.purse([jobId]), BigInt(4 * checks) * fee + reserveFor(9));
    await revertWithCustomError(
      committee.write.reveal([jobId, world.hashesOf(leaves), []]),
      committee,
      "WrongPhase",
    );
  });

  it("draws the members and intervals that the rules give, and never the provider", async () => {
    const jobId = next();
    await world.commit(jobId, 9, 5, operators[4]!.address);
    const drawn = await world.draw(jobId);
    // Without replacement, by weight: places are in order of enrolment, all weights are 10.
    const places = operators.map((_, i) => i);
    const expected: bigint[] = [];
    for (let i = 0n; expected.length < 9; i++) {
      const hash = keccak256(
        encodeAbiParameters([{ type: "bytes32" }, { type: "uint256" }], [drawn.seed, i]),
      );
      const [place] = places.splice(Number((BigInt(hash) % BigInt(places.length * 10)) / 10n), 1);
      if (place !== 4) expected.push(BigInt(place! + 1));
    }
    assert.deepEqual(drawn.members, expected);
    assert.equal(new Set(drawn.members).size, 9);
    for (const position of [0, 8]) {
      const own = await committee.read.intervalsOf([jobId, 1n, BigInt(position)]);
      assert.deepEqual(own.map(Number), intervalsOf(drawn, position));
      assert.ok(own[0]! < BigInt(intervals / 2) && own[1]! >= BigInt(intervals / 2));
    }
  });

  it("attack 26, INV-1: refuses 4 of 9, a signer twice, strangers, and keys that are not the signers'", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const refused = (change: object, error: "WrongSigners" | "WrongSignature") =>
      revertWithCustomError(committee.write.attest([jobId, { ...good, ...change }]), committee, error);
    const leaves = world.leavesOf(drawn, five);
    const good = world.statementOf(drawn, leaves);
    const four = world.leavesOf(drawn, five.slice(0, 4));
    await refused(world.statementOf(drawn, four), "WrongSigners");
    // A mask cannot name anyone twice, so a signature counted twice stands against the sum of the keys.
    const message = hexToBytes(messageOf(drawn, good.members, good.root));
    const own = sign(world.memberAt(drawn, 0).secret, signatureDomain, message);
    const twice = [0, 0, 2, 3, 5].map((i) => sign(world.memberAt(drawn, i).secret, signatureDomain, message));
    await refused({ signature: addSignatures(twice) }, "WrongSignature");
    await refused({ signature: own }, "WrongSignature");
    await refused({ members: good.members | 512n, signers: good.members | 512n }, "WrongSigners");
    await refused({ signers: good.signers ^ 1n }, "WrongSigners");
    await refused({ members: good.members ^ 3n, signers: good.signers ^ 3n }, "WrongSignature");
    await refused({ key: world.memberAt(drawn, 0).key.g2 }, "WrongSignature");
    await refused({ root: zeroHash }, "WrongSignature");
    await committee.write.attest([jobId, good]);
  });

  it("attack 26: refuses signatures of another domain, job, attempt, trace, chain or contract", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const leaves = world.leavesOf(drawn, five);
    const good = world.statementOf(drawn, leaves);
    const signedAs = (domain: Uint8Array, change: object) => {
      const message = hexToBytes(messageOf({ ...drawn, ...change }, good.members, good.root));
      return addSignatures(five.map((i) => sign(world.memberAt(drawn, i).secret, domain, message)));
    };
    assert.deepEqual(signedAs(signatureDomain, {}), good.signature);
    const wrong: G1Words[] = [
      signedAs(possessionDomain, {}),
      signedAs(signatureDomain, { jobId: jobId + 1n }),
      signedAs(signatureDomain, { attempt: 2n }),
      signedAs(signatureDomain, { traceRoot: zeroHash }),
      signedAs(signatureDomain, { chainId: 1n }),
      signedAs(signatureDomain, { contract: validators.address }),
    ];
    for (const signature of wrong) {
      await revertWithCustomError(
        committee.write.attest([jobId, { ...good, signature }]),
        committee,
        "WrongSignature",
      );
    }
  });

  it("attack 15: points off the curve, at infinity, outside the subgroup or swapped verify nothing", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const good = world.statementOf(drawn, world.leavesOf(drawn, five));
    const [x, y] = good.signature;
    const [x1, x0, y1, y0] = good.key;
    const bad = [
      ...(
        [
          [x, p - y],
          [x + p, y],
          [x, y + 1n],
          [0n, 0n],
          [y, x],
          [word, 1n],
        ] as const
      ).map((signature) => ({ signature })),
      ...(
        [
          [x0, x1, y0, y1],
          [x1 + p, x0, y1, y0],
          [0n, 0n, 0n, 0n],
          outsideSubgroup(),
          [x1, x0, y1, y0 ^ 1n],
          [word, 1n, y1, y0],
          [x1, word, 1n, y0],
          [x1, x0, word, 1n],
        ] as const
      ).map((key) => ({ key })),
    ];
    for (const change of bad) {
      await revertWithCustomError(
        committee.write.attest([jobId, { ...good, ...change }]),
        committee,
        "WrongSignature",
      );
    }
  });

  it("attack 18: no draw before the seed, none after its time; a stalled beacon is asked again", async () => {
    const jobId = next();
    await world.commit(jobId);
    await revertWithCustomError(committee.write.draw([jobId]), committee, "NoSeed");
    await revertWithCustomError(committee.write.renew([jobId]), committee, "TooEarly");
    const { requestId, drawUntil } = await committee.read.drawOf([jobId, 1n]);
    await networkHelpers.time.increaseTo(drawUntil + 1);
    await world.beacon.write.deliver([requestId, keccak256("0x01")]);
    await revertWithCustomError(committee.write.draw([jobId]), committee, "TooLate");
    await committee.write.renew([jobId], { account: stranger.account });
    await revertWithCustomError(committee.write.draw([jobId]), committee, "NoSeed");
    const drawn = await world.draw(jobId);
    assert.deepEqual([drawn.attempt, drawn.members.length], [1n, 9]);
    await revertWithCustomError(committee.write.draw([jobId]), committee, "WrongPhase");
  });

  it("attack 18: a beacon that refuses holds up neither a commitment nor a timeout, and is asked once it takes requests", async () => {
    const jobId = next();
    await world.commit(jobId);
    await world.draw(jobId);
    await world.beacon.write.refuse([true]);
    await world.timeOut(jobId);
    await committee.write.executeTimeout([jobId]);
    assert.deepEqual(await world.phaseOf(jobId), phase.seeding);
    const other = next();
    await world.commit(other);
    await revertWithCustomError(committee.write.renew([other]), committee, "NoSeed");
    await revertWithCustomError(committee.write.draw([other]), committee, "TooLate");
    assert.equal((await committee.read.drawOf([jobId, 2n])).requestId, 0n);
    await world.beacon.write.refuse([false]);
    for (const id of [jobId, other]) {
      await committee.write.renew([id], { account: stranger.account });
      await revertWithCustomError(committee.write.renew([id]), committee, "TooEarly");
      assert.equal((await world.draw(id)).members.length, 9);
    }
  });

  it("attack 11: witnesses withheld convict the provider after window, call and grace", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const leaves = world.leavesOf(drawn, five);
    await committee.write.attest([jobId, world.statementOf(drawn, leaves)]);
    const openings = world.openingsOf(leaves);
    await committee.write.openWitnesses([jobId, openings.slice(0, 9)]);
    await revertWithCustomError(committee.write.executeTimeout([jobId]), committee, "TooEarly");
    const { deadline } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.increaseTo(deadline + 1);
    await committee.write.callTimeout([jobId]);
    const { graceEnds } = await committee.read.jobOf([jobId]);
    await revertWithCustomErrorWithArgs(committee.write.executeTimeout([jobId]), committee, "TooEarly", [
      jobId,
      BigInt(graceEnds) + 1n,
    ]);
    await networkHelpers.time.increaseTo(graceEnds + 1);
    await revertWithCustomError(
      committee.write.openWitnesses([jobId, openings.slice(9)]),
      committee,
      "TooLate",
    );
    await committee.write.executeTimeout([jobId], { account: stranger.account });
    const [, , , , withheld] = await registry.read.told([jobId]);
    assert.equal(withheld, 1);
    assert.equal(await world.phaseOf(jobId), phase.closed);
    await revertWithCustomError(committee.write.executeTimeout([jobId]), committee, "WrongPhase");
  });

  it("attack 11: a provider that was late may still open in the hour of grace", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const leaves = world.leavesOf(drawn, five);
    await committee.write.attest([jobId, world.statementOf(drawn, leaves)]);
    const { deadline } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.increaseTo(deadline + 1);
    await committee.write.callTimeout([jobId]);
    const { graceEnds } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.setNextBlockTimestamp(graceEnds);
    await committee.write.openWitnesses([jobId, world.openingsOf(leaves)], { account: provider.account });
    assert.equal(await world.phaseOf(jobId), phase.revealing);
    await committee.write.reveal([jobId, world.hashesOf(leaves), []]);
  });

  it("attack 5: openings of other intervals, salts, witnesses or states are refused", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const leaves = world.leavesOf(drawn, five);
    await committee.write.attest([jobId, world.statementOf(drawn, leaves)]);
    const openings = world.openingsOf(leaves);
    const [first, second] = [openings[0]!, openings[1]!];
    const wrong = [
      second,
      { ...first, salt: zeroHash },
      { ...first, stateRoot: zeroHash },
      { ...first, witnesses: first.witnesses.slice(1) },
      { ...first, witnesses: first.witnesses.toReversed() },
      { ...first, siblings: second.siblings },
    ];
    for (const opening of wrong) {
      await revertWithCustomError(
        committee.write.openWitnesses([jobId, [opening]]),
        committee,
        "WrongOpening",
      );
    }
    await revertWithCustomError(committee.write.openWitnesses([jobId, []]), committee, "NothingToOpen");
    await revertWithCustomError(
      committee.write.openWitnesses([jobId, [...openings, first]]),
      committee,
      "NothingToOpen",
    );
    await committee.write.openWitnesses([jobId, openings]);
    const hashes = world.hashesOf(leaves);
    const digest = leaves[0]!.digest;
    const reveals: [Hex[], { leaf: bigint; digest: Hex }[]][] = [
      [hashes.slice(1), []],
      [[...hashes.slice(1), hashes[0]!], []],
      [hashes, [{ leaf: 0n, digest }]],
      [hashes, [{ leaf: 0n, digest: zeroHash }]],
      [hashes, [{ leaf: 99n, digest: zeroHash }]],
    ];
    for (const [witnesses, differences] of reveals) {
      await revertWithCustomError(
        committee.write.reveal([jobId, witnesses, differences]),
        committee,
        "WrongReveal",
      );
    }
    await committee.write.reveal([jobId, hashes, []]);
  });

  it("attack 10, INV-4: terms that change while a job is open do not alter it", async () => {
    const jobId = next();
    await world.commit(jobId);
    const changed = { ...terms, signingWindow: 2 * hour, grace: 2 * hour, lieSlash: 600n * 10n ** 18n };
    await revertWithCustomError(
      committee.write.setTerms([changed], { account: stranger.account }),
      committee,
      "AccessManagedUnauthorized",
    );
    const [, first] = await committee.read.terms();
    await committee.write.setTerms([changed]);
    assert.deepEqual(await committee.read.terms(), [changed, first + 1n], "of the next jobs");
    assert.deepEqual(await committee.read.termsOf([jobId]), terms);
    await world.draw(jobId);
    const { deadline } = await committee.read.jobOf([jobId]);
    assert.equal(deadline, (await networkHelpers.time.latest()) + terms.signingWindow);
    await world.timeOut(jobId);
    await committee.write.executeTimeout([jobId]);
    await world.draw(jobId);
    const again = await committee.read.jobOf([jobId]);
    assert.equal(
      again.deadline,
      (await networkHelpers.time.latest()) + terms.signingWindow,
      "redraws neither",
    );
    const later = next();
    await world.commit(later);
    assert.deepEqual(await committee.read.termsOf([later]), changed);
    await committee.write.setTerms([terms]);
    const out = [
      { signingWindow: 59 },
      { openingWindow: 7 * 86_400 + 1 },
      { revealWindow: 0 },
      { grace: 0 },
      { disputeTime: 0 },
      { accusableFor: 59 },
      { moveWindow: 0 },
      { leastFee: 2n ** 112n },
    ];
    for (const change of [...out, { silentSlash: terms.lieSlash + 1n }, { lieSlash: 10n ** 26n }]) {
      await revertWithCustomError(
        committee.write.setTerms([{ ...terms, ...change }]),
        committee,
        "OutOfBounds",
      );
    }
  });

  it("only the registry opens and closes; a committee must fit; closed ones take nothing", async () => {
    const jobId = next();
    const { address } = provider.account;
    await revertWithCustomError(
      committee.write.open([jobId, address, 9n, 9, 5, 0n]),
      committee,
      "NotRegistry",
    );
    await revertWithCustomError(committee.write.close([jobId]), committee, "NotRegistry");
    for (const [count, size, threshold] of [
      [9n, 65, 5],
      [9n, 9, 10],
      [9n, 9, 0],
      [0n, 9, 5],
      [2n ** 32n, 9, 5],
    ] as const) {
      await revertWithCustomError(
        registry.write.open([jobId, address, count, size, threshold, 0n]),
        committee,
        "UnfitCommittee",
      );
    }
    for (const [count, size, each] of [
      [9n, 65, 1n],
      [9n, 9, 2n ** 112n],
      [0n, 9, 1n],
      [2n ** 32n, 9, 1n],
    ] as const) {
      await revertWithCustomError(committee.read.feesFor([count, size, each]), committee, "UnfitCommittee");
    }
    const { leastFee } = terms;
    const once = 9n * leastFee;
    assert.equal(
      await committee.read.feesFor([1n, 9, leastFee]),
      once + (3n * once) / 10n,
      "a trace of one interval",
    );
    const less = committee.read.feesFor([9n, 9, leastFee - 1n]);
    await revertWithCustomError(less, committee, "FeeTooLow");
    await registry.write.close([jobId]);
    await world.commit(jobId);
    await revertWithCustomError(world.commit(jobId), committee, "WrongPhase");
    await world.deliver(jobId);
    await registry.write.close([jobId]);
    await registry.write.close([jobId]);
    await revertWithCustomError(committee.write.draw([jobId]), committee, "WrongPhase");
    assert.equal(await committee.read.verdictOf([jobId]), 0);
  });

  it("attack 26, INV-2 of validators: a rotation inside a window changes no draw, and who resigns stays bound", async () => {
    const fresh = await createWorld(9);
    const { committee: its, validators: set } = fresh;
    await fresh.commit(1n, 9, 5);
    const late = await fresh.enlist(20);
    await fresh.enrol(late, 100n);
    const first = fresh.operators[0]!;
    await set.write.resign({ account: first.account });
    await fresh.networkHelpers.time.increase(2 * period);
    const drawn = await fresh.draw(1n);
    assert.deepEqual(drawn.members.toSorted(), [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n].toSorted());
    await fresh.networkHelpers.time.increase(exitDelay + period);
    await viem.assertions.revertWithCustomError(set.write.release([1n]), set, "StillBound");
    assert.equal((await fresh.lockOf(1n)) > 0n, true, "INV-2");
    await fresh.commit(2n, 10, 5);
    const second = await fresh.draw(2n);
    assert.ok(second.members.includes(10n) && !second.members.includes(1n));
    await viem.assertions.revertWithCustomError(its.write.dismiss([1n, 1n]), its, "NotOver");
    await fresh.registry.write.close([1n]);
    await its.write.dismiss([1n, 1n]);
    await viem.assertions.revertWithCustomError(its.write.dismiss([1n, 1n]), its, "NotOver");
    await viem.assertions.revertWithCustomError(set.write.release([1n]), set, "StillBound");
    await fresh.networkHelpers.time.increase(exitDelay + 1);
    await set.write.release([1n]);
    assert.equal(await fresh.lockOf(1n), 0n);
    assert.equal((await fresh.staking.read.operatorOf([first.address])).stake, stakePerOperator);
    assert.equal(trace.leaves, intervals + 1);
  });
});
