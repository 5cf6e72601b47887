import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Phase, phaseOf, type Standing } from "../../dapp/src/pages/parts/phase.ts";

const day = 86_400n;
const standing: Standing = {
  deadline: 0n,
  graceEnds: 0n,
  expiry: 1_000n,
  challengeUntil: 0n,
  verdict: "none",
  mostPending: 30n * day,
  disputes: 0,
};
const auction = { commitUntil: 100n, revealUntil: 200n, isClosed: false };

/** The phase of a job at a second. */
function phase(status: string, now: bigint, also: Partial<Parameters<typeof phaseOf>[0]> = {}): Phase {
  const facts = { status, standing, auction: null, bids: { made: 0, hidden: 0 }, now, ...also };
  return phaseOf(facts)!;
}

describe("the phase of a job", () => {
  it("goes from sealed bids to opened ones and to the one that wins", () => {
    const bids = { made: 2, hidden: 2 };
    const sealed = phase("Open", 100n, { auction, bids });
    assert.deepEqual([sealed.what, sealed.until], ["Sealed bids are taken", 100n]);
    assert.match(sealed.next, /^2 bids have come in\.$/);
    const opened = phase("Open", 101n, { auction, bids: { made: 2, hidden: 1 } });
    assert.deepEqual([opened.what, opened.until], ["Bids are opened", 200n]);
    assert.match(opened.next, /One is open/);
    const late = phase("Open", 201n, { auction, bids: { made: 2, hidden: 1 } });
    assert.deepEqual([late.what, late.until], ["Sealed bids are late", undefined]);
    assert.match(late.next, /lowest of the open ones wins/);
    assert.match(phase("Open", 201n, { auction, bids }).next, /the money is back/);
    assert.equal(phase("Open", 201n, { auction, bids: { made: 2, hidden: 0 } }).what, "The bids are open");
  });

  it("says so when nobody has bid, and when the order is too old to be taken", () => {
    const none = phase("Open", 101n, { auction });
    assert.deepEqual([none.what, none.until], ["Nobody has bid that can be taken", undefined]);
    assert.match(none.next, /the money is back/);
    const bids = { made: 1, hidden: 0 };
    assert.equal(phase("Open", 1_001n, { auction, bids }).what, "Nobody took the order in time");
    assert.equal(phase("Open", 1_000n).until, 1_000n);
    assert.equal(phase("Open", 1_001n).until, undefined);
  });

  it("waits again for a provider when the auction over a job is closed", () => {
    const closed = phase("Open", 300n, { auction: { ...auction, isClosed: true } });
    assert.deepEqual([closed.what, closed.until], ["Waiting for a provider", 1_000n]);
  });

  it("counts a match to the end of the time to lock, not to that of the order", () => {
    const matched = { standing: { ...standing, deadline: 400n } };
    assert.equal(phase("Matched", 400n, matched).until, 400n);
    assert.match(phase("Matched", 401n, matched).next, /call time on the chain/);
    const called = { standing: { ...standing, deadline: 400n, graceEnds: 500n } };
    assert.deepEqual(
      [phase("Matched", 500n, called).until, phase("Matched", 501n, called).until],
      [500n, undefined],
    );
    assert.match(phase("Matched", 501n, called).next, /others can have it/);
    assert.match(phase("Matched", 1_001n, called).next, /the money is back/);
  });

  it("gives whoever is late the grace, and says what comes after it", () => {
    const called = { standing: { ...standing, deadline: 500n, challengeUntil: 500n, graceEnds: 600n } };
    assert.deepEqual(
      [phase("Training", 600n, called).until, phase("Committed", 600n, called).until],
      [600n, 600n],
    );
    assert.match(phase("Training", 601n, called).next, /it pays/);
    assert.match(phase("Committed", 601n, called).next, /the provider is paid/);
  });

  it("says that a provider is late as soon as it is", () => {
    const training = { standing: { ...standing, deadline: 500n } };
    assert.equal(phase("Training", 500n, training).until, 500n);
    assert.deepEqual(
      [phase("Training", 501n, training).what, phase("Training", 501n, training).until],
      ["The provider is late", undefined],
    );
  });

  it("does not call the bound of a committee's work a window for disputes", () => {
    const committee = (verdict: Standing["verdict"], disputes = 0) => ({
      standing: { ...standing, challengeUntil: 700n + 30n * day, verdict, disputes },
    });
    const works = phase("Committed", 600n, committee("pending"));
    assert.equal(works.what, "A committee checks the result");
    // A committee that will not decide any more leaves the window alone.
    const silent = phase("Committed", 600n, committee("silent"));
    assert.deepEqual([silent.what, silent.until], ["Anyone may dispute the result", 700n]);
    assert.match(silent.next, /^The committee did not come together\./);
    assert.equal(phase("Committed", 701n, committee("silent")).what, "The time for disputes is over");
    const attested = { standing: { ...standing, challengeUntil: 650n, verdict: "attested" as const } };
    assert.deepEqual(phase("Attested", 600n, attested).until, 650n);
    assert.equal(phase("Attested", 651n, attested).until, undefined);
  });

  it("tells a dispute that is being played from the time in which one can begin", () => {
    const disputed = (disputes: number) => ({ standing: { ...standing, challengeUntil: 700n, disputes } });
    assert.equal(phase("Committed", 600n, disputed(0)).what, "Anyone may dispute the result");
    assert.equal(phase("Committed", 600n, disputed(1)).what, "A dispute is being played");
    assert.equal(phase("Attested", 900n, disputed(2)).what, "2 disputes are being played");
  });

  it("is none when the job is over", () => {
    for (const status of ["Finalised", "Failed", "Void", "Cancelled", "Expired"])
      assert.equal(
        phaseOf({ status, standing, auction: null, bids: { made: 0, hidden: 0 }, now: 1n }),
        undefined,
      );
  });
});
