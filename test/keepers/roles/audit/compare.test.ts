import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { differencesOf } from "../../../../keepers/src/roles/audit/compare.ts";
import type { Row } from "../../../../keepers/src/roles/audit/rows.ts";
import { account } from "./doubles.ts";

const slash: Row = {
  ...{ id: "0x0a", module: account(0xab), beneficiary: account(2), amount: "3", burnt: "2" },
  ...{ reason: "Late", timestamp: "4", transaction: "0x05", operator: account(6) },
};
const operator: Row = {
  ...{
    id: account(0xab),
    roles: 1,
    peerId: "0x0b",
    endpoint: "/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7",
  },
  ...{ isActive: true, registeredAt: "7", staked: "1", locked: "0", unbonded: "0", slashed: "0" },
  ...{ earned: "0", auditsAnswered: 0, auditsMissed: 0, jobsFinalised: 0, jobsFailed: 0, conduct: "1" },
};

const whats = (...parameters: Parameters<typeof differencesOf>) =>
  differencesOf(...parameters).map(({ what }) => what);

describe("rows of an index beside those of the chain", () => {
  it("are the same however hexadecimal is written", () => {
    const told = { ...slash, id: "0x0A", module: account(0xab).toUpperCase().replace("X", "x") };
    assert.deepEqual(differencesOf("slashes", [told], [slash]), []);
    const members = [account(0xab), account(0xcd)];
    const upper = members.map((each) => `0x${each.slice(2).toUpperCase()}`).reverse();
    const committee = { id: "1-0", members };
    assert.deepEqual(differencesOf("attestations", [{ ...committee, members: upper }], [committee]), []);
  });

  it("attack: an invented row has the true row's id, written otherwise or not, before it or after it", () => {
    const invented = { ...slash, amount: "300" };
    for (const id of ["0x0A", "0x0a"]) {
      const before = differencesOf("slashes", [{ ...invented, id }, slash], [slash]);
      assert.ok(before.some(({ what, told }) => /slash 0x0a: amount/.test(what) && told === "300"));
      const after = differencesOf("slashes", [slash, { ...invented, id }], [slash]);
      assert.equal(after.length, 1);
      assert.match(after[0]!.what, /a slash is invented: its id is told twice/);
      assert.match(after[0]!.told, /amount 300/);
    }
  });

  it("attack: a text is changed in nothing but its case", () => {
    const endpoint = String(operator.endpoint);
    const told = { ...operator, endpoint: endpoint.toLowerCase() };
    assert.deepEqual(whats("operators", [told], [operator]), ["operator 0x00000000…0000ab: endpoint"]);
    assert.deepEqual(whats("slashes", [{ ...slash, reason: "late" }], [slash]), ["slash 0x0a: reason"]);
  });

  it('attack: the text "null" is told where there is nothing', () => {
    const silent = { ...operator, endpoint: null };
    assert.deepEqual(whats("operators", [{ ...operator, endpoint: "null" }], [silent]), [
      "operator 0x00000000…0000ab: endpoint",
    ]);
    assert.deepEqual(differencesOf("operators", [silent], [silent]), []);
  });
});
