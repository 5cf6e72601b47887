import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { readArguments, writeArguments } from "../../../../keepers/src/roles/jobs/event-json.ts";
import {
  JobLedger,
  jobLedgerHandler,
  jobLedgerSchema,
} from "../../../../keepers/src/roles/jobs/job-ledger.ts";
import { ordersAtOnce } from "../../../../keepers/src/roles/jobs/posted-orders.ts";
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
      order: { nonce: 2n ** 255n, expiry: 100n },
      training: "0x",
      package: "0x",
      signature: "0x",
    };
    book.add("Market", "OrderPosted", posted);
    const rounds = book.ledger.orderRounds();
    assert.deepEqual(book.ledger.postedBy(consumer, 100n), [posted]);
    assert.deepEqual(book.ledger.postedBy(provider, 100n), []);
    assert.deepEqual([rounds.next(100n), rounds.next(101n)], [[word(9)], []]);
    // Again, as whoever likes can.
    book.add("Market", "OrderPosted", posted);
    assert.deepEqual(rounds.next(100n), [word(9)]);
    book.open();
    assert.deepEqual(book.ledger.postedBy(consumer, 100n), []);
    assert.deepEqual(rounds.next(100n), []);
    assert.deepEqual(book.ledger.order(word(9)), posted);
  });

  it("shows the posting of an order that others can take it with, however often it was posted", () => {
    const book = new Book();
    const order = { nonce: 1n, expiry: 2n ** 64n - 1n };
    const posted = { orderHash: word(9), consumer, order, training: "0x", package: "0x" };
    const shown = book.add("Market", "OrderPosted", { ...posted, signature: "0x" });
    assert.equal(book.ledger.order(word(9))!.signature, "0x");
    const signed = book.add("Market", "OrderPosted", { ...posted, signature: "0x12" });
    book.add("Market", "OrderPosted", { ...posted, signature: "0x12" });
    assert.equal(book.ledger.order(word(9))!.signature, "0x12");
    assert.equal(book.ledger.postedBy(consumer, 2n ** 62n).length, 1);
    book.remove(shown);
    book.remove(signed);
    assert.deepEqual(book.ledger.orderRounds().next(1n), [word(9)]);
  });

  it("attack: orders that strangers post make no look longer, and hide no other order", () => {
    const book = new Book();
    const post = (n: number, expiry: bigint) => {
      const order = { nonce: BigInt(n), expiry };
      const bytes = { training: `0x${"00".repeat(8_192)}`, package: `0x${"00".repeat(16_384)}` };
      book.add("Market", "OrderPosted", {
        ...{ orderHash: word(n), consumer: account(n), order, ...bytes, signature: "0x12" },
      });
    };
    for (let n = 1; n <= 300; n++) post(n, 5n);
    for (let n = 301; n <= 1_000; n++) post(n, 2n ** 64n - 1n);
    const rounds = book.ledger.orderRounds();
    const seen = new Set<Hex>();
    // Half of what a look takes is new, the other half comes in turn.
    for (let look = 0; look < Math.ceil(700 / (ordersAtOnce / 2)); look++) {
      const orders = rounds.next(6n);
      assert.ok(orders.length <= ordersAtOnce);
      assert.ok(orders.includes(word(1_000)), "the newest is in each look");
      for (const order of orders) seen.add(order);
    }
    assert.equal(seen.size, 700);
    assert.ok(!seen.has(word(300)), "what has expired is left out");
  });

  it("knows the orders of a database that was written before they had rows of their own", () => {
    const path = join(mkdtempSync(join(tmpdir(), "assay-ledger-")), "state.db");
    const { name, migrations } = jobLedgerSchema;
    const before = openState({ path, schemas: [{ name, migrations: migrations.slice(0, -1) }] });
    const posted = (n: number, expiry: bigint, signature: Hex) => {
      const order = { nonce: 1n, expiry };
      return { orderHash: word(n), consumer, order, training: "0x", package: "0x", signature };
    };
    const orders = [posted(1, 2n ** 64n - 1n, "0x12"), posted(2, 7n, "0x"), posted(3, 5n, "0x12")];
    for (const [i, args] of orders.entries()) {
      before.run(
        `INSERT INTO job_events (block_number, log_index, block_hash, name, order_hash, account, arguments)
         VALUES (?, 0, ?, 'Market.OrderPosted', ?, ?, ?)`,
        ...[i, word(i), args.orderHash, consumer, writeArguments(args)],
      );
    }
    before.close();
    const state = openState({ path, schemas: [jobLedgerSchema] });
    const ledger = new JobLedger(state);
    assert.deepEqual(ledger.postedBy(consumer, 7n), orders.slice(0, 2));
    assert.deepEqual(ledger.postedBy(consumer, 8n), orders.slice(0, 1));
    assert.deepEqual(ledger.order(word(3)), orders[2]);
    state.close();
    rmSync(dirname(path), { recursive: true });
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
    const { graceEnds, bids } = ledger.job(1n)!.auction!;
    assert.deepEqual([graceEnds, bids.size], [9n, 2]);
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
