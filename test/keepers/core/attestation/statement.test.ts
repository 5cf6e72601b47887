import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAbiParameters, type Hex, hexToBytes, keccak256, toHex, zeroAddress } from "viem";
import {
  keyOf,
  possessionDomain,
  signatureDomain,
  verify,
} from "../../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  messageOf,
  possessionMessage,
  provePossession,
  type SignedLeaf,
  signStatement,
  statementTree,
  UnsoundStatementError,
  witnessesHash,
} from "../../../../keepers/src/core/attestation/statement.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("attestation/statement");

const draw: DrawnCommittee = {
  chainId: 31337n,
  contract: "0x00000000000000000000000000000000000000c0",
  jobId: 7n,
  attempt: 2n,
  seed: keccak256("0x5eed"),
  traceRoot: keccak256("0x7ace"),
  intervals: 293,
  checks: 4,
  members: [11n, 12n, 13n, 14n],
};
const witness = (interval: number) => witnessesHash([keccak256(toHex(`witness ${interval}`))]);
const leavesOf = (positions: number[]): SignedLeaf[] =>
  positions.flatMap((position) =>
    intervalsOf(draw, position).map((interval) => ({
      position,
      interval,
      digest: digestOf(draw, draw.jobId, draw.members[position]!, interval, witness(interval)),
    })),
  );
const own = (position: number) => leavesOf([position]).map(({ digest }) => digest);

test("a member's intervals are distinct, one from each equal part, and depend on the position", () => {
  const parts = [0, 73, 146, 219, 293];
  for (let position = 0; position < 64; position++) {
    const intervals = intervalsOf(draw, position);
    assert.equal(intervals.length, 4);
    intervals.forEach((interval, i) => {
      assert.ok(interval >= parts[i]! && interval < parts[i + 1]!, `${interval} in part ${i}`);
    });
  }
  assert.notDeepEqual(intervalsOf(draw, 0), intervalsOf(draw, 1));
  assert.deepEqual(intervalsOf({ ...draw, intervals: 3 }, 5), [0, 1, 2], "fewer intervals than checks");
});

test("every interval is as likely as any other of its part", () => {
  const counts = new Array<number>(8).fill(0);
  const samples = 4_000;
  for (let i = 0; i < samples; i++) {
    const seed = keccak256(toHex(i));
    for (const interval of intervalsOf({ ...draw, seed, intervals: 8, checks: 2 }, 0)) counts[interval]!++;
  }
  const expected = samples / 4;
  const chi2 = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // Six degrees of freedom; 22.5 is exceeded once in a thousand.
  assert.ok(chi2 < 22.5, `χ² = ${chi2}`);
});

test("attack 5: a digest is of one member, job, interval, chain and contract", () => {
  const digest = (change: Partial<DrawnCommittee>, member = 11n, interval = 3) =>
    digestOf({ ...draw, ...change }, change.jobId ?? draw.jobId, member, interval, witness(3));
  const all = [
    digest({}),
    digest({ chainId: 1n }),
    digest({ contract: zeroAddress }),
    digest({ jobId: 8n }),
    digest({}, 12n),
    digest({}, 11n, 4),
  ];
  assert.equal(new Set(all).size, all.length);
});

test("signs a statement that holds its own digests in their places", () => {
  const leaves = leavesOf([0, 2, 3]);
  const { members, root, signature } = signStatement(99n, draw, 2, own(2), leaves);
  assert.equal(members, 0b1101n);
  assert.equal(root, toHex(statementTree(draw, leaves).root));
  const message = keccak256(
    encodeAbiParameters(
      ["bytes32", "uint256", "address", "uint256", "uint256", "bytes32", "uint256", "bytes32"].map(
        (type) => ({ type }),
      ),
      [
        keccak256(toHex("assay/attestation/v1")),
        draw.chainId,
        draw.contract,
        draw.jobId,
        draw.attempt,
        draw.traceRoot,
        members,
        root,
      ],
    ),
  );
  assert.equal(messageOf(draw, members, root), message);
  assert.ok(verify(keyOf(99n).g2, signatureDomain, hexToBytes(message), signature));
});

test("attack 11: refuses to sign what would frame it, or what could not be revealed", () => {
  const good = leavesOf([0, 2, 3]);
  const swap = (i: number, change: Partial<SignedLeaf>) =>
    good.map((leaf, at) => (at === i ? { ...leaf, ...change } : leaf));
  const lie = keccak256("0x11e0") as Hex;
  const unsound: SignedLeaf[][] = [
    swap(4, { digest: lie }),
    swap(0, { interval: good[0]!.interval + 1 }),
    swap(0, { position: 1 }),
    good.slice(1),
    good.slice(0, 4),
    [...good, good[4]!],
    good.toReversed(),
    leavesOf([0, 3]),
    [...leavesOf([0, 2]), ...good.slice(8).map((leaf) => ({ ...leaf, position: 9 }))],
    [],
  ];
  for (const [i, leaves] of unsound.entries()) {
    throws(() => signStatement(99n, draw, 2, own(2), leaves), UnsoundStatementError, `case ${i}`);
  }
  throws(() => signStatement(99n, draw, 2, own(2).slice(1), good), UnsoundStatementError);
});

test("attack: signs for no draw that names a validator twice", () => {
  const members = draw.members.with(3, draw.members[0]!);
  throws(
    () => signStatement(99n, { ...draw, members }, 2, own(2), leavesOf([0, 2, 3])),
    UnsoundStatementError,
  );
});

test("attack 26: a proof of possession is no attestation, and of one operator", () => {
  const key = keyOf(5n);
  const operator = "0x00000000000000000000000000000000000000a1";
  const proof = provePossession(5n, draw, operator, key);
  const message = hexToBytes(possessionMessage(draw, operator, key));
  assert.ok(verify(key.g2, possessionDomain, message, proof));
  assert.ok(!verify(key.g2, signatureDomain, message, proof));
  const other = hexToBytes(possessionMessage(draw, zeroAddress, key));
  assert.ok(!verify(key.g2, possessionDomain, other, proof));
});
