import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Board, type Chunk, mostSeen } from "../../../../keepers/src/training/cluster/board.ts";
import { lossShare, mostCredit, Pace } from "../../../../keepers/src/training/cluster/pace.ts";
import { Rests, restTurns } from "../../../../keepers/src/training/cluster/rests.ts";

const chunks = 8;
const patience = 2_000;

/** What workers do at a moment of a step. */
type Crowd = (scene: { board: Board; time: number; limit: number; step: number }) => void;

/** Steps of a provider that needs `own` milliseconds for a chunk, beside these workers; the clock is the test's own. */
function simulate(own: number, steps: number, crowd: Crowd, isDrawn = true) {
  let time = 0;
  const now = () => time;
  const pace = new Pace({ now, patience, ownStep: own * chunks });
  const board = new Board({ now, patience, pace, copies: 1 });
  const tick = Math.max(1, own / 10);
  const taken: number[] = [];
  let computed = 0;
  for (let step = 0; step < steps; step++) {
    const began = time;
    pace.begin(chunks);
    board.begin(chunks);
    const look = () => crowd({ board, time, limit: pace.limit, step });
    const pass = (until: number) => {
      while (time < until) {
        time = Math.min(until, time + tick);
        look();
      }
    };
    look();
    while (!board.isDone) {
      const chunk = board.orphan(() => isDrawn, false);
      if (chunk === undefined) {
        pass(time + tick);
        continue;
      }
      chunk.isOwn = true;
      computed++;
      pass(time + own);
      pace.computed(own);
      if (!chunk.done) board.settle(chunk);
    }
    pace.end();
    taken.push(time - began);
  }
  return { taken, total: time, alone: own * chunks * steps, computed };
}

const deliver = (board: Board, chunk: Chunk, worker: string) =>
  board.arrived(chunk, worker, { digest: "right", bytes: new Uint8Array() });

/** A stranger that brings each result when this many limits have passed. */
function late(limits: number): Crowd {
  let held: { chunk: Chunk; at: number } | undefined;
  return ({ board, time, limit }) => {
    const worker = "account/peer";
    if (held?.chunk.done) held = undefined;
    if (held === undefined) {
      const chunk = board.take(worker);
      if (chunk !== undefined) held = { chunk, at: time };
    } else if (time - held.at >= limits * limit && board.find(held.chunk.id, worker) !== undefined) {
      deliver(board, held.chunk, worker);
      held = undefined;
    } else board.greet(worker);
  };
}

let names = 0;
/** A worker that nobody knows, and that was given a chunk; undefined when there is none to be had. */
function newcomer(board: Board): string | undefined {
  const worker = `account${++names}/peer${names}`;
  if (board.take(worker) !== undefined) return worker;
  board.leave(worker);
  return undefined;
}

const attacks: Record<string, () => Crowd> = {
  "takes a chunk of each step and never brings it": () => late(Number.POSITIVE_INFINITY),
  "brings what is right just before it is late": () => late(0.95),
  "brings what is right when it is almost twice too late": () => late(1.9),
  "takes every chunk under a new name": () => {
    return ({ board }) => {
      while (newcomer(board) !== undefined);
    };
  },
  "takes every chunk under a new name, and leaves for another before it is late": () => {
    const held: { worker: string; at: number }[] = [];
    return ({ board, time, limit }) => {
      while (held.length > 0 && time - held[0]!.at > 0.9 * limit) board.leave(held.shift()!.worker);
      for (;;) {
        const worker = newcomer(board);
        if (worker === undefined) break;
        held.push({ worker, at: time });
      }
    };
  },
  "is there and takes nothing": () => {
    return ({ board }) => board.greet("account/peer");
  },
};

/** So many workers that take a fifth longer than the provider, with all that is between them. */
function honest(count: number, own: number): Crowd {
  const held = new Map<string, { chunk: Chunk; at: number }>();
  return ({ board, time }) => {
    for (let i = 0; i < count; i++) {
      const worker = `honest${i}/peer${i}`;
      const mine = held.get(worker);
      if (mine !== undefined && time - mine.at < 1.2 * own) continue;
      if (mine !== undefined && board.find(mine.chunk.id, worker) !== undefined && !mine.chunk.done) {
        deliver(board, mine.chunk, worker);
        board.settle(mine.chunk);
      }
      const chunk = board.take(worker);
      if (chunk === undefined) held.delete(worker);
      else held.set(worker, { chunk, at: time });
    }
  };
}

