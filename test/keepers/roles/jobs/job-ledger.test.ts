import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { readArguments, writeArguments } from "../../../../keepers/src/roles/jobs/event-json.ts";
import {
  JobLedger,
  jobLedgerHandler,
  jobLedgerSchema,
} from "../../../../keepers/src/roles/jobs/job-ledger.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";

const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const account = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}`;
const [consumer, provider, other, challenger] = [account(1), account(2), account(3), account(4)];

/** A chain of events, and a ledger that follows it. */
class Book {
  readonly state = openState({ path: ":memory:", schemas: [jobLedgerSchema] });
  readonly ledger = new JobLedger(this.state);
  #block = 0;

  add(contract: string, eventName: string, args: Record<string, unknown>): AssayEvent {
    const number = ++this.#block;
    const event = {
      contract,
      eventName,
      args,
      blockNumber: BigInt(number),
      blockHash: word(number),
      logIndex: 0,
    } as unknown as AssayEvent;
    jobLedgerHandler.applied(event, this.state);
    return event;
  }

  remove(event: AssayEvent): void {
    jobLedgerHandler.removed(event, this.state);
  }

  open(jobId = 1n): AssayEvent {
    const order = { conditions: {}, problem: {}, nonce: 3n };
    return this.add("JobRegistry", "JobOpened", {
      jobId,
      orderHash: word(9),
      consumer,
      order,
      training: "0x12",
    });
  }

  match(to = provider, jobId = 1n): AssayEvent {
    const args = { jobId, provider: to, price: 10n, stake: 200n, lockUntil: 1_000n };
    return this.add("JobRegistry", "JobMatched", args);
  }
}

describe("the ledger of jobs", () => {
  it("takes a job through its life", () => {
    const book = new Book();
    const { ledger } = book;
    assert.equal(ledger.job(1n), undefined);
    book.open();
    assert.equal(ledger.job(1n)!.status, "Open");
    book.match();
    assert.equal(ledger.job(1n)!.deadline, 1_000n);
    book.add("JobRegistry", "JobUnmatched", { jobId: 1n, provider });
    assert.equal(ledger.job(1n)!.provider, undefined);
    book.match(other);
    assert.equal(ledger.job(1n)!.matches, 2);
    book.add("JobRegistry", "JobLocked", { jobId: 1n, provider: other, stake: 200n, commitUntil: 2_000n });
    const result = {
      traceRoot: word(1),
      stateRoot: word(2),
      leavesDigest: word(3),
      resultId: word(4),
      challengeUntil: 3_000n,
    };
    book.add("JobRegistry", "JobCommitted", { jobId: 1n, provider: other, ...result });
    assert.deepEqual(ledger.job(1n)!.result, result);
    assert.equal(ledger.openJobs().length, 1);
    book.add("JobRegistry", "JobFinalised", { jobId: 1n, provider: other, paid: 10n, certificateId: 1n });
    assert.equal(ledger.job(1n)!.status, "Finalised");
    assert.equal(ledger.openJobs().length, 0);
    assert.deepEqual(
      [provider, other, consumer].map((each) => ledger.jobsOfProvider(each).length),
      [1, 1, 0],
    );
    assert.equal(ledger.jobsOfConsumer(consumer).length, 1);
  });

  it("takes back what a reorganisation removes, and takes it again in another order", () => {
    const book = new Book();
    const { ledger } = book;
    book.open();
    const first = book.match();
    assert.equal(ledger.job(1n)!.provider, provider);
    book.remove(first);
    assert.equal(ledger.job(1n)!.status, "Open");
    book.match(other);
    assert.equal(ledger.job(1n)!.provider, other);
    assert.equal(ledger.job(1n)!.matches, 1);
    assert.deepEqual(ledger.jobsOfProvider(provider), []);
  });

  it("counts an event once that is delivered twice", () => {
    const book = new Book();
    const opened = book.open();
    jobLedgerHandler.applied(opened, book.state);
    assert.equal(book.ledger.openJobs().length, 1);
    assert.equal(book.ledger.eventsOf(1n), 1);
  });

  it("keeps events of game and registry apart that have the same name", () => {
    const book = new Book();
    book.add("DisputeGame", "JobOpened", { jobId: 1n, provider, bond: 1n, terms: {} });
    assert.equal(book.ledger.job(1n), undefined);
  });

  it("lists orders until they have a job", () => {
    const book = new Book();
    const posted = {
      orderHash: word(9),
      consumer,
      order: { nonce: 2n ** 255n },
      training: "0x",
      package: "0x",
      signature: "0x",
    };
    book.add("Market", "OrderPosted", posted);
    assert.deepEqual(book.ledger.postedOrders(), [posted]);
    book.open();
    assert.deepEqual(book.ledger.postedOrders(), []);
    assert.deepEqual(book.ledger.order(word(9)), posted);
  });

  it("puts a challenge together, with what was posted to which round", () => {
    const book = new Book();
    const claim = { provider, traceRoot: word(1) };
    const position = (n: number) => ({ stateBefore: word(n), exponent: BigInt(-n) });
    book.open();
    book.add("DisputeGame", "Challenged", { challengeId: 5n, jobId: 1n, interval: 2n, challenger, claim });
    book.add("DisputeGame", "Moved", {
      challengeId: 5n,
      jobId: 1n,
      stage: 1,
      interval: 2n,
      position: position(1),
    });
    book.add("DisputeGame", "TimeoutCalled", { challengeId: 5n, graceEnds: 77n });
    assert.equal(book.ledger.challenge(5n)!.graceEnds, 77n);
    book.add("DisputeGame", "Posted", { challengeId: 5n, selector: "0x12345678", arguments: "0xab" });
    book.add("DisputeGame", "Moved", {
      challengeId: 5n,
      jobId: 1n,
      stage: 2,
      interval: 2n,
      position: position(2),
    });
    const [challenge] = book.ledger.openChallenges();
    assert.equal(challenge!.graceEnds, undefined);
    assert.equal(challenge!.moves, 2);
    assert.deepEqual(challenge!.round, { stage: 2, interval: 2n, position: position(2), claim });
    assert.deepEqual(challenge!.answers, [
      {
        round: { stage: 1, interval: 2n, position: position(1), claim },
        selector: "0x12345678",
        arguments: "0xab",
      },
    ]);
    book.add("DisputeGame", "ProviderConvicted", { jobId: 1n, challengeId: 5n, interval: 2n, challenger });
    assert.equal(book.ledger.challenge(5n)!.outcome, "convicted");
    assert.equal(book.ledger.openChallenges().length, 1);
    book.add("DisputeGame", "ChallengeSettled", { challengeId: 5n, paid: 1n });
    assert.equal(book.ledger.openChallenges().length, 0);
    assert.equal(book.ledger.challengesOf(1n).length, 1);
  });

  it("knows what is left to do for a job that is over", () => {
    const book = new Book();
    const { ledger } = book;
    book.open();
    book.add("Market", "AuctionOpened", {
      jobId: 1n,
      orderHash: word(9),
      terms: {},
      commitUntil: 1n,
      revealUntil: 2n,
    });
    book.add("Market", "BidCommitted", { jobId: 1n, provider, commitment: word(1) });
    book.add("Market", "BidCommitted", { jobId: 1n, provider: other, commitment: word(2) });
    assert.deepEqual(ledger.unsettledJobs(), []);
    book.add("Market", "RevealTimeoutCalled", { jobId: 1n, graceEnds: 9n });
    book.add("Market", "WalkPleaded", { jobId: 1n, provider, retrieval: 4n });
    const { graceEnds, bids } = ledger.job(1n)!.auction!;
    assert.deepEqual([graceEnds, bids.get(provider)?.plea, bids.get(other)?.plea], [9n, 4n, undefined]);
    book.add("JobRegistry", "JobExpired", { jobId: 1n });
    assert.equal(ledger.unsettledJobs().length, 1);
    book.add("Market", "BondReturned", { jobId: 1n, provider, amount: 1n });
    assert.equal(ledger.unsettledJobs().length, 1);
    book.add("Market", "BondLost", { jobId: 1n, provider: other, amount: 1n, reason: word(0) });
    assert.deepEqual(ledger.unsettledJobs(), []);
  });
});

describe("arguments of events as text", () => {
  it("come back as they were: whole numbers of any size, bytes, lists", () => {
    const args = {
      big: 2n ** 256n - 1n,
      negative: -(2n ** 255n),
      zero: 0n,
      small: 7,
      bytes: "0x12",
      empty: "0x",
      list: [1n, [2n, { deep: 3n }]],
      flag: true,
    };
    assert.deepEqual(readArguments(writeArguments(args)), args);
  });
});
