import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, type Hex, keccak256, padHex, toHex } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { CheckBook, checkSchema } from "../../../../keepers/src/roles/validator/check-book.ts";
import { Desk, type DeskParts } from "../../../../keepers/src/roles/validator/desk.ts";
import { NotReadyError } from "../../../../keepers/src/roles/validator/exchange.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";

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

describe("what a validator tells", () => {
  it("attack: costs it one read of each member, however often strangers ask to be signed for", async () => {
    let reads = 0;
    const parts = {
      operator: operators[0],
      secret: 7n,
      ledger: { job: () => ({}) },
      all: { draw: async () => draw, position: () => 0, operators: () => operators },
      book: { check: () => undefined },
      contracts: {
        Staking: {
          read: {
            identityOf: async ([operator]: [Address]): Promise<[Hex, string]> => {
              reads++;
              return [keccak256(operator), ""];
            },
          },
        },
      },
    } as unknown as DeskParts;
    const desk = new Desk(parts);
    for (let i = 0; i < 20; i++) {
      await assert.rejects(desk.sign({ ...draw, members: [] }, toHex(i)), /Only members/);
    }
    assert.equal(reads, size - 1);
    // A member gets past that, to what is not found right yet.
    const member = keccak256(operators[9]!);
    await assert.rejects(desk.sign({ ...draw, members: [] }, member), (error) => {
      return error instanceof NotReadyError && /not found right/.test(error.message);
    });
    assert.equal(reads, size - 1);
  });

  it("attack: signs a bounded number of statements for one member, and the same one as often as it asks", () => {
    const few = { ...draw, members: draw.members.slice(0, 4) };
    const state = openState({ path: ":memory:", schemas: [checkSchema] });
    const book = new CheckBook(state);
    const digestsOf = (position: number, salt: number) =>
      intervalsOf(few, position).map((interval) => keccak256(toHex(1000 * salt + interval)));
    book.write(few, { verdict: "right", digests: digestsOf(0, 0) });
    const desk = new Desk({ secret: 7n, book } as unknown as DeskParts);
    const own = { position: 0, digests: digestsOf(0, 0) };
    const sign = (salt: number, asker: Hex) =>
      desk.signFor(few, 0, [own, { position: 1, digests: digestsOf(1, salt) }], asker);
    const most = 3 * few.members.length;
    for (let salt = 1; salt <= most; salt++) sign(salt, "0x01");
    assert.throws(() => sign(most + 1, "0x01"), /Too many statements/);
    assert.deepEqual(sign(1, "0x01"), sign(1, "0x02"));
    assert.equal(sign(most + 1, "0x02").length, 2, "another one may still ask");
    state.close();
  });
});
