import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeAbiParameters, type Hex, keccak256, stringToBytes, zeroAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { chooseJobs } from "../../../../keepers/src/core/market/choose-jobs.ts";
import { unmetAbility, unmetCondition } from "../../../../keepers/src/core/market/conditions.ts";
import { openingsOf, priceOf } from "../../../../keepers/src/core/market/cost.ts";
import {
  bidCommitment,
  bidDigest,
  bidHash,
  bidTypedData,
  orderDigest,
  orderHash,
  orderTypedData,
} from "../../../../keepers/src/core/market/typed-data.ts";
import type { Bid, Order } from "../../../../keepers/src/core/market/types.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("market/market");

const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const account = (n: number) => `0x${n.toString(16).padStart(40, "0")}` as const;

const order: Order = {
  consumer: account(1),
  problem: {
    datasetId: word(2),
    trainingHash: word(3),
    programRoot: word(4),
    nodeCounts: [5, 6, 7],
    witnessNode: 4,
    slots: 8,
    programDigest: word(9),
  },
  conditions: {
    maximumPrice: 100n,
    deposit: 120n,
    priceFeed: zeroAddress,
    trainingTime: 3_600,
    minimumCompute: 10,
    regions: 0b0110n,
    regulations: 0b101n,
    privacyTier: 2,
    scheme: 2,
    committeeSize: 9,
    threshold: 5,
    checkFee: 11n,
    instalments: 3,
  },
  nonce: 12n,
  expiry: 1_000n,
};
const hash = orderHash(order);
const bid: Bid = {
  provider: account(20),
  order: hash,
  price: 100n,
  compute: 10,
  region: 0b0100n,
  regulations: 0b1101n,
  privacyTier: 2,
  nonce: 21n,
  expiry: 1_000n,
};

/** EIP-712 written out by hand: type strings and words as the standard says. */
function structHash(types: string, kinds: readonly string[], values: readonly unknown[]): Hex {
  const typeHash = keccak256(stringToBytes(types));
  const all = [{ type: "bytes32" }, ...kinds.map((type) => ({ type }))];
  return keccak256(encodeAbiParameters(all, [typeHash, ...values]));
}

const conditionsType =
  "Conditions(uint128 maximumPrice,uint128 deposit,address priceFeed,uint32 trainingTime,uint32 minimumCompute,uint64 regions,uint64 regulations,uint8 privacyTier,uint8 scheme,uint8 committeeSize,uint8 threshold,uint128 checkFee,uint8 instalments)";
const problemType =
  "Problem(bytes32 datasetId,bytes32 trainingHash,bytes32 programRoot,uint32[3] nodeCounts,uint32 witnessNode,uint32 slots,bytes32 programDigest)";

