import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Abi } from "viem";
import { didTimeOut, endOf } from "../../dapp/src/pages/parts/ends.ts";
import {
  checkpointEvent,
  eventWords,
  type HistoryEvent,
  lastBidEvent,
} from "../../dapp/src/pages/parts/job-events.ts";
import { lifeOf } from "../../dapp/src/pages/parts/life-steps.ts";
import { eventOf } from "../../dapp/src/pages/parts/retrievals.ts";
import { abis } from "../../keepers/src/chain/abi/index.ts";

/** What happened, one after another, as an index writes it. */
function happened(...events: readonly (readonly [name: string, said?: object])[]): HistoryEvent[] {
  return events.map(([full, said = {}], number) => {
    const [contract, name] = full.split(".") as [string, string];
    const at = String(number + 1);
    return {
      id: at,
      block: at,
      timestamp: at,
      contract,
      name,
      parameters: JSON.stringify(said),
      sender: "0x01",
      transaction: `0x${at}`,
      logIndex: 0,
    };
  });
}

const played = (...names: readonly (readonly [name: string, said?: object])[]) =>
  happened(...names.map(([name, said]) => [`DisputeGame.${name}`, { challengeId: "7", ...said }] as const));

describe("why a job ended", () => {
  it("is said of every end but that of a job that was paid", () => {
    const title = (status: string, reason: string | null = null) => endOf(status, reason, [])?.title;
    assert.equal(title("Failed", "late"), "The provider was late");
    assert.equal(title("Failed", "withheld"), "The provider withheld what it had committed to");
    assert.equal(title("Failed", "convicted"), "The result was wrong");
    assert.equal(title("Void"), "The job is void");
    assert.equal(title("Cancelled"), "The order was cancelled");
    assert.equal(title("Expired"), "Nobody began in time");
    for (const status of ["Open", "Training", "Attested", "Finalised"])
      assert.equal(title(status), undefined);
    assert.match(endOf("Failed", "0x1234", [])!.text, /0x1234/);
  });

  it("tells a provider that let its time run out from one that was found wrong", () => {
    const silent = played(
      ["Challenged"],
      ["Moved", { stage: "3" }],
      ["TimeoutCalled"],
      ["ProviderConvicted"],
    );
    assert.ok(didTimeOut("7", silent));
    assert.equal(endOf("Failed", "convicted", silent)?.title, "The provider did not answer in time");
    const ruled = played(["Challenged"], ["Moved", { stage: "10" }], ["ProviderConvicted"]);
    assert.ok(!didTimeOut("7", ruled));
    assert.equal(endOf("Failed", "convicted", ruled)?.title, "The result was wrong");
    // Called for a move that came in the grace, or for the challenger's own: the rules decided.
    const inTime = played(
      ["Moved", { stage: "3" }],
      ["TimeoutCalled"],
      ["Moved", { stage: "5" }],
      ["ProviderConvicted"],
    );
    assert.ok(!didTimeOut("7", inTime));
    const others = played(["Moved", { stage: "10" }], ["TimeoutCalled"], ["ProviderConvicted"]);
    assert.ok(!didTimeOut("7", others));
    assert.ok(!didTimeOut("8", silent), "another dispute");
  });
});

describe("the life of a job", () => {
  const shown = (...names: readonly string[]) =>
    lifeOf(happened(...names.map((name) => [`JobRegistry.${name}`] as const)), false).map(
      ({ name, kind }) => `${name}: ${kind}`,
    );

  it("takes a match back that came to nothing, until there is another", () => {
    assert.equal(shown("JobOpened", "JobMatched")[1], "Matched: done");
    assert.equal(shown("JobOpened", "JobMatched", "JobUnmatched")[1], "Matched: open");
    assert.equal(shown("JobOpened", "JobMatched", "JobUnmatched", "JobMatched")[1], "Matched: done");
  });

  it("ends as it ended, and has an attestation only where there is a committee", () => {
    assert.deepEqual(shown("JobOpened", "JobMatched", "JobLocked", "JobFailed"), [
      "Opened: done",
      "Matched: done",
      "Training: done",
      "Committed: open",
      "Failed: bad",
    ]);
    assert.equal(shown("JobOpened").at(-1), "Paid and certified: open");
    assert.equal(lifeOf([], true).length, lifeOf([], false).length + 1);
  });
});

describe("the transaction behind what is shown", () => {
  it("is that of the last thing that happened to a bid", () => {
    const provider = "0xAb01";
    const events = happened(
      ["Market.BidCommitted", { provider }],
      ["Market.BidRevealed", { provider: provider.toLowerCase() }],
      ["Market.BidRevealed", { provider: "0xab02" }],
      ["Market.AuctionClosed"],
    );
    assert.equal(lastBidEvent(events, provider)?.transaction, "0x2");
    assert.equal(lastBidEvent(events, "0xab03"), undefined);
  });

  it("is that of a checkpoint's own number", () => {
    const events = happened(
      ["Instalments.CheckpointPosted", { number: "1" }],
      ["Instalments.CheckpointPosted", { number: "2" }],
      ["Instalments.CheckpointClosed", { number: "1" }],
    );
    assert.equal(checkpointEvent(events, "CheckpointPosted", 2)?.transaction, "0x2");
    assert.equal(checkpointEvent(events, "CheckpointClosed", 2), undefined);
  });

  it("is that of a retrieval's own failure, among all of its bundle", () => {
    const failures = ["4", "40"].map((challengeId) => ({
      parameters: JSON.stringify({ challengeId }),
      transaction: `0x${challengeId}`,
    }));
    assert.equal(eventOf("40", failures)?.transaction, "0x40");
    assert.equal(eventOf("5", failures), undefined);
  });

  it("is told in words for events that the contracts have", () => {
    for (const each of Object.keys(eventWords)) {
      const [contract, name] = each.split(".") as [keyof typeof abis, string];
      const found = (abis[contract] as Abi).some((item) => item.type === "event" && item.name === name);
      assert.ok(found, each);
    }
  });
});