describe("the time of a provider", () => {
  for (const [what, attack] of Object.entries(attacks)) {
    for (const own of [2, 100, 60_000]) {
      it(`attack: is its own and a quarter, with chunks of ${own} ms, whoever ${what}`, () => {
        const { taken, total, alone } = simulate(own, 400, attack());
        // The step in which credit ends is made to its end.
        const step = own * chunks;
        assert.ok(total <= (1 + lossShare) * alone + mostCredit + step, `${total} ms, ${alone} ms alone`);
        const longest = Math.max(...taken);
        assert.ok(longest <= 2 * step + mostCredit + own, `${longest} ms for a step`);
      });
    }
  }

  it("attack: is spent on the chunks that nobody has while a stranger holds one of them", () => {
    const own = 1_000;
    const { taken } = simulate(own, 1, late(Number.POSITIVE_INFINITY));
    // It begins after two of its own times without a result; the chunk that is held is late by then.
    assert.ok(taken[0]! <= (2 + chunks + 1) * own, `${taken[0]} ms`);
  });

  it("attack: is all its own again once a stranger was late three times", () => {
    const { taken } = simulate(1_000, 40, late(Number.POSITIVE_INFINITY));
    const held = taken.filter((time) => time > 1_000 * chunks + 1);
    assert.ok(held.length >= 3 && held.length <= 6, `${held.length} steps were held up`);
  });

  for (const count of [1, 2, 4, 8]) {
    it(`is spent on nothing that ${count} workers of its own speed can do`, () => {
      for (const own of [20, 1_000]) {
        const { total, alone, computed } = simulate(own, 50, honest(count, own), false);
        assert.equal(computed, 0);
        assert.ok(total <= (1.5 * alone) / count, `${total} ms, ${alone} ms alone`);
      }
    });
  }

  it("attack: is a quarter less at least with four honest workers, also beside strangers that hold a chunk each under new names", () => {
    const own = 1_000;
    for (const strangers of [1, 2]) {
      const workers = honest(4, own);
      let last = -1;
      const crowd: Crowd = (scene) => {
        for (let i = 0; i < strangers && scene.step !== last; i++) newcomer(scene.board);
        last = scene.step;
        workers(scene);
      };
      const { total, alone } = simulate(own, 100, crowd, false);
      assert.ok(total <= 0.75 * alone, `${total} ms, ${alone} ms alone`);
    }
  });
});

describe("the limit of a chunk", () => {
  const paceOf = (ownStep?: number) => {
    const pace = new Pace({ now: () => 0, patience, ownStep });
    pace.begin(chunks);
    return pace;
  };

  it("is at most half of what the provider takes for the whole step, however long workers take", () => {
    const pace = paceOf(80_000);
    assert.equal(pace.limit, 40_000);
    for (let i = 0; i < 1_000; i++) pace.delivered("slow", 1_000_000);
    assert.equal(pace.limit, 40_000);
  });

  it("attack: is raised by no worker once there is a quick one", () => {
    const pace = paceOf(80_000);
    pace.delivered("quick", 8_000);
    assert.equal(pace.limit, 24_000);
    for (let i = 0; i < 1_000; i++) pace.delivered("slow", 39_000);
    assert.equal(pace.limit, 24_000);
  });

  it("attack: is never less than twice what the provider takes, however quick others are", () => {
    const pace = paceOf(80_000);
    pace.delivered("quick", 1);
    assert.equal(pace.limit, 20_000);
    pace.forget("quick");
    assert.equal(pace.limit, 40_000);
  });

  it("follows what the provider takes for what it computes", () => {
    const pace = paceOf();
    assert.equal(pace.limit, patience);
    pace.computed(10_000);
    assert.equal(pace.limit, 40_000);
    assert.equal(pace.ownStep, 80_000);
  });
});

describe("a worker that is late", () => {
  it("three times gets nothing for a while, under any peer id of its account, and others do", () => {
    let time = 0;
    const rests = new Rests(() => time);
    rests.missed("alice/a", 500);
    rests.missed("alice/b", 500);
    assert.equal(rests.rests("alice/a"), false);
    rests.missed("alice/a", 500);
    assert.deepEqual(
      ["alice/a", "alice/c", "bob/c"].map((worker) => rests.rests(worker)),
      [true, true, false],
    );
    time = restTurns * 500 + 1;
    assert.equal(rests.rests("alice/a"), false);
  });

  it("makes up for one late result with four in time", () => {
    const rests = new Rests(() => 0);
    for (let i = 0; i < 20; i++) {
      rests.missed("alice/a", 500);
      for (let j = 0; j < 4; j++) rests.kept("alice/a");
      assert.equal(rests.rests("alice/a"), false);
    }
    for (let i = 0; i < 4; i++) {
      rests.missed("alice/a", 500);
      rests.kept("alice/a");
    }
    assert.equal(rests.rests("alice/a"), true);
  });
});

describe("a board", () => {
  it("attack: remembers a bounded number of workers that never say that they go, and those that are there", () => {
    const now = () => 0;
    const board = new Board({ now, patience, pace: new Pace({ now, patience }), copies: 2 });
    board.begin(1);
    const chunk = board.take("alice/a")!;
    deliver(board, chunk, "alice/a");
    // All under the account that has brought it, and cannot bring it once more.
    const flood = (isThere: boolean) => {
      for (let name = 0; name < 10 * mostSeen; name++) {
        board.greet(`alice/peer${name}`);
        if (isThere && name % 100 === 0) board.greet("bob/b");
      }
      assert.equal(board.remembered, mostSeen);
      return board.orphan(() => false, false);
    };
    assert.equal(flood(true), undefined, "another that asks again and again may complete it");
    assert.equal(flood(false), chunk, "nobody else is left to complete it");
  });
});
