/** What peers that are registered leave to each other, and to strangers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { guaranteedTo, guaranteedToEach } from "../../../../keepers/src/storage/transport/guarantees.ts";
import {
  PeerLimits,
  type PeerLimitsParameters,
  shareOfThread,
} from "../../../../keepers/src/storage/transport/peer-limits.ts";

/** Limits under a clock of the test's own, and what was answered under it. */
function limitsOf(parameters: PeerLimitsParameters) {
  let time = 0;
  let answered = 0;
  const limits = new PeerLimits({ inAll: shareOfThread, now: () => time, ...parameters });
  const ask = (peer: string, cost: number): boolean => {
    if (limits.begin(peer, cost) !== "ok") return false;
    limits.end(peer);
    answered += cost;
    return true;
  };
  return {
    ask,
    /** As much as a peer may have answered, each of it so short that others are kept out. */
    askAll: (peer: string, most = 4) => {
      for (let i = 0; i < most; i++) if (!ask(peer, 5)) return;
    },
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
    /** Tenths of a millisecond of all answers. */
    answered: () => answered,
    seconds: () => time / 1000,
  };
}

const isEnrolled = (peer: string) => !peer.startsWith("stranger");
const ofMember = { burst: 2_000, perSecond: 400, concurrent: 4, isRegistered: isEnrolled };

describe("peers that are registered", () => {
  for (const colluders of [10, 64, 200]) {
    it(`attack: ${colluders} of them that ask without end keep no other one's signature from being given`, () => {
      const limits = limitsOf({ ...ofMember, guarantees: [guaranteedTo(isEnrolled)] });
      // A statement of 64 members with two digests each, and how often one peer may ask for it whatever others do.
      const price = 73;
      const every = (price / guaranteedToEach.perSecond) * Math.max(1, (colluders + 1) / 64) * 1.1;
      let [given, asked, next] = [0, 0, 5];
      while (limits.seconds() < 120) {
        limits.pass(20);
        for (let peer = 0; peer < colluders; peer++) limits.askAll(`enrolled ${peer}`);
        if (limits.seconds() < next) continue;
        next += every;
        asked++;
        if (limits.ask("honest", price)) given++;
      }
      assert.ok(asked >= 9, `asked ${asked} times`);
      assert.equal(given, asked);
    });
  }

  it("attack: take no more of the thread by what each of them is guaranteed, however many there are", () => {
    const limits = limitsOf({ ...ofMember, guarantees: [guaranteedTo(isEnrolled)] });
    // As many as cost 100,000 tokens, and strangers beside them.
    const [peers, seconds] = [1_000, 60];
    while (limits.seconds() < seconds) {
      for (let peer = 0; peer < peers; peer++) limits.askAll(`enrolled ${peer}`);
      for (let peer = 0; peer < 100; peer++) limits.askAll(`stranger ${limits.seconds()} ${peer}`, 40);
      limits.pass(250);
    }
    const { burst, perSecond } = shareOfThread;
    const atOnce = 2 * burst + peers * guaranteedToEach.burst;
    const most = atOnce + seconds * perSecond;
    assert.ok(limits.answered() <= most, `${limits.answered()} of ${most}`);
    const { perSecond: each, holders } = guaranteedToEach;
    assert.ok(each * holders < perSecond / 3, "a whole committee has less than a third of it");
  });

  it("attack: are guaranteed no more for going and coming back, or for the many peers of an account", () => {
    const limits = limitsOf({
      isRegistered: isEnrolled,
      guarantees: [{ ...guaranteedToEach, of: (peer) => peer.split("/")[1] }],
    });
    for (let peer = 0; peer < 2; peer++) for (let i = 0; i < 50; i++) limits.ask(`greedy ${peer}`, 50);
    let answered = 0;
    for (let peer = 0; peer < 100; peer++) if (limits.ask(`${peer}/account`, 50)) answered++;
    assert.equal(answered, 4);
    limits.pass(2_500);
    for (let i = 0; i < 200; i++) limits.ask(`greedy ${2 + (i % 8)}`, 50);
    for (let peer = 0; peer < 100; peer++) if (limits.ask(`${peer}/account`, 50)) answered++;
    assert.equal(answered, 5, "what came back in two seconds and a half");
  });

  it("may have something answered that costs more than is guaranteed at once, and make up for it by time", () => {
    const limits = limitsOf({ isRegistered: isEnrolled, guarantees: [guaranteedTo((peer) => peer === "a")] });
    const drain = () => {
      for (let peer = 0; peer < 10; peer++) for (let i = 0; i < 40; i++) limits.ask(`greedy ${peer}`, 100);
    };
    drain();
    assert.ok(limits.ask("a", 1_000));
    limits.pass(40_000);
    drain();
    assert.ok(!limits.ask("a", 5), "its debt of 800 is paid off after 40 s");
    limits.pass(10_500);
    drain();
    assert.ok(limits.ask("a", 1_000));
  });

  it("attack: four of them that ask a storage node without end leave strangers their half, and others what they are guaranteed", () => {
    const limits = limitsOf({ isRegistered: isEnrolled, guarantees: [guaranteedTo(isEnrolled)] });
    const [offer, seconds] = [430, 60];
    let [offers, repairs, second] = [0, 0, 0];
    while (second < seconds) {
      limits.pass(5);
      for (let peer = 0; peer < 4; peer++) limits.askAll(`operator ${peer}`, 8);
      if (limits.seconds() < second) continue;
      second++;
      for (let client = 0; client < 4; client++)
        if (limits.ask(`stranger ${second} ${client}`, offer)) offers++;
      if (limits.ask("another operator", 20)) repairs++;
    }
    assert.equal(offers, 4 * seconds, "2,000 each second are for strangers");
    assert.equal(repairs, seconds);
    const most = seconds * shareOfThread.perSecond + 2 * shareOfThread.burst + 5 * guaranteedToEach.burst;
    assert.ok(limits.answered() <= most, `${limits.answered()} of ${most}`);
  });
});
