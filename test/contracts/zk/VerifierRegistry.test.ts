import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { network } from "hardhat";
import {
  type ContractErrorName,
  encodeFunctionData,
  type Hex,
  keccak256,
  numberToHex,
  slice,
  zeroHash,
} from "viem";
import { circuitSources } from "../../../circuits/setup/circuits.ts";
import {
  compress,
  createInstance,
  developmentKey,
  g1,
  g2,
  outsideSubgroup,
  p,
  prove,
  r,
  scalars,
  type Words4,
  type Words8,
  words,
} from "./trapdoor.ts";

const circuit = keccak256("0x01");
const word = (1n << 256n) - 1n;

const replace = (proof: Words8, at: number, values: readonly bigint[]): Words8 => {
  const copy = [...proof];
  copy.splice(at, values.length, ...values);
  return copy as unknown as Words8;
};

describe("VerifierRegistry", async () => {
  const { viem } = await network.create();
  const [owner, stranger] = await viem.getWalletClients();
  const publicClient = await viem.getPublicClient();
  const access = await viem.deployContract("AccessManager", [owner!.account.address]);
  const registry = await viem.deployContract("VerifierRegistry", [access.address]);

  const instance = createInstance(4);
  const keyHash = keccak256(instance.key);
  const inputs = [5n, 0n, r - 1n, 1n << 200n];
  const proof = prove(instance, inputs);
  const verify = (words8: Words8, values: readonly bigint[] = inputs, key: Hex = keyHash) =>
    registry.read.verify([key, words8, values]);
  const verifyCompressed = (words4: Words4, values: readonly bigint[] = inputs) =>
    registry.read.verifyCompressed([keyHash, words4, values]);

  before(async () => {
    await registry.write.register([circuit, instance.key]);
  });

  it("keeps the key as code behind one STOP", async () => {
    const [data, kept, development, count] = await registry.read.keyInfo([keyHash]);
    assert.equal(await publicClient.getCode({ address: data }), `0x00${instance.key.slice(2)}`);
    assert.deepEqual([kept, development, count], [circuit, false, 4n]);
  });

  it("accepts valid proofs for 0, 1 and 5 inputs", async () => {
    for (const count of [0, 1, 5]) {
      const other = createInstance(count, 100n + BigInt(count));
      await viem.assertions.emit(registry.write.register([circuit, other.key]), registry, "KeyRegistered");
      const next = scalars(9n);
      const values = Array.from({ length: count }, next);
      assert.equal(await verify(prove(other, values), values, keccak256(other.key)), true);
    }
  });

  it("attack 12: accepts an input only in its canonical form, at every index", async () => {
    assert.equal(await verify(proof), true);
    for (let i = 0; i < inputs.length; i++) {
      for (const value of [inputs[i]! + r, r, inputs[i] === r - 1n ? r - 2n : r - 1n, word]) {
        const changed = inputs.with(i, value);
        assert.equal(await verify(proof, changed), false, `input ${i} = ${value}`);
        assert.equal(await verifyCompressed(compress(proof), changed), false, `input ${i} = ${value}`);
        // Not even when the proof is made for the reduced value.
        if (value >= r) assert.equal(await verify(prove(instance, changed), changed), false);
      }
      // r − 1 is canonical.
      const edge = inputs.with(i, r - 1n);
      assert.equal(await verify(prove(instance, edge), edge), true);
    }
  });

  it("attack 13: another proof of the same statement is as valid, so nothing may hang on proof bytes", async () => {
    const again = prove(instance, inputs, 8n);
    assert.notDeepEqual(again, proof);
    assert.equal(await verify(again), true);
    const [nx, ny] = [proof[0], p - proof[1]];
    const b = bn254.G2.Point.fromAffine({
      x: { c0: proof[3], c1: proof[2] },
      y: { c0: proof[5], c1: proof[4] },
    })
      .negate()
      .toAffine();
    assert.equal(await verify([nx, ny, b.x.c1, b.x.c0, b.y.c1, b.y.c0, proof[6], proof[7]]), true);
  });

  it("attack 15: is false for points off the curve and for coordinates that are not canonical", async () => {
    for (let i = 0; i < 8; i++) {
      assert.equal(await verify(replace(proof, i, [proof[i]! ^ 1n])), false, `word ${i} changed`);
      assert.equal(await verify(replace(proof, i, [proof[i]! + p])), false, `word ${i} plus p`);
      assert.equal(await verify(replace(proof, i, [p])), false, `word ${i} = p`);
      assert.equal(await verify(replace(proof, i, [word])), false, `word ${i} = 2^256 − 1`);
      assert.equal(await verify(replace(proof, i, [0n])), false, `word ${i} = 0`);
    }
  });

  it("attack 15: is false for points at infinity, even where the equation holds", async () => {
    assert.equal(await verify(replace(proof, 0, [0n, 0n])), false);
    assert.equal(await verify(replace(proof, 2, [0n, 0n, 0n, 0n])), false);
    assert.equal(await verify(replace(proof, 6, [0n, 0n])), false);
    // With C at infinity: a·b = alpha·beta + L·gamma.
    const { Fr } = bn254.fields;
    const sum = instance.ic.reduce((t, ic, i) => Fr.add(t, Fr.mul(ic, i === 0 ? 1n : inputs[i - 1]!)), 0n);
    const product = Fr.add(Fr.mul(instance.alpha, instance.beta), Fr.mul(sum, instance.gamma));
    const valid = [...g1(product), ...g2(1n), 0n, 0n] as unknown as Words8;
    assert.equal(await verify(valid), false);
    // A·B at infinity on both sides.
    const rest = Fr.mul(Fr.neg(product), Fr.inv(instance.delta));
    assert.equal(await verify([0n, 0n, ...g2(1n), ...g1(rest)] as unknown as Words8), false);
    assert.equal(await verify([...g1(1n), 0n, 0n, 0n, 0n, ...g1(rest)] as unknown as Words8), false);
  });

  it("attack 15: is false for a point of the twist outside the subgroup, and for swapped halves", async () => {
    assert.equal(await verify(replace(proof, 2, outsideSubgroup())), false);
    assert.equal(await verify(replace(proof, 2, [proof[3], proof[2], proof[5], proof[4]])), false);
    assert.equal(await verify(replace(proof, 2, [proof[4], proof[5], proof[2], proof[3]])), false);
    assert.equal(await verify(replace(proof, 0, [proof[6], proof[7]])), false);
  });

  const calldata = (words8: Words8) =>
    encodeFunctionData({ abi: registry.abi, functionName: "verify", args: [keyHash, words8, inputs] });
  const answerTrue = numberToHex(1, { size: 32 });

  it("attack 15: refuses truncated calldata", async () => {
    const data = calldata(proof);
    for (const cut of [1, 31, 32, 33, 128, 256]) {
      await assert.rejects(publicClient.call({ to: registry.address, data: data.slice(0, -2 * cut) as Hex }));
    }
    assert.equal((await publicClient.call({ to: registry.address, data })).data, answerTrue);
  });

  it("attack 15: with too little gas it reverts or is false, never true", async () => {
    const [good, bad] = [calldata(proof), calldata(replace(proof, 6, g1(3n)))];
    const needed = await publicClient.estimateGas({ to: registry.address, data: good });
    const ask = async (data: Hex, gas: bigint) => {
      try {
        return (await publicClient.call({ to: registry.address, data, gas })).data;
      } catch {
        return "reverted";
      }
    };
    let refused = 0;
    for (let gas = 30_000n; gas < needed + 20_000n; gas += 4_999n) {
      assert.notEqual(await ask(bad, gas), answerTrue, `at ${gas} gas`);
      if ((await ask(good, gas)) !== answerTrue) refused++;
    }
    assert.ok(refused > 30, "most of these are too little");
    assert.equal(await ask(good, needed + 20_000n), answerTrue);
  });

  it("attack 14: is false for other inputs and for the wrong number of inputs", async () => {
    assert.equal(await verify(proof, [6n, 0n, r - 1n, 1n << 200n]), false);
    assert.equal(await verify(proof, inputs.toReversed()), false);
    assert.equal(await verify(proof, inputs.slice(0, 3)), false);
    assert.equal(await verify(proof, [...inputs, 0n]), false);
    assert.equal(await verify(proof, []), false);
  });

  it("attack 16: is false under another key and under one that nobody registered", async () => {
    const other = createInstance(4, 77n);
    assert.equal(await verify(proof, inputs, keccak256(other.key)), false);
    assert.equal(await verify(proof, [], zeroHash), false);
    await registry.write.register([circuit, other.key]);
    assert.equal(await verify(proof, inputs, keccak256(other.key)), false);
    assert.equal(await verify(prove(other, inputs), inputs, keccak256(other.key)), true);
  });

  it("attack 16: nobody replaces a key, and only authorised accounts add one", async () => {
    await viem.assertions.revertWithCustomError(
      registry.write.register([circuit, instance.key]),
      registry,
      "KeyExists",
    );
    await viem.assertions.revertWithCustomError(
      registry.write.register([circuit, createInstance(1, 5n).key], { account: stranger!.account }),
      registry,
      "AccessManagedUnauthorized",
    );
  });

  it("attack 16: knows every development key by its own delta, on this chain and on a public one", async () => {
    const { viem: elsewhere } = await network.create({ override: { chainId: 59_141 } });
    const [admin] = await elsewhere.getWalletClients();
    const authority = await elsewhere.deployContract("AccessManager", [admin!.account.address]);
    const abroad = await elsewhere.deployContract("VerifierRegistry", [authority.address]);
    for (const label of Object.keys(circuitSources)) {
      const key = developmentKey(label);
      await registry.write.register([circuit, key]);
      assert.equal((await registry.read.keyInfo([keccak256(key)]))[2], true, label);
      await elsewhere.assertions.revertWithCustomError(
        abroad.write.register([circuit, key]),
        abroad,
        "DevelopmentKeyOnPublicChain",
      );
    }
    await abroad.write.register([circuit, instance.key]);
  });

  it("refuses keys of the wrong length and with bad points", async () => {
    const key = createInstance(2, 55n).key;
    const refuse = (bytes: Hex, error: ContractErrorName<typeof registry.abi>) =>
      viem.assertions.revertWithCustomError(registry.write.register([circuit, bytes]), registry, error);
    await refuse("0x", "InvalidKeyLength");
    await refuse(key.slice(0, -2) as Hex, "InvalidKeyLength");
    await refuse(`${key}00`, "InvalidKeyLength");
    await refuse(key.slice(0, 2 + 2 * 448) as Hex, "InvalidKeyLength");
    await refuse(words([...Array.from({ length: 14 + 2 * 66 }, () => 1n)]), "InvalidKeyLength");
    const list = Array.from({ length: (key.length - 2) / 64 }, (_, i) =>
      BigInt(`0x${key.slice(2 + 64 * i, 66 + 64 * i)}`),
    );
    for (let i = 0; i < list.length; i++) {
      await refuse(words(list.with(i, list[i]! ^ 1n)), "InvalidKeyPoint");
      await refuse(words(list.with(i, list[i]! + p)), "InvalidKeyPoint");
    }
    for (const at of [2, 6, 10]) {
      const outside = list.toSpliced(at, 4, ...outsideSubgroup());
      await refuse(words(outside), "InvalidKeyPoint");
      await refuse(words(list.toSpliced(at, 4, 0n, 0n, 0n, 0n)), "InvalidKeyPoint");
    }
    for (const at of [0, 14, 18]) await refuse(words(list.toSpliced(at, 2, 0n, 0n)), "InvalidKeyPoint");
  });

  it("takes keys of up to 64 inputs, and judges by all of them", async () => {
    const widest = createInstance(64, 57n);
    await registry.write.register([circuit, widest.key]);
    const values = Array.from({ length: 64 }, (_, i) => BigInt(i) * 3n);
    const proven = prove(widest, values);
    const widestHash = keccak256(widest.key);
    assert.equal((await registry.read.keyInfo([widestHash]))[3], 64n);
    assert.equal(await verify(proven, values, widestHash), true);
    assert.equal(await verify(proven, values.with(63, 0n), widestHash), false);
    await viem.assertions.revertWithCustomError(
      registry.write.register([circuit, createInstance(65, 57n).key]),
      registry,
      "InvalidKeyLength",
    );
  });

  it("takes 128-byte proofs, of either sign and hint, as their 256-byte forms", async () => {
    const seen = new Set<bigint>();
    for (let seed = 20n; seed < 36n; seed++) {
      const form = compress(prove(instance, inputs, seed));
      seen.add((form[0] >> 255n) | ((form[1] >> 254n) << 1n) | ((form[3] >> 255n) << 3n));
      assert.equal(await verifyCompressed(form), true, `seed ${seed}`);
      // A proof has one encoding: any other bit is another proof or none.
      for (const [index, bit] of [
        [0, 255n],
        [0, 254n],
        [1, 255n],
        [1, 254n],
        [2, 255n],
        [2, 254n],
        [3, 255n],
        [3, 254n],
      ] as const) {
        const flipped = form.with(index, form[index]! ^ (1n << bit)) as unknown as Words4;
        assert.equal(await verifyCompressed(flipped), false, `bit ${bit} of word ${index}`);
      }
    }
    assert.ok(seen.size >= 6, "signs and hints vary");
  });

  it("takes the keepers' encodings, in all sixteen combinations of signs and hint", async () => {
    const file = new URL("../../vectors/groth16-compressed.json", import.meta.url);
    const vectors = JSON.parse(await readFile(file, "utf8")) as {
      verifyingKey: Hex;
      publicSignals: string[];
      proofs: { proof256: Hex; proof128: Hex }[];
    };
    await registry.write.register([circuit, vectors.verifyingKey]);
    const hash = keccak256(vectors.verifyingKey);
    const signals = vectors.publicSignals.map(BigInt);
    const wordsOf = (bytes: Hex) =>
      Array.from({ length: (bytes.length - 2) / 64 }, (_, i) => BigInt(slice(bytes, 32 * i, 32 * i + 32)));
    assert.equal(vectors.proofs.length, 16);
    for (const { proof256, proof128 } of vectors.proofs) {
      const [words8, words4] = [
        wordsOf(proof256) as unknown as Words8,
        wordsOf(proof128) as unknown as Words4,
      ];
      assert.deepEqual(compress(words8), words4);
      assert.equal(await registry.read.verify([hash, words8, signals]), true);
      assert.equal(await registry.read.verifyCompressed([hash, words4, signals]), true);
    }
  });

  it("attack 15: refuses 128-byte forms that are not canonical or stand for no point", async () => {
    const form = compress(proof);
    for (const index of [0, 1, 2, 3]) {
      const top = form[index]! & (3n << 254n);
      const low = form[index]! ^ top;
      for (const value of [low + p, p, (1n << 254n) - 1n, low ^ 1n]) {
        const changed = form.with(index, (value % (1n << 254n)) | top) as unknown as Words4;
        assert.equal(await verifyCompressed(changed), false, `word ${index}`);
      }
    }
    const [x1, x0, y1, y0] = outsideSubgroup();
    const outside = compress([proof[0], proof[1], x1, x0, y1, y0, proof[6], proof[7]]);
    assert.equal(await verifyCompressed(outside), false);
    assert.equal(await verifyCompressed([0n, form[1], form[2], form[3]]), false);
  });
});
