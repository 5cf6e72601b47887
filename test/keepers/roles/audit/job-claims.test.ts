import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeFunctionData, type Hex, zeroAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import type { ChainClient } from "../../../../keepers/src/chain/client.ts";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { orderDigest } from "../../../../keepers/src/core/market/typed-data.ts";
import type { Order } from "../../../../keepers/src/core/market/types.ts";
import { attestationClaims } from "../../../../keepers/src/roles/audit/attestation-claims.ts";
import { Attribution } from "../../../../keepers/src/roles/audit/attribution.ts";
import { awardClaim } from "../../../../keepers/src/roles/audit/award-claim.ts";
import { challengesOf, type JobEvidence } from "../../../../keepers/src/roles/audit/job-evidence.ts";
import { chosen, jobPictures } from "../../../../keepers/src/roles/audit/job-pictures.ts";
import { jobRows } from "../../../../keepers/src/roles/audit/job-rows.ts";
import { drawIntervals, intervalsClaim } from "../../../../keepers/src/roles/audit/run-claims.ts";
import { signatureFindings } from "../../../../keepers/src/roles/audit/signatures.ts";
import { foldJob, type JobEvent } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { order as training } from "../../core/exact/sample-order.ts";
import { account, findingsAt, happened, historyOf, stampsOf, word } from "./doubles.ts";

const consumer = privateKeyToAccount(word(0xc0));
const [one, two, three] = [account(1), account(2), account(3)];
const jobId = 1n;

function orderOf(conditions: Partial<Order["conditions"]> = {}): Order {
  return {
    consumer: consumer.address,
    problem: {
      ...{ datasetId: word(1), trainingHash: word(2), programRoot: word(3), programDigest: word(4) },
      ...{ nodeCounts: [1, 1, 1], witnessNode: 0, slots: 1 },
    },
    conditions: {
      ...{ maximumPrice: 9n, deposit: 9n, priceFeed: zeroAddress, trainingTime: 60, minimumCompute: 0 },
      ...{ regions: 0n, regulations: 0n, privacyTier: 0, scheme: 2, committeeSize: 2, threshold: 2 },
      ...{ checkFee: 1n, instalments: 0, ...conditions },
    },
    ...{ nonce: 1n, expiry: 100n },
  };
}

const opened = (order = orderOf()) =>
  happened(1, "JobRegistry.JobOpened", {
    ...{ jobId, orderHash: word(9), consumer: consumer.address },
    ...{ order, training: encodeOrder(training) },
  });

/** Evidence of a job from its events; of what is not asked for there is nothing. */
function evidenceOf(events: readonly AssayEvent[]): JobEvidence {
  const stamps = stampsOf(events);
  const attribution = new Attribution(events);
  const rows = jobRows(events, stamps, attribution);
  const ofJob = events.map(({ contract, eventName, args }) => ({ name: `${contract}.${eventName}`, args }));
  return {
    ...{ jobId, events, stamps, attribution, rows, rowsAsOf: rows, history: historyOf(events, 100) },
    ...{ record: foldJob(ofJob as unknown as JobEvent[])!, challenges: challengesOf(events, stamps) },
    ...{ slashes: [], findings: findingsAt(100, { told: rows }), state: { checks: 1 }, posted: undefined },
  } as unknown as JobEvidence;
}

describe("what an audit says of a committee", () => {
  const committed = happened(2, "JobRegistry.JobCommitted", {
    ...{ jobId, traceRoot: word(1), stateRoot: word(2), leavesDigest: word(3), resultId: word(4) },
    challengeUntil: 9n,
  });
  const at = { jobId, attempt: 1n };
  const beacon = happened(4, "CommitRevealBeacon.RandomnessReady", { requestId: 3n, seed: word(7) });
  const drawn = [
    opened(),
    committed,
    happened(3, "Committee.CommitteeAsked", { ...at, requestId: 3n, rotation: 1n }),
    beacon,
    happened(5, "Committee.CommitteeDrawn", { ...at, seed: word(7), members: [1n, 2n], deadline: 9n }),
    happened(6, "Committee.RootSigned", { ...at, signers: 3n, root: word(8), deadline: 9n }),
  ];
  const claimOf = (events: readonly AssayEvent[]) => attestationClaims(evidenceOf(events))[0]!;
  const seatsOf = (events: readonly AssayEvent[]) => {
    const picture = jobPictures(evidenceOf(events)).find(({ kind }) => kind === "seats");
    return picture?.kind === "seats" ? picture.seats.map(({ said }) => said) : [];
  };

  it("attack: a provider withholds the witnesses after the committee has signed: nobody is said to agree", () => {
    const withheld = [...drawn, happened(7, "Committee.WitnessesWithheld", { jobId, caller: one })];
    const claim = claimOf(withheld);
    assert.match(claim.statement, /2 signed, but what they signed was not opened, 0 said nothing/);
    assert.doesNotMatch(claim.statement, /agreed/);
    assert.match(claim.facts[0]![1], /signed, not opened/);
    assert.deepEqual(seatsOf(withheld), ["signed", "signed"]);
  });

  it("the seed of a draw is that of its last request: those before it were refused, or came to nothing", () => {
    const refused = happened(3, "Committee.CommitteeAsked", { ...at, requestId: 0n, rotation: 1n });
    const [first, second, ...rest] = drawn;
    assert.doesNotMatch(
      claimOf([first!, second!, refused, ...rest]).how,
      /was not drawn with the random seed/,
    );
    const other = happened(3, "Committee.CommitteeAsked", { ...at, requestId: 4n, rotation: 1n });
    const [asked, ...later] = rest;
    assert.match(
      claimOf([first!, second!, asked!, other, ...later]).how,
      /was not drawn with the random seed/,
    );
  });

  it("members agree or differ once their digests are revealed", () => {
    const revealed = happened(7, "Committee.DigestsRevealed", { ...at, differing: 2n, differences: [] });
    assert.match(
      claimOf([...drawn, revealed]).statement,
      /1 agreed with the provider, 1 said something else/,
    );
    assert.deepEqual(seatsOf([...drawn, revealed]), ["agrees", "differs"]);
  });
});

