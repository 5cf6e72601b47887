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
import type { MemberDigests, StatementRequest } from "../../../../keepers/src/roles/validator/exchange.ts";
import { Gathering } from "../../../../keepers/src/roles/validator/gathering.ts";
import { Prosecutor, type ProsecutorParts } from "../../../../keepers/src/roles/validator/prosecutor.ts";
import { SwornBook, swornSchema } from "../../../../keepers/src/roles/validator/sworn-book.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
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
    const parts = {
      ...{ ...context, sworn, committees, gathering: new Gathering() },
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
    return { sent: queue.sent, collector: new Collector(parts) };
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
