import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventRow } from "../../../../keepers/src/roles/audit/event-rows.ts";
import { compared, indexClaims } from "../../../../keepers/src/roles/audit/index-claims.ts";
import type { IndexFindings } from "../../../../keepers/src/roles/audit/told.ts";
import { account, findingsAt, happened, historyOf, stampsOf, word } from "./doubles.ts";

const closed = (block: number) => happened(block, "Market.AuctionClosed", { jobId: BigInt(block) });
const slashed = (block: number) =>
  happened(block, "Staking.Slashed", {
    ...{ operator: account(1), module: account(2), beneficiary: account(3) },
    ...{ amount: 4n, burnt: 2n, reason: word(0) },
  });

/** Claims about an index that was asked when the chain had ten blocks. */
function claims(findings: IndexFindings, events = [closed(1), closed(2)], related = [slashed(6)]) {
  const all = [...events, ...related];
  const [history, stamps] = [historyOf(all, 10), stampsOf(all)];
  const known = indexClaims({ history, findings, events, related, stamps, subject: "this job" });
  return new Map(known.map((claim) => [claim.id, claim]));
}

describe("claims about an index", () => {
  const stamps = stampsOf([closed(1), closed(2)]);
  const told = { events: [closed(1), closed(2)].map((event) => eventRow(event, stamps)) };

  it("hold for one that has read everything", () => {
    const verdicts = [...claims(findingsAt(10, { told })).values()].map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, ["verified", "verified", "verified"]);
  });

  it("attack: an index stands still before a provider is slashed for something else", () => {
    const current = claims(findingsAt(5, { told, isBehind: true })).get("index-current")!;
    assert.equal(current.verdict, "wrong");
    assert.match(current.differences[0]!.what, /^Staking.Slashed in block 6$/);
    const findings = findingsAt(5, { told: { slashes: [] }, isBehind: true });
    assert.match(compared(findings, "slashes"), /stopped at block 5, tells of no slash/);
  });

  it("are no more than trust where the index does not say which block it stands at", () => {
    const position = { number: 10n, hash: undefined, hasErrors: false };
    const current = claims(findingsAt(10, { told, position, isOnChain: undefined })).get("index-current")!;
    assert.equal(current.verdict, "trusted");
    assert.match(current.how, /whether it follows this chain was not checked/);
  });

  it("attack: an index that gives no events does not tell the whole history", () => {
    const history = claims(findingsAt(10, { told: { events: { failure: "no" } } })).get("history")!;
    assert.equal(history.verdict, "trusted");
    assert.match(history.how, /gave none/);
  });

  it("count all differences, and name the first", () => {
    const events = Array.from({ length: 500 }, (_, i) => closed(i + 1));
    const history = claims(findingsAt(600, { told: { events: [] } }), events, []).get("history")!;
    assert.match(history.how, /^500 differences/);
    assert.equal(history.differences.length, 21);
    assert.equal(history.differences.at(-1)!.what, "and 480 more");
  });
});
