import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { type Hex, hexToBytes } from "viem";
import {
  type BlsKey,
  type G1Words,
  keyOf,
  possessionDomain,
  sign,
  signatureDomain,
} from "../../../keepers/src/core/attestation/bls.ts";
import { possessionMessage, provePossession } from "../../../keepers/src/core/attestation/statement.ts";
import { outsideSubgroup, p } from "../zk/trapdoor.ts";
import { createWorld, exitDelay, period, stakePerOperator, unit } from "./world.ts";

describe("ValidatorSet", async () => {
  const world = await createWorld(3);
  const { viem, validators, staking, networkHelpers, chainId, operators, stranger, owner } = world;
  const { revertWithCustomError } = viem.assertions;
  const place = { chainId, contract: validators.address as Hex };
  let count = 100;
  const newcomer = () => world.enlist(count++);
  const enrol = (account: { address: Hex }, key: BlsKey, proof: G1Words, weight = 10n) =>
    validators.write.enrol([weight, key, proof], { account: account.address });

  it("INV-1: keeps key, stake and weight; changes count from the next rotation on", async () => {
    const { account, address, secret, key } = await newcomer();
    const now = await validators.read.rotation();
    const total = await validators.read.totalWeight([now]);
    const proof = provePossession(secret, place, address, key);
    assert.equal(
      await validators.read.possessionMessage([address, key]),
      possessionMessage(place, address, key),
    );
    await enrol(account, key, proof, 7n);
    const id = await validators.read.idOf([address]);
    assert.deepEqual(await validators.read.keyOf([id]), key.g1);
    assert.equal(await staking.read.lockedBy([address, validators.address]), 7n * unit, "INV-1");
    await validators.write.raise([9n], { account });
    assert.equal(await staking.read.lockedBy([address, validators.address]), 9n * unit, "INV-1");
    assert.equal(await validators.read.totalWeight([now]), total);
    assert.equal(await validators.read.totalWeight([now + 1]), total + 9n);
    await revertWithCustomError(validators.write.raise([9n], { account }), validators, "UnfitWeight");
    await revertWithCustomError(validators.write.raise([10_001n], { account }), validators, "UnfitWeight");
    await revertWithCustomError(validators.write.raise([101n], { account }), validators, "NotEligible");
    await revertWithCustomError(enrol(account, key, proof), validators, "AlreadyEnrolled");
    await validators.write.resign({ account });
    assert.equal(await validators.read.totalWeight([now + 1]), total);
    await revertWithCustomError(validators.write.resign({ account }), validators, "NotEnrolled");
    await revertWithCustomError(validators.write.raise([10n], { account }), validators, "NotEnrolled");
    await revertWithCustomError(enrol(account, key, proof), validators, "AlreadyEnrolled");
  });

  it("attack 26: a rogue key has no proof of possession", async () => {
    const { account, address, secret, key } = await newcomer();
    // g1^x over the others' keys: the attacker could sign for all, but knows no secret.
    const minus = (words: BlsKey) => ({
      g1: bn254.G1.Point.fromAffine({ x: words.g1[0], y: words.g1[1] }).negate(),
      g2: bn254.G2.Point.fromAffine({
        x: { c0: words.g2[1], c1: words.g2[0] },
        y: { c0: words.g2[3], c1: words.g2[2] },
      }).negate(),
    });
    const honest = minus(operators[0]!.key);
    const own = { g1: bn254.G1.Point.BASE.multiply(secret), g2: bn254.G2.Point.BASE.multiply(secret) };
    const g1 = own.g1.add(honest.g1).toAffine();
    const g2 = own.g2.add(honest.g2).toAffine();
    const rogue: BlsKey = { g1: [g1.x, g1.y], g2: [g2.x.c1, g2.x.c0, g2.y.c1, g2.y.c0] };
    for (const proof of [
      provePossession(secret, place, address, rogue),
      provePossession(secret, place, address, key),
    ]) {
      await revertWithCustomError(enrol(account, rogue, proof), validators, "WrongPossession");
    }
  });

  it("attack 26: a proof of another operator, chain, contract, key or domain is refused", async () => {
    const { account, address, secret, key } = await newcomer();
    const message = hexToBytes(possessionMessage(place, address, key));
    const wrong = [
      provePossession(secret, place, stranger.account.address, key),
      provePossession(secret, { ...place, chainId: 1n }, address, key),
      provePossession(secret, { ...place, contract: staking.address }, address, key),
      provePossession(secret, place, address, keyOf(5n)),
      sign(secret, signatureDomain, message),
      sign(secret + 1n, possessionDomain, message),
    ];
    for (const proof of wrong)
      await revertWithCustomError(enrol(account, key, proof), validators, "WrongPossession");
    // The halves of two keys, each proven with its own secret.
    const halves = { g1: key.g1, g2: keyOf(secret + 1n).g2 };
    for (const each of [secret, secret + 1n]) {
      await revertWithCustomError(
        enrol(account, halves, provePossession(each, place, address, halves)),
        validators,
        "WrongPossession",
      );
    }
    await enrol(account, key, provePossession(secret, place, address, key));
    const thief = await newcomer();
    await revertWithCustomError(
      enrol(thief.account, key, provePossession(secret, place, thief.address, key)),
      validators,
      "KeyTaken",
    );
  });

  it("attack 15: keys and proofs off the curve, at infinity, outside the subgroup or swapped are refused", async () => {
    const { account, address, secret, key } = await newcomer();
    const proof = provePossession(secret, place, address, key);
    const [x1, x0, y1, y0] = key.g2;
    const zero: G1Words = [0n, 0n];
    const bad: [BlsKey, G1Words][] = [
      [{ ...key, g1: [key.g1[0], key.g1[1] + 1n] }, proof],
      [{ ...key, g1: [key.g1[0] + p, key.g1[1]] }, proof],
      [{ ...key, g1: zero }, proof],
      [{ ...key, g2: [0n, 0n, 0n, 0n] }, proof],
      [{ g1: zero, g2: [0n, 0n, 0n, 0n] }, zero],
      [{ ...key, g2: [x0, x1, y0, y1] }, proof],
      [{ ...key, g2: [x1, x0 + p, y1, y0] }, proof],
      [{ ...key, g2: outsideSubgroup() }, proof],
      [key, zero],
      [key, [proof[0], p - proof[1]]],
      [key, [proof[0] + p, proof[1]]],
      [key, [1n, 3n]],
    ];
    for (const [which, with_] of bad) {
      await revertWithCustomError(enrol(account, which, with_), validators, "WrongPossession");
    }
  });

  it("needs the validator's role and the stake; pausing stops enrolments and nothing else", async () => {
    const { account, address, secret, key } = await newcomer();
    const proof = provePossession(secret, place, address, key);
    const most = stakePerOperator / unit;
    await revertWithCustomError(enrol(account, key, proof, most + 1n), validators, "NotEligible");
    await revertWithCustomError(enrol(account, key, proof, 0n), validators, "UnfitWeight");
    await staking.write.update([2, "0x0024", "/dns4/localhost/tcp/1"], { account });
    await revertWithCustomError(enrol(account, key, proof), validators, "NotEligible");
    await staking.write.update([4, "0x0024", "/dns4/localhost/tcp/1"], { account });
    await revertWithCustomError(
      validators.write.pause({ account: stranger.account }),
      validators,
      "AccessManagedUnauthorized",
    );
    await validators.write.pause({ account: owner.account });
    await revertWithCustomError(enrol(account, key, proof), validators, "EnforcedPause");
    const second = operators[1]!;
    await validators.write.resign({ account: second.account });
    await networkHelpers.time.increase(2 * period + exitDelay);
    const id = await validators.read.idOf([second.address]);
    await validators.write.release([id], { account: stranger.account });
    assert.equal(await staking.read.lockedBy([second.address, validators.address]), 0n);
    await revertWithCustomError(validators.write.release([id]), validators, "NotEnrolled");
    await validators.write.unpause();
    await enrol(account, key, proof, most);
    const [freed, taken] = [id, await validators.read.idOf([address])];
    assert.notEqual(taken, freed);
    const placeOf = async (each: bigint) => (await validators.read.validatorOf([each])).place;
    assert.equal(await placeOf(taken), await placeOf(freed), "a freed place is taken again");
  });

  it("INV-3: nobody enrols with a key that was ever used; who was released enrols with another", async () => {
    const second = operators[1]!;
    const proof = provePossession(second.secret, place, second.address, second.key);
    await revertWithCustomError(enrol(second.account, second.key, proof), validators, "KeyTaken");
    const key = keyOf(4242n);
    await enrol(second.account, key, provePossession(4242n, place, second.address, key));
    assert.ok((await validators.read.idOf([second.address])) > 2n);
  });

  it("only the committee draws, excuses and punishes; durations and unit are bounded", async () => {
    const { account } = stranger;
    const calls = [
      validators.write.draw(["0x".padEnd(66, "0") as Hex, 1, 1n, account.address], { account }),
      validators.write.excuse([1, [1n]], { account }),
      validators.write.punish([1n, 1n, account.address, "0x".padEnd(66, "0") as Hex], { account }),
      validators.write.unpause({ account }),
    ];
    for (const call of calls) await revertWithCustomError(call, validators, "AccessManagedUnauthorized");
    const good = { staking: staking.address, unit, period, exitDelay };
    for (const change of [{ unit: 0n }, { unit: 10n ** 26n }, { period: 59 }, { exitDelay: 31 * 86_400 }]) {
      await assert.rejects(
        viem.deployContract("ValidatorSet", [world.access.address, { ...good, ...change }]),
        /OutOfBounds/,
      );
    }
  });
});
