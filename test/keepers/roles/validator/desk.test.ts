import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, type Hex, keccak256, padHex, toHex } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { CheckBook, checkSchema } from "../../../../keepers/src/roles/validator/check-book.ts";
import { Desk, type DeskParts } from "../../../../keepers/src/roles/validator/desk.ts";
import { NotReadyError } from "../../../../keepers/src/roles/validator/exchange.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { ToldCommittees } from "./told-committees.ts";

const size = 64;
const operators = Array.from({ length: size }, (_, i): Address => padHex(toHex(i + 1), { size: 20 }));
const draw: DrawnCommittee = {
  chainId: 1n,
  contract: operators[0]!,
  jobId: 1n,
  attempt: 1n,
  seed: keccak256("0x01"),
  traceRoot: keccak256("0x02"),
  intervals: 8,
  checks: 2,
  members: operators.map((_, i) => BigInt(i + 1)),
};
const name = { jobId: draw.jobId, attempt: draw.attempt };

describe("what a validator tells", () => {
  let told: ToldCommittees;
  /** Reads of the chain, and of what the validator has of jobs and draws. */
  let reads: number;
  let looks: number;
  let failure: Error | undefined;
  let peerOf: (operator: Address) => Hex;
  let drawn: DrawnCommittee;
  let drawnEvent: AssayEvent;

  beforeEach(() => {
    told = new ToldCommittees();
    [reads, looks, failure, drawn] = [0, 0, undefined, draw];
    peerOf = (operator) => keccak256(operator);
    for (const [i, operator] of operators.entries())
      told.tell("ValidatorSet", "Enrolled", { id: BigInt(i + 1), operator, place: BigInt(i), key: {} });
    drawnEvent = tellDraw(draw);
  });

  afterEach(() => {
    told.close();
  });

  const tellDraw = ({ jobId, attempt, seed, members }: DrawnCommittee) =>
    told.tell("Committee", "CommitteeDrawn", { jobId, attempt, seed, members, deadline: 9n });

  const looked = <T>(value: T): T => {
    looks++;
    return value;
  };

  const deskOf = (more: object = {}) =>
    new Desk({
      ...{ operator: operators[0], secret: 7n, committees: told.ledger },
      ledger: { openJobs: () => looked([{ jobId: 1n }]), job: () => looked({ jobId: 1n }) },
      all: { draw: async () => looked(drawn), position: () => looked(0), operators: () => looked(operators) },
      book: { check: () => looked(undefined) },
      contracts: {
        Staking: {
          read: {
            identityOf: async ([operator]: [Address]): Promise<[Hex, string]> => {
              reads++;
              if (failure !== undefined) throw failure;
              return [peerOf(operator), ""];
            },
          },
        },
      },
      ...more,
    } as unknown as DeskParts);

  const isEarly = (error: unknown) => error instanceof NotReadyError && /not found right/.test(error.message);

  it("attack: costs it one read of each member, however often strangers ask to be signed for", async () => {
    const desk = deskOf();
    for (let i = 0; i < 20; i++) {
      await assert.rejects(desk.sign({ ...name, members: [] }, toHex(i)), /Only members/);
      await assert.rejects(desk.digests(name, toHex(i)), /Only members/);
    }
    assert.equal(reads, size - 1);
    // A member gets past that, to what is not found right yet.
    const member = keccak256(operators[9]!);
    await assert.rejects(desk.sign({ ...name, members: [] }, member), isEarly);
    await assert.rejects(desk.digests(name, member), isEarly);
    assert.equal(reads, size - 1);
  });

  it("attack: looks at no job, order or draw for strangers", async () => {
    const desk = deskOf();
    for (let i = 0; i < 20; i++) {
      await assert.rejects(desk.sign({ ...name, members: [] }, toHex(i)), NotReadyError);
      await assert.rejects(desk.digests(name, toHex(i)), NotReadyError);
    }
    assert.equal(looks, 0);
  });

  it("attack: reads nothing for strangers of draws that it does not sit in, or that are over", async () => {
    const others = { ...draw, jobId: 2n, members: draw.members.slice(1) };
    tellDraw(others);
    tellDraw({ ...draw, attempt: 2n });
    told.tell("Committee", "CommitteeDismissed", { jobId: 1n, attempt: 2n });
    const desk = deskOf();
    const names = [
      { jobId: 2n, attempt: 1n },
      { jobId: 1n, attempt: 2n },
      { jobId: 3n, attempt: 1n },
    ];
    for (const each of names)
      await assert.rejects(desk.digests(each, keccak256(operators[9]!)), /knows of no/);
    assert.deepEqual([reads, looks], [0, 0]);
  });

  it("attack: costs it one read of each member, however often one of them asks about a job that is over", async () => {
    const desk = deskOf({ ledger: { openJobs: () => [] } });
    const member = keccak256(operators[9]!);
    for (let i = 0; i < 20; i++) await assert.rejects(desk.digests(name, member), /knows of no/);
    assert.equal(reads, size - 1);
  });

  it("attack: costs it one read of each member, however many of its draws one of them asks about in turn", async () => {
    const names = Array.from({ length: 150 }, (_, i) => ({ jobId: BigInt(i + 1), attempt: 1n }));
    for (const { jobId } of names.slice(1)) tellDraw({ ...draw, jobId });
    const desk = deskOf();
    const member = keccak256(operators[9]!);
    for (let i = 0; i < 2; i++)
      for (const each of names) await assert.rejects(desk.digests(each, member), NotReadyError);
    assert.equal(reads, names.length * (size - 1));
  });

  it("reads again who the members are when a reorganisation has given their draw another seed", async () => {
    const desk = deskOf();
    const member = keccak256(operators[9]!);
    await assert.rejects(desk.digests(name, member), isEarly);
    const [before, after] = [draw, { ...draw, seed: keccak256("0x07") }];
    told.takeBack(drawnEvent);
    drawn = after;
    drawnEvent = tellDraw(after);
    await assert.rejects(desk.digests(name, member), /knows of no/);
    await assert.rejects(desk.digests(name, member), isEarly);
    assert.equal(reads, 2 * (before.members.length - 1));
  });

  it("answers members although it cannot read again who they are", async () => {
    const desk = deskOf({ guestsFor: 0 });
    await assert.rejects(desk.digests(name, keccak256(operators[9]!)), isEarly);
    failure = new Error("too many wait for an endpoint");
    await assert.rejects(desk.digests(name, keccak256(operators[9]!)), isEarly);
    await assert.rejects(desk.digests(name, "0x01"), /Only members/);
  });

  it("answers nobody by the members of a draw that a reorganisation has taken back", async () => {
    const desk = deskOf();
    await assert.rejects(desk.digests(name, keccak256(operators[9]!)), isEarly);
    drawn = { ...draw, seed: keccak256("0x07") };
    await assert.rejects(desk.digests(name, keccak256(operators[9]!)), /knows of no/);
  });

  describe("of a draw that it has found right", () => {
    const few = { ...draw, members: draw.members.slice(0, 4) };
    const most = 3 * few.members.length;
    let book: CheckBook;
    const state = () => openState({ path: ":memory:", schemas: [checkSchema] });
    let kept: ReturnType<typeof state>;

    beforeEach(() => {
      kept = state();
      book = new CheckBook(kept);
      book.write(few, { verdict: "right", digests: digestsOf(0, 0) });
    });

    afterEach(() => {
      kept.close();
    });

    const digestsOf = (position: number, salt: number) =>
      intervalsOf(few, position).map((interval) => keccak256(toHex(1000 * salt + interval)));
    const membersOf = (salt: number) => [
      { position: 0, digests: digestsOf(0, 0) },
      { position: 1, digests: digestsOf(1, salt) },
    ];

    it("attack: signs a bounded number of statements for one member, and the same one as often as it asks", () => {
      const desk = new Desk({ secret: 7n, book } as unknown as DeskParts);
      const sign = (salt: number, asker: number) => desk.signFor(few, 0, membersOf(salt), [asker]);
      for (let salt = 1; salt <= most; salt++) sign(salt, 1);
      assert.throws(() => sign(most + 1, 1), /Too many statements/);
      assert.deepEqual(sign(1, 1), sign(1, 2));
      assert.equal(sign(most + 1, 2).length, 2, "another one may still ask");
    });

    it("attack: signs no more for a member that changes its peer id, nor for one whose peer id another names", async () => {
      drawn = few;
      const told2 = new ToldCommittees();
      for (const [i, operator] of operators.entries())
        told2.tell("ValidatorSet", "Enrolled", { id: BigInt(i + 1), operator, place: BigInt(i), key: {} });
      const { jobId, attempt, seed, members } = few;
      told2.tell("Committee", "CommitteeDrawn", { jobId, attempt, seed, members, deadline: 9n });
      const parts = { book, committees: told2.ledger };
      const isThere = { has: () => true, isExcused: (each: number) => each > 1, looks: new Map() };
      const window = { phase: "Signing", attempt: 1n, deadline: 1_000n };
      const all = {
        draw: async () => few,
        position: () => 0,
        told: () => window,
        terms: async () => ({ terms: { signingWindow: 1_000 } }),
      };
      const client = { public: { getBlock: async () => ({ timestamp: 900n }) } };
      const more = { ...parts, all, agreed: { client }, gathering: { of: () => isThere } };
      let desk = deskOf(more);
      const [one, other] = [operators[1]!, operators[2]!];
      const sign = (salt: number, asker: Hex) => desk.sign({ ...name, members: membersOf(salt) }, asker);
      for (let salt = 1; salt <= most; salt++) await sign(salt, keccak256(one));
      await assert.rejects(sign(most + 1, keccak256(one)), /Too many statements/);
      // It moves to another peer id: whoever read the old ones has forgotten them.
      peerOf = (operator) => (operator === one ? "0x0e" : keccak256(operator));
      desk = deskOf(more);
      await assert.rejects(sign(most + 1, "0x0e"), /Too many statements/);
      // It names the peer id of another, which can still ask.
      peerOf = (operator) => keccak256(operator === one ? other : operator);
      desk = deskOf(more);
      assert.equal((await sign(most + 1, keccak256(other))).length, 2);
      told2.close();
    });
  });
});