describe("hashes of orders and bids", () => {
  it("are those of EIP-712, written out by hand", () => {
    const { problem: p, conditions: c } = order;
    const counts = keccak256(encodeAbiParameters([{ type: "uint32[3]" }], [p.nodeCounts]));
    const problem = structHash(
      problemType,
      ["bytes32", "bytes32", "bytes32", "bytes32", "uint32", "uint32", "bytes32"],
      [p.datasetId, p.trainingHash, p.programRoot, counts, p.witnessNode, p.slots, p.programDigest],
    );
    const conditions = structHash(
      conditionsType,
      "uint128 uint128 address uint32 uint32 uint64 uint64 uint8 uint8 uint8 uint8 uint128 uint8".split(" "),
      Object.values(c),
    );
    const expected = structHash(
      `Order(address consumer,Problem problem,Conditions conditions,uint256 nonce,uint64 expiry)${conditionsType}${problemType}`,
      ["address", "bytes32", "bytes32", "uint256", "uint64"],
      [order.consumer, problem, conditions, order.nonce, order.expiry],
    );
    assert.equal(hash, expected);
    const expectedBid = structHash(
      "Bid(address provider,bytes32 order,uint128 price,uint32 compute,uint64 region,uint64 regulations,uint8 privacyTier,uint256 nonce,uint64 expiry)",
      "address bytes32 uint128 uint32 uint64 uint64 uint8 uint256 uint64".split(" "),
      [
        bid.provider,
        bid.order,
        bid.price,
        bid.compute,
        bid.region,
        bid.regulations,
        bid.privacyTier,
        bid.nonce,
        bid.expiry,
      ],
    );
    assert.equal(bidHash(bid), expectedBid);
  });

  it("change with every field", () => {
    const { problem, conditions } = order;
    const changed: Order[] = [
      { ...order, nonce: 13n },
      { ...order, problem: { ...problem, nodeCounts: [5, 6, 8] } },
      { ...order, problem: { ...problem, programDigest: word(10) } },
      { ...order, conditions: { ...conditions, checkFee: 12n } },
      { ...order, conditions: { ...conditions, scheme: 0 } },
      { ...order, conditions: { ...conditions, instalments: 4 } },
    ];
    const hashes = new Set([hash, ...changed.map(orderHash)]);
    assert.equal(hashes.size, changed.length + 1);
  });

  it("sign for one market on one chain", async () => {
    const signer = privateKeyToAccount(word(77));
    const domain = { chainId: 31_337, market: account(5) };
    const elsewhere = { chainId: 1, market: account(5) };
    const signature = await signer.signTypedData(orderTypedData(order, domain));
    assert.equal(signature, await signer.sign({ hash: orderDigest(order, domain) }));
    assert.notEqual(orderDigest(order, domain), orderDigest(order, elsewhere));
    assert.notEqual(orderDigest(order, domain), orderDigest(order, { ...domain, market: account(6) }));
    assert.equal(bidTypedData(bid, domain).domain.name, "Assay Market");
    const bidSignature = await signer.signTypedData(bidTypedData(bid, domain));
    assert.equal(bidSignature, await signer.sign({ hash: bidDigest(bid, domain) }));
    assert.notEqual(bidDigest(bid, domain), bidDigest(bid, elsewhere));
  });

  it("seal a bid for its sender, job, chain and market: a copy opens nothing", () => {
    const seal = { chainId: 31_337, market: account(5), jobId: 1n, bid, salt: word(1) };
    const commitment = bidCommitment(seal);
    const expected = keccak256(
      encodeAbiParameters(
        ["uint256", "address", "uint256", "address", "bytes32", "bytes32"].map((type) => ({ type })),
        [31_337n, account(5), 1n, bid.provider, bidHash(bid), word(1)],
      ),
    );
    assert.equal(commitment, expected);
    const others = [
      { ...seal, chainId: 1 },
      { ...seal, market: account(6) },
      { ...seal, jobId: 2n },
      { ...seal, salt: word(2) },
      { ...seal, bid: { ...bid, provider: account(21) } },
    ];
    for (const other of others) assert.notEqual(bidCommitment(other), commitment);
  });
});

describe("conditions of an order", () => {
  it("are met by a bid at their very edge", () => {
    assert.equal(unmetCondition(order, hash, bid, 1_000n), undefined);
  });

  it("name what a bid does not meet", () => {
    const cases: [ReturnType<typeof unmetCondition>, Partial<Bid>, bigint?][] = [
      ["order", { order: word(1) }],
      ["expiry", {}, 1_001n],
      ["expiry", { expiry: 999n }, 1_000n],
      ["price", { price: 101n }],
      ["compute", { compute: 9 }],
      ["region", { region: 0b1000n }],
      ["region", { region: 0n }],
      ["regulations", { regulations: 0b100n }],
      ["privacy", { privacyTier: 1 }],
    ];
    for (const [expected, change, now = 0n] of cases) {
      assert.equal(unmetCondition(order, hash, { ...bid, ...change }, now), expected);
    }
  });

  it("are not met from two places at once", () => {
    assert.equal(unmetCondition(order, hash, { ...bid, region: 0b0110n }, 0n), "region");
    const anywhere = { ...order.conditions, regions: 0n };
    assert.equal(unmetAbility(anywhere, { ...bid, region: 0b0110n }), undefined);
  });
});