describe("what an audit says of an award", () => {
  const terms = { commitWindow: 1, revealWindow: 1, bond: 5n };
  const auction = happened(2, "Market.AuctionOpened", {
    ...{ jobId, orderHash: word(9), terms, commitUntil: 30n, revealUntil: 40n },
  });
  const bid = (block: number, provider: Hex, price: bigint) => [
    happened(block, "Market.BidCommitted", { jobId, provider, commitment: word(5) }),
    happened(block + 10, "Market.BidRevealed", { jobId, provider, bid: { price, compute: 1 } }),
  ];
  const awarded = (block: number, provider: Hex, price: bigint) => [
    happened(block, "Market.AuctionAwarded", { jobId, provider, price }),
    happened(block + 1, "JobRegistry.JobMatched", { jobId, provider, price, stake: 1n, lockUntil: 90n }),
  ];
  const lost = (block: number, provider: Hex) =>
    happened(block, "Market.BondLost", { jobId, provider, amount: 5n, reason: word(0) });
  const bids = [...bid(3, one, 4n), ...bid(4, two, 6n), ...bid(5, three, 8n)];
  const claimOf = (events: readonly AssayEvent[], order = orderOf()) =>
    awardClaim(
      evidenceOf([opened(order), auction, ...events].sort((a, b) => Number(a.blockNumber - b.blockNumber))),
    );

  it("the lowest bid wins", () => {
    const claim = claimOf([...bids, ...awarded(20, one, 4n)]);
    assert.equal(claim.verdict, "verified");
    assert.match(claim.statement, /the lowest of 3 sealed bids\.$/);
    assert.equal(claimOf([...bids, ...awarded(20, two, 6n)]).verdict, "wrong");
    assert.equal(claimOf([...bids, ...awarded(20, one, 5n)]).verdict, "wrong", "another price");
  });

  it("attack: a bond that is lost does not hide that another bid was lower", () => {
    const walked = [...bids, ...awarded(20, one, 4n), lost(22, one)];
    const honest = claimOf([...walked, ...awarded(23, two, 6n)]);
    assert.equal(honest.verdict, "verified");
    assert.match(honest.statement, /the lowest of the 2 sealed bids still in; one bid was out by then/);
    assert.match(honest.how, /had won before without taking the job/);
    assert.equal(claimOf([...walked, ...awarded(23, three, 8n)]).verdict, "wrong");
  });

  it("with a price feed it says that the price in tokens was not checked, and checks the order of bids", () => {
    const feed = orderOf({ priceFeed: account(0xfeed) });
    const claim = claimOf([...bids, ...awarded(20, one, 4_000n)], feed);
    assert.equal(claim.verdict, "verified");
    assert.match(claim.how, /price in tokens that followed were not/);
    assert.equal(claimOf([...bids, ...awarded(20, two, 6_000n)], feed).verdict, "wrong");
  });
});

