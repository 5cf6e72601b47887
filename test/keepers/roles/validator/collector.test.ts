import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, decodeFunctionData, type Hex, hexToBytes, keccak256, toHex } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import {
  addSignatures,
  type G1Words,
  keyOf,
  sign,
  signatureDomain,
  verify,
} from "../../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  maskOf,
  messageOf,
  statementTree,
} from "../../../../keepers/src/core/attestation/statement.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { Collector, type CollectorParts } from "../../../../keepers/src/roles/validator/collector.ts";
import { leavesOf } from "../../../../keepers/src/roles/validator/desk.ts";
import {
  type MemberDigests,
  NotReadyError,
  type StatementRequest,
} from "../../../../keepers/src/roles/validator/exchange.ts";
import { Gathering } from "../../../../keepers/src/roles/validator/gathering.ts";
import { Prosecutor, type ProsecutorParts } from "../../../../keepers/src/roles/validator/prosecutor.ts";
import { SwornBook, swornSchema } from "../../../../keepers/src/roles/validator/sworn-book.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
import { RefusalError, TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import { account, contextOf } from "../doubles.ts";

const size = 4;
const secrets = Array.from({ length: size }, (_, i) => BigInt(1_000 + i));
const operators = secrets.map((_, i) => account(i + 1));
const draw: DrawnCommittee = {
  ...{ chainId: 1n, contract: account(9), jobId: 1n, attempt: 1n, seed: keccak256("0x01") },
  ...{ traceRoot: keccak256("0x02"), intervals: 8, checks: 2, members: secrets.map((_, i) => BigInt(i + 1)) },
};
const never = new AbortController().signal;
const all = { stage: "all", least: size } as const;

const messageFor = (members: readonly MemberDigests[]): Uint8Array => {
  const root = toHex(statementTree(draw, leavesOf(draw, members)).root);
  return hexToBytes(messageOf(draw, maskOf(members.map(({ position }) => position)), root));
};

const signed = (position: number, members: readonly MemberDigests[]): G1Words =>
  sign(secrets[position]!, signatureDomain, messageFor(members));

describe("a member that collects signatures", () => {
  let state: State;
  let sworn: SwornBook;
  let signing: (position: number, members: readonly MemberDigests[]) => G1Words;
  let asked: number[];
  /** What a member says of its intervals. */
  let wordOf: (position: number) => string;

  beforeEach(() => {
    state = openState({ path: ":memory:", schemas: [swornSchema] });
    sworn = new SwornBook(state);
    signing = signed;
    asked = [];
    wordOf = () => "right";
  });

  afterEach(() => {
    state.close();
  });

  const digestsOf = (position: number): Hex[] =>
    intervalsOf(draw, position).map((interval) => keccak256(toHex(`${wordOf(position)}/${interval}`)));

  const committees = { keyOf: (id: bigint) => keyOf(secrets[Number(id) - 1]!) };

  /** A keeper after a restart: what it has gathered is gone. */
  function collector() {
    const { context, queue } = contextOf(operators[0]!, {});
    const gathering = new Gathering();
    const parts = {
      ...{ ...context, sworn, committees, gathering },
      all: { operators: () => operators },
      desk: {
        found: () => digestsOf(0),
        signFor: (_: DrawnCommittee, position: number, members: readonly MemberDigests[]) =>
          signed(position, members),
      },
      exchange: {
        digests: async (operator: Address) => digestsOf(operators.indexOf(operator)),
        sign: async (operator: Address, { members }: StatementRequest) => {
          const position = operators.indexOf(operator);
          asked.push(position);
          return signing(position, members);
        },
      },
    } as unknown as CollectorParts;
    return { sent: queue.sent, collector: new Collector(parts), gathered: gathering.of(draw) };
  }

  /** Parts of the slashes that a keeper sends by what it has kept. */
  async function slashes() {
    const reads = { Committee: { drawOf: () => ({ liars: 0n, signers: 0n }) } };
    const { context, queue } = contextOf(operators[0]!, reads);
    const parts = { ...context, sworn, committees, all: { draw: async () => draw } };
    await new Prosecutor(parts as unknown as ProsecutorParts).prosecute({} as JobRecord, 1n);
    return queue.sent.map(({ data }) => {
      const { args } = decodeFunctionData({ abi: abis.Committee, data: data! });
      const [, , position, , one, other] = args as unknown as [
        bigint,
        bigint,
        bigint,
        bigint,
        ...{ statement: { members: bigint; root: Hex; signers: bigint; signature: G1Words; key: never } }[],
      ];
      return { position: Number(position), statements: [one!.statement, other!.statement] };
    });
  }

  it("attack: lets other work go on while it looks for a bad signature, and asks nobody again who gave one", async () => {
    signing = (position, members) =>
      position === 2 ? sign(5n, signatureDomain, messageFor(members)) : signed(position, members);
    const { collector: one, sent } = collector();
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    assert.equal(await one.collect(draw, 0, all, never), false);
    isDone = true;
    assert.ok(turns >= 4, `other work went on ${turns} times`);
    assert.deepEqual(asked, [1, 2, 3]);
    await one.collect(draw, 0, all, never);
    assert.deepEqual(asked, [1, 2, 3, 1, 3]);
    assert.deepEqual(sent, []);
  });

  it("attack: is held up for a minute by members that stall one after the other, and goes on with who is left", async (test) => {
    let now = 0;
    test.mock.method(performance, "now", () => now);
    // Whoever is asked meanwhile takes all the time that it has.
    test.mock.method(AbortSignal, "timeout", (milliseconds: number) => {
      now += milliseconds;
      return never;
    });
    signing = (position, members) => {
      if (position > 0 && position === members.at(-1)!.position) throw new TransportError("it says nothing");
      return signed(position, members);
    };
    const { collector: one, sent } = collector();
    const enough = { stage: "enough", least: 1 } as const;
    assert.equal(await one.collect(draw, 0, enough, never), false);
    assert.deepEqual(asked, [1, 2, 3, 1, 2, 1]);
    assert.ok(now <= 100_000, `it took ${now} ms`);
    assert.equal(await one.collect(draw, 0, enough, never), true);
    assert.deepEqual(asked, [1, 2, 3, 1, 2, 1], "nobody is asked again");
    assert.equal(sent.length, 1);
  });

  it("attack: leaves a member that was flooded, or not reached, out for two minutes and no longer", async (test) => {
    let now = 1;
    test.mock.method(performance, "now", () => now);
    for (const failure of [new RefusalError("busy", "later"), new TransportError("it says nothing")]) {
      const { collector: one, gathered } = collector();
      signing = (position, members) => {
        if (position === 2) throw failure;
        return signed(position, members);
      };
      await one.collect(draw, 0, all, never);
      assert.deepEqual(
        [1, 2, 3].map((each) => gathered.isExcused(each)),
        [false, true, false],
      );
      asked = [];
      await one.collect(draw, 0, all, never);
      assert.deepEqual(asked, [1, 3], "it is not waited for again at once");
      now += 121_000;
      assert.equal(gathered.isExcused(2), false);
      // Whoever goes on like this is away all along.
      await one.collect(draw, 0, all, never);
      now += 61_000;
      asked = [];
      await one.collect(draw, 0, all, never);
      assert.deepEqual(asked, [1, 2, 3]);
      now += 61_000;
      assert.equal(gathered.isExcused(2), true);
      // And whoever is back is waited for at once.
      signing = (position, members) => {
        if (position === 3) throw new NotReadyError("not now");
        return signed(position, members);
      };
      await one.collect(draw, 0, all, never);
      assert.equal(gathered.isExcused(2), false);
    }
  });

  it("leaves a member that has said no out for good, and one that sends something else", async (test) => {
    let now = 1;
    test.mock.method(performance, "now", () => now);
    signing = (position, members) => {
      if (position === 1) throw new RefusalError("not-found", "not found right here");
      if (position === 2) return sign(5n, signatureDomain, messageFor(members));
      return signed(position, members);
    };
    const { collector: one, gathered } = collector();
    await one.collect(draw, 0, all, never);
    now += 1_000_000;
    assert.deepEqual(
      [1, 2, 3].map((each) => gathered.isExcused(each)),
      [true, true, false],
    );
  });

  it("attack: has evidence against two members whose signatures hold together alone, as one of them says two things", async () => {
    const delta = keyOf(77n).g1;
    const back: G1Words = [delta[0], (await fieldOrder()) - delta[1]];
    signing = (position, members) => {
      const own = signed(position, members);
      if (position === 1) return addSignatures([own, delta]);
      return position === 2 ? addSignatures([own, back]) : own;
    };
    assert.equal(await collector().collector.collect(draw, 0, all, never), true);
    assert.deepEqual(await slashes(), []);
    wordOf = (position) => (position === 1 ? "otherwise" : "right");
    assert.equal(await collector().collector.collect(draw, 0, all, never), true);
    const [slash, ...more] = await slashes();
    assert.deepEqual([slash?.position, more], [1, []]);
    for (const { members, root, signature, key } of slash!.statements) {
      const message = hexToBytes(messageOf(draw, members, root));
      assert.ok(verify(key, signatureDomain, message, signature));
    }
  });

  it("attack: replaces a statement whose signature does not hold by one that does", async () => {
    const membersOf = (word: string): MemberDigests[] => {
      wordOf = () => word;
      return [0, 1].map((position) => ({ position, digests: digestsOf(position) }));
    };
    const [one, other] = [membersOf("one"), membersOf("other")];
    const keep = (members: readonly MemberDigests[], signature: G1Words) =>
      sworn.keep(draw, { position: 1, leaves: leavesOf(draw, members), signers: [1], signature });
    keep(one, keyOf(77n).g1);
    keep(other, signed(1, other));
    assert.deepEqual(await slashes(), []);
    assert.equal(sworn.of(draw).length, 1);
    keep(one, signed(1, one));
    assert.equal((await slashes()).length, 1);
  });
});

async function fieldOrder(): Promise<bigint> {
  const { bn254 } = await import("@noble/curves/bn254.js");
  return bn254.fields.Fp.ORDER;
}
