import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { network } from "hardhat";
import { encodeAbiParameters, type Hex, keccak256, sha256, size, slice, toHex } from "viem";
import { outsideSubgroup, p, words } from "../zk/trapdoor.ts";
import { hashToPoint, messageOf, publicKeyOf, signRound } from "./drand.ts";

type Vector = {
  publicKey: string;
  round: number;
  signature: string;
  randomness?: string;
  hashToCurveX?: string;
};
type Key = readonly [bigint, bigint, bigint, bigint];

const file = new URL("../../vectors/drand-bn254.json", import.meta.url);
const { vectors } = JSON.parse(await readFile(file, "utf8")) as { vectors: Vector[] };

const secret = 0x1234567890abcdefn;
const period = 3n;
const margin = 600n;
const day = 86_400n;

const keyOf = (hex: string): Key =>
  [0, 1, 2, 3].map((i) => BigInt(`0x${hex.slice(64 * i, 64 * i + 64)}`)) as unknown as Key;

describe("DrandBeacon", async () => {
  const { viem, networkHelpers } = await network.create();
  const [owner, stranger] = await viem.getWalletClients();
  const access = await viem.deployContract("AccessManager", [owner!.account.address]);
  const publicClient = await viem.getPublicClient();

  const deploy = async (publicKey: Key, genesis: bigint) =>
    viem.deployContract("DrandBeacon", [
      access.address,
      { publicKey, genesis, period, margin, redrawAfter: day },
    ]);
  const now = async () => BigInt(await networkHelpers.time.latest());
  const deployOwn = async () => deploy(publicKeyOf(secret), (await now()) - 1000n);

  const request = async (beacon: Awaited<ReturnType<typeof deploy>>) => {
    await beacon.write.request();
    const requestId = await beacon.read.requestCount();
    return { requestId, ...(await beacon.read.requestOf([requestId])) };
  };

  it("the reference agrees with published rounds", () => {
    for (const { round, hashToCurveX } of vectors) {
      if (hashToCurveX === undefined) continue;
      assert.equal(hashToPoint(messageOf(BigInt(round))).toAffine().x, BigInt(`0x${hashToCurveX}`));
    }
  });

  for (const vector of vectors) {
    it(`accepts published round ${vector.round} of key ${vector.publicKey.slice(0, 8)}`, async () => {
      const round = BigInt(vector.round);
      // Much time may have passed since the chain began.
      await networkHelpers.mine();
      // A network whose first round after the margin is the published one, for a request a minute from now.
      const requestedAt = (await now()) + 60n;
      const beacon = await deploy(keyOf(vector.publicKey), requestedAt + margin + 1n - (round - 1n) * period);
      await networkHelpers.time.setNextBlockTimestamp(requestedAt);
      const bound = await request(beacon);
      assert.equal(bound.round, round);
      await networkHelpers.time.increaseTo(await beacon.read.timeOf([round]));
      await beacon.write.submitRound([round, `0x${vector.signature}`], { account: stranger!.account });
      const raw = sha256(`0x${vector.signature}`);
      if (vector.randomness !== undefined) assert.equal(raw, `0x${vector.randomness}`);
      const domain = keccak256(
        encodeAbiParameters(
          [{ type: "string" }, { type: "uint256" }, { type: "address" }],
          ["assay/beacon", 31337n, beacon.address],
        ),
      );
      const seed = keccak256(
        encodeAbiParameters(
          [{ type: "bytes32" }, { type: "uint256" }, { type: "bytes32" }],
          [domain, bound.requestId, raw],
        ),
      );
      assert.deepEqual(await beacon.read.seedOf([bound.requestId]), [seed, await now()]);
    });
  }

  it("attack 18: a request is bound to the first round after block time plus the margin", async () => {
    const beacon = await deployOwn();
    const { round } = await request(beacon);
    const earliest = (await now()) + margin;
    assert.ok((await beacon.read.timeOf([round])) > earliest);
    assert.ok((await beacon.read.timeOf([round - 1n])) <= earliest);
    assert.equal(await beacon.read.roundAfter([0n]), 1n);
  });

  it("attack 18: refuses a round before its time, even with its signature", async () => {
    const beacon = await deployOwn();
    const { round } = await request(beacon);
    const due = await beacon.read.timeOf([round]);
    await networkHelpers.time.increaseTo(due - 2n);
    await viem.assertions.revertWithCustomErrorWithArgs(
      beacon.write.submitRound([round, signRound(secret, round)]),
      beacon,
      "RoundNotDue",
      [round, due],
    );
    await networkHelpers.time.setNextBlockTimestamp(due);
    await beacon.write.submitRound([round, signRound(secret, round)]);
  });

  it("attack 18: refuses rounds that nobody asked for, and rounds that are there", async () => {
    const beacon = await deployOwn();
    const { round } = await request(beacon);
    await networkHelpers.time.increaseTo((await beacon.read.timeOf([round])) + 60n);
    for (const other of [round - 1n, round + 1n, 0n]) {
      await viem.assertions.revertWithCustomError(
        beacon.write.submitRound([other, signRound(secret, other)]),
        beacon,
        "RoundNotRequested",
      );
    }
    await beacon.write.submitRound([round, signRound(secret, round)]);
    await viem.assertions.revertWithCustomError(
      beacon.write.submitRound([round, signRound(secret, round)]),
      beacon,
      "RoundAlreadySubmitted",
    );
  });

  it("attack 18: refuses another round's, another key's and every malformed signature", async () => {
    const beacon = await deployOwn();
    const { round } = await request(beacon);
    await networkHelpers.time.increaseTo(await beacon.read.timeOf([round]));
    const good = signRound(secret, round);
    const [x, y] = [BigInt(slice(good, 0, 32)), BigInt(slice(good, 32, 64))];
    const bad: Hex[] = [
      signRound(secret, round - 1n),
      signRound(secret + 1n, round),
      words([x, p - y]),
      words([x + p, y]),
      words([x, y + p]),
      words([x ^ 1n, y]),
      words([0n, 0n]),
      words([1n, 2n]),
      words([2n ** 256n - 1n, 1n]),
    ];
    for (const signature of bad) {
      await viem.assertions.revertWithCustomError(
        beacon.write.submitRound([round, signature]),
        beacon,
        "InvalidSignature",
      );
    }
    for (const signature of ["0x", slice(good, 0, 63), `${good}00`] as Hex[]) {
      await viem.assertions.revertWithCustomErrorWithArgs(
        beacon.write.submitRound([round, signature]),
        beacon,
        "InvalidSignatureLength",
        [BigInt(size(signature))],
      );
    }
    await beacon.write.submitRound([round, good]);
  });

  it("attack 18: a round that nobody submitted in 24 hours is replaced, and then counts for nothing", async () => {
    const beacon = await deployOwn();
    const { round, requestId } = await request(beacon);
    const due = (await beacon.read.timeOf([round])) + day;
    await networkHelpers.time.increaseTo(due - 2n);
    await viem.assertions.revertWithCustomErrorWithArgs(
      beacon.write.redraw([requestId]),
      beacon,
      "RedrawNotDue",
      [requestId, due],
    );
    await networkHelpers.time.increaseTo(due);
    await viem.assertions.emit(
      beacon.write.redraw([requestId], { account: stranger!.account }),
      beacon,
      "RandomnessRedrawn",
    );
    const again = await beacon.read.requestOf([requestId]);
    assert.ok((await beacon.read.timeOf([again.round])) > (await now()) + margin);
    await beacon.write.submitRound([round, signRound(secret, round)]);
    assert.deepEqual(await beacon.read.seedOf([requestId]), [toHex(0, { size: 32 }), 0n]);
    await networkHelpers.time.increaseTo(await beacon.read.timeOf([again.round]));
    await viem.assertions.emit(
      beacon.write.submitRound([again.round, signRound(secret, again.round)]),
      beacon,
      "RoundSubmitted",
    );
    const [seed] = await beacon.read.seedOf([requestId]);
    await viem.assertions.revertWithCustomError(beacon.write.redraw([requestId]), beacon, "RedrawNotDue");
    assert.equal((await beacon.read.seedOf([requestId]))[0], seed);
  });

  it("one round serves many requests with different seeds, and at most 16", async () => {
    const beacon = await deploy(publicKeyOf(secret), (await now()) - 1000n);
    const slow = await viem.deployContract("DrandBeacon", [
      access.address,
      { publicKey: publicKeyOf(secret), genesis: 0n, period: day, margin, redrawAfter: day },
    ]);
    assert.notEqual(await beacon.read.domain(), await slow.read.domain());
    const bound = [];
    for (let i = 0; i < 18; i++) bound.push(await request(slow));
    const [first, last] = [bound[0]!.round, bound[17]!.round];
    assert.deepEqual(
      bound.map(({ round }) => round - first),
      [...Array(16).fill(0n), 1n, 1n],
    );
    assert.equal((await slow.getEvents.RandomnessRequested({}, { fromBlock: 0n })).length, 18);
    assert.equal((await slow.read.requestsOf([first])).length, 16);
    await networkHelpers.time.increaseTo(await slow.read.timeOf([last]));
    await slow.write.submitRound([first, signRound(secret, first)]);
    const seeds = await Promise.all(bound.map(({ requestId }) => slow.read.seedOf([requestId])));
    assert.equal(new Set(seeds.slice(0, 16).map(([seed]: readonly [Hex, bigint]) => seed)).size, 16);
    assert.equal(seeds[16]![1], 0n);
    const ready = await slow.getEvents.RandomnessReady();
    assert.equal(ready.length, 16);
  });

  it("attack 15: refuses keys off the curve or outside the subgroup, and durations of zero", async () => {
    for (const key of [outsideSubgroup(), [1n, 2n, 3n, 4n] as const, [0n, 0n, 0n, 0n] as const]) {
      await assert.rejects(deploy(key, 0n), /InvalidConfiguration/);
    }
    for (const zero of ["period", "margin", "redrawAfter"]) {
      const configuration = { publicKey: publicKeyOf(secret), genesis: 0n, period, margin, redrawAfter: day };
      await assert.rejects(
        viem.deployContract("DrandBeacon", [access.address, { ...configuration, [zero]: 0n }]),
        /InvalidConfiguration/,
      );
    }
  });

  it("only authorised modules request; unknown requests have no seed and no redraw", async () => {
    const beacon = await deployOwn();
    await viem.assertions.revertWithCustomError(
      beacon.write.request({ account: stranger!.account }),
      beacon,
      "AccessManagedUnauthorized",
    );
    assert.deepEqual(await beacon.read.seedOf([1n]), [toHex(0, { size: 32 }), 0n]);
    await viem.assertions.revertWithCustomError(beacon.write.redraw([1n]), beacon, "UnknownRequest");
  });

  it("takes signatures of many rounds, whichever candidate the map takes", async () => {
    const beacon = await deployOwn();
    const gas: bigint[] = [];
    for (let i = 0; i < 12; i++) {
      const { round } = await request(beacon);
      await networkHelpers.time.increaseTo(await beacon.read.timeOf([round]));
      const hash = await beacon.write.submitRound([round, signRound(secret, round)]);
      gas.push((await publicClient.getTransactionReceipt({ hash })).gasUsed);
    }
    assert.ok(gas.every((used) => used < 280_000n));
  });
});