describe("what an audit says of a conviction", () => {
  const challengeId = 1n;
  const dispute = (convictedAt: number) => [
    happened(1, "DisputeGame.Challenged", { challengeId, jobId, challenger: two, claim: {}, interval: 0n }),
    happened(2, "DisputeGame.TimeoutCalled", { challengeId, graceEnds: 50n }),
    happened(convictedAt, "DisputeGame.ProviderConvicted", { challengeId, challenger: two }),
  ];
  const isSilent = (block: number) =>
    challengesOf(dispute(block), stampsOf(dispute(block))).map((challenge) => challenge.isSilent);

  it("a ruling within the grace is no silence", () => {
    assert.deepEqual(isSilent(5), [false], "in its last second");
    assert.deepEqual(isSilent(6), [true]);
  });

  it("is held against the interval that a dispute about the whole trace came down to", () => {
    const whole = 2n ** 32n - 1n;
    const of = (interval: bigint) => ({
      challenges: challengesOf(
        [
          happened(1, "DisputeGame.Challenged", {
            ...{ challengeId, jobId, challenger: two, claim: {}, interval: whole },
          }),
          happened(2, "DisputeGame.Moved", { challengeId, stage: 1, interval, position: {} }),
          happened(3, "DisputeGame.ProviderConvicted", { challengeId, challenger: two }),
        ],
        stampsOf([happened(3, "DisputeGame.ProviderConvicted", {})]),
      ),
    });
    const history = historyOf([], 10);
    assert.ok(drawIntervals({ history, jobId, ...of(5n) }, 8, 1).includes(5));
    const verdictOf = (interval: bigint, differing: number[]) =>
      intervalsClaim(of(interval), [5], differing, 8, false).verdict;
    assert.equal(verdictOf(5n, [5]), "verified");
    assert.equal(verdictOf(5n, []), "wrong", "the recomputation contradicts the ruling");
    assert.equal(verdictOf(whole, []), "trusted", "the ruling was on the trace itself");
  });
});

describe("who stands behind an order", () => {
  const order = orderOf();
  const posted = (signature: Hex, author: Hex) =>
    happened(5, "Market.OrderPosted", {
      ...{ orderHash: word(9), order: { ...order, consumer: author }, training: "0x", package: "0x" },
      signature,
    }) as Extract<AssayEvent, { eventName: "OrderPosted" }>;
  /** The finding when a wallet contract stands at an address in some blocks, and an endpoint keeps the state of some. */
  const findingOf = async (
    signature: Hex,
    author: Hex,
    wallet: { isThere(block: bigint | undefined): boolean; isKept(block: bigint | undefined): boolean },
  ) => {
    const event = posted(signature, author);
    const require = (block: bigint | undefined) => {
      if (!wallet.isKept(block)) throw new Error("missing trie node 12 (path ) state is not available");
    };
    const client = {
      public: {
        async getCode({ blockNumber }: { blockNumber?: bigint }) {
          require(blockNumber);
          return wallet.isThere(blockNumber) ? "0x60" : "0x";
        },
        async call({ blockNumber }: { blockNumber?: bigint }) {
          require(blockNumber);
          return { data: `0x1626ba7e${"0".repeat(56)}` };
        },
      },
    } as unknown as ChainClient;
    const history = historyOf([event], 100);
    const market = history.deployment.addresses.Market!;
    const input = encodeFunctionData({ abi: abis.Market, functionName: "withdraw", args: [one] });
    const [finding] = await signatureFindings({
      ...{ client, history, stamps: stampsOf([event], { to: market, input }), posted: event, events: [] },
      record: { consumer: author, order: event.args.order } as never,
    });
    return finding!;
  };
  const always = { isThere: () => true, isKept: () => true };

  it("a wallet is asked as of the block in which the market took its signature", async () => {
    const then = { ...always, isThere: (block: bigint | undefined) => block === 5n };
    assert.deepEqual(
      [await findingOf("0x1234", one, then)].map(({ by, holds }) => [by, holds]),
      [["signed", true]],
    );
  });

  it("what a wallet said in a state that no endpoint keeps is trusted, and a key's signature needs no state", async () => {
    const gone = { ...always, isKept: () => false };
    const { by } = await findingOf("0x1234", one, gone);
    assert.equal(by, "past");
    const domain = { chainId: 31_337, market: account(0x3a) };
    const signature = await consumer.sign({ hash: orderDigest(order, domain) });
    const own = await findingOf(signature, consumer.address, gone);
    assert.deepEqual([own.by, own.holds], ["signed", true]);
    const down = {
      ...always,
      isKept: () => {
        throw new Error("fetch failed");
      },
    };
    await assert.rejects(findingOf("0x1234", one, down), /fetch failed/);
  });
});

describe("the moments of a job's life", () => {
  const moment = (name: string, tone: "plain" | "muted" | "bad") => ({ name, tone });

  it("attack: many bids and many challenges do not push the conviction out", () => {
    const many = (count: number, name: string, tone: "muted" | "bad") =>
      Array.from({ length: count }, () => moment(name, tone));
    const kept = chosen([
      moment("JobRegistry.JobOpened", "plain"),
      ...many(60, "Market.BidCommitted", "muted"),
      ...many(60, "DisputeGame.Challenged", "bad"),
      moment("DisputeGame.ProviderConvicted", "bad"),
      moment("JobRegistry.JobFailed", "bad"),
    ]);
    assert.equal(kept.length, 40);
    assert.equal(kept[0]!.name, "JobRegistry.JobOpened");
    assert.deepEqual(
      kept.slice(-2).map(({ name }) => name),
      ["DisputeGame.ProviderConvicted", "JobRegistry.JobFailed"],
    );
    assert.equal(kept.filter(({ tone }) => tone === "muted").length, 0);
    const few = many(3, "Market.BidCommitted", "muted");
    assert.deepEqual(chosen(few), few);
  });
});