describe("the price of a training", () => {
  const free = { openings: 0 };

  it("is steps × seconds × rate, rounded up, and never below the floor", () => {
    const model = { perHour: 3_600n, floor: 5n, perOpening: 0n };
    assert.equal(priceOf(model, { ...free, steps: 100, secondsPerStep: 0.1 }), 10n);
    assert.equal(priceOf(model, { ...free, steps: 100, secondsPerStep: 0.100_000_001 }), 11n);
    assert.equal(priceOf(model, { ...free, steps: 10, secondsPerStep: 0.1 }), 5n);
    assert.equal(priceOf(model, { ...free, steps: 1, secondsPerStep: 0 }), 5n);
  });

  it("is exact for amounts of 18 decimals and long runs", () => {
    assert.equal(
      priceOf(
        { perHour: 10n ** 18n, floor: 0n, perOpening: 0n },
        { ...free, steps: 1_000_000, secondsPerStep: 0.002 },
      ),
      (2_000n * 10n ** 18n + 3_599n) / 3_600n,
    );
  });

  it("grows by what is opened to a committee, also where the floor holds", () => {
    const model = { perHour: 3_600n, floor: 5n, perOpening: 2n };
    assert.equal(priceOf(model, { steps: 100, secondsPerStep: 0.1, openings: 512 }), 10n + 1_024n);
    assert.equal(priceOf(model, { steps: 1, secondsPerStep: 0, openings: 3 }), 5n + 6n);
  });

  it("counts what each member checks: no more intervals than there are, and one that two check twice", () => {
    const terms = { committeeSize: 64, checks: 8 };
    assert.equal(openingsOf({ ...terms, intervals: 10_000 }), 512);
    assert.equal(openingsOf({ ...terms, intervals: 100 }), 512);
    assert.equal(openingsOf({ ...terms, intervals: 3 }), 192);
    assert.equal(openingsOf({ ...terms, committeeSize: 0, intervals: 100 }), 0);
  });

  it("refuses what was never measured", () => {
    const model = { perHour: 1n, floor: 0n, perOpening: 0n };
    for (const secondsPerStep of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      throws(() => priceOf(model, { ...free, steps: 1, secondsPerStep }), /cannot take/);
    }
    for (const steps of [0, -1, 1.5]) {
      throws(() => priceOf(model, { ...free, steps, secondsPerStep: 1 }), /no training/);
    }
  });
});

describe("the choice of jobs to check", () => {
  const jobs = Array.from({ length: 100 }, (_, i) => ({ jobId: BigInt(i), cost: 10 }));

  it("takes all that fit", () => {
    const all = chooseJobs(jobs, 1_000, word(1));
    assert.deepEqual(
      [...all].sort((a, b) => Number(a - b)),
      jobs.map(({ jobId }) => jobId),
    );
  });

  it("is the same for a seed, another for another, and never beyond the budget", () => {
    const chosen = chooseJobs(jobs, 305, word(1));
    assert.equal(chosen.length, 30);
    assert.deepEqual(chosen, chooseJobs([...jobs].reverse(), 305, word(1)));
    assert.notDeepEqual(new Set(chosen), new Set(chooseJobs(jobs, 305, word(2))));
  });

  it("draws each job about as often", () => {
    const seen = new Map<bigint, number>();
    for (let seed = 0; seed < 400; seed++) {
      for (const jobId of chooseJobs(jobs, 500, word(seed))) seen.set(jobId, (seen.get(jobId) ?? 0) + 1);
    }
    // Half of 400, with a standard deviation of 10.
    for (const { jobId } of jobs) assert.ok(Math.abs(seen.get(jobId)! - 200) < 60, `job ${jobId}`);
  });

  it("passes over what does not fit beside the others", () => {
    assert.deepEqual(chooseJobs([...jobs.slice(0, 2), { jobId: 7n, cost: 1_000 }], 20, word(3)).length, 2);
  });
});
