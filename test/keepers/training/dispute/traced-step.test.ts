import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Hex } from "viem";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import { askedIn } from "../../../../keepers/src/training/dispute/asked.ts";
import type { ComputedStep } from "../../../../keepers/src/training/dispute/computed-step.ts";
import { OpenNode } from "../../../../keepers/src/training/dispute/evidence.ts";
import { MemberRun } from "../../../../keepers/src/training/dispute/member-run.ts";
import { type Round, rangesOf, stageOf, stages } from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../../keepers/src/training/dispute/next-move.ts";
import { siblingsOf } from "../../../../keepers/src/training/dispute/nodes.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { referenceExecutor } from "../../../../keepers/src/training/executors/reference.ts";
import type { Executor, TraceSession } from "../../../../keepers/src/training/executors/types.ts";
import { plays } from "../../../contracts/disputes/game/planned.ts";
import { type RecordedPlay, readRecord } from "../../../contracts/disputes/game/recorded.ts";
import { mlpJob } from "../../../contracts/disputes/game/scenes.ts";
import { Job, Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";
import { makesMove } from "./replay.ts";

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

/** A run of a job that is executed again, with the micro-batches that were traced. */
function executed(job: Job, engine: Executor = nativeExecutor) {
  const { program, order } = job;
  const traced = { sessions: 0, microBatches: 0 };
  const executor: Executor = {
    ...engine,
    async openTrace(...args): Promise<TraceSession> {
      const session = await engine.openTrace(...args);
      traced.sessions++;
      return {
        async trace(state, objects) {
          traced.microBatches++;
          return await session.trace(state, objects);
        },
        close: () => session.close(),
      };
    },
  };
  const bytes = new Uint8Array(job.objects.flatMap((object) => [...object]));
  const run = new MemberRun({
    ...{ program, order, executor, leaves: [] },
    source: new MemoryObjects("objects", order.objectBytes, bytes),
    options: { objectBytes: order.objectBytes, microBatches: order.microBatches },
    nearest: async () => ({ step: 0, state: initialState(program, order.seed) }),
  });
  closers.push(() => run.close());
  return { run, traced };
}

const many = (microBatches: number) => {
  const { program, objects } = mlpJob();
  const enough = Array.from({ length: 4 * microBatches }, (_, i) => objects[i % objects.length]!);
  return new Job(program, enough, { microBatches, steps: 2, interval: 2 });
};

const zero: Hex = `0x${"00".repeat(32)}`;
function roundOf(job: Job, stage: (typeof stages)[number], position: Partial<Round["position"]>): Round {
  const fields = ["steps", "place", "level", "index", "leaves", "exponent", "claim", "out", "from", "to"];
  const numbers = Object.fromEntries([...fields, "firstStep", "total"].map((name) => [name, 0n]));
  const hashes = [
    "stateBefore",
    "stateAfter",
    "witnesses",
    "tensors",
    "commitment",
    "descriptor",
    "node",
    "sums",
  ];
  const roots = Object.fromEntries(hashes.map((name) => [name, zero]));
  return {
    stage: stages.indexOf(stage),
    interval: 0n,
    position: { ...numbers, ...roots, ...position } as Round["position"],
    claim: { steps: BigInt(job.order.steps) } as Round["claim"],
  };
}

const plain = ({ layout, exponent, mantissas }: Tensor) => ({ layout, exponent, mantissas: [...mantissas] });

describe("a step of many micro-batches that is executed again", () => {
  const microBatches = 16;
  const job = many(microBatches);
  const { program } = job;
  const [tape] = program.tapes;
  const told = runOf(new Story(job));
  const step = 1;

  it("has the list of the step whose tensors are all in memory, and computes it once", async () => {
    const { run, traced } = executed(job);
    const [found, expected] = [await run.step(step), await told.step(step)];
    assert.deepEqual([...found.list.commitments], [...expected.list.commitments]);
    assert.deepEqual(found.list.tree.root, expected.list.tree.root);
    assert.deepEqual([...found.places], [...expected.places]);
    assert.equal(await run.step(step), found);
    assert.deepEqual(traced, { sessions: 1, microBatches });
    const ends = microBatches * tape.length;
    assert.deepEqual(found.tensors.slice(ends).map(plain), expected.tensors.slice(ends).map(plain));
    const changed = new Map([[ends, { ...expected.tensors[ends]!, exponent: 5 }]]);
    const [mine, theirs] = [found.with(changed), expected.with(changed)];
    assert.equal(mine.tensors[ends], changed.get(ends));
    assert.deepEqual(mine.list.tree.root, theirs.list.tree.root);
    assert.notDeepEqual(mine.list.tree.root, found.list.tree.root);
  });

  it("keeps no tensors of a micro-batch that nothing asks about, and says so where one is read", async () => {
    const { run } = executed(job);
    const found = await run.step(step);
    const { layout, exponent } = (await told.step(step)).tensors[7]!;
    assert.deepEqual([found.tensors[7]!.layout, found.tensors[7]!.exponent], [layout, exponent]);
    assert.throws(() => found.tensors[7]!.mantissas[0], {
      name: "RunEvidenceError",
      message: /micro-batch 0 of step 1 are not at hand/,
    });
    assert.throws(() => found.tree(7), { name: "RunEvidenceError" });
  });

  it("computes the one micro-batch again that a move asks about, and keeps what the newest moves asked about", async () => {
    const { run, traced } = executed(job);
    const about = async (microBatch: number) => await run.step(step, { kind: "micro-batch", microBatch });
    const third = await about(3);
    assert.deepEqual(traced, { sessions: 1, microBatches });
    const fifth = await about(5);
    assert.deepEqual(traced, { sessions: 2, microBatches: microBatches + 1 });
    assert.equal(await about(3), third);
    assert.equal(await about(5), fifth);
    await about(6);
    assert.notEqual(await about(3), third);
    assert.deepEqual(traced, { sessions: 4, microBatches: microBatches + 3 });
    const expected = await told.step(step);
    for (const node of tape.keys()) {
      const number = fifth.numberOf(0, node, 5);
      assert.deepEqual(plain(fifth.tensors[number]!), plain(expected.tensors[number]!));
    }
    assert.equal(third.list, fifth.list);
  });

  it("makes every move of a provider as one that has all tensors in memory", async () => {
    const { run } = executed(job);
    const expected = await told.step(step);
    const list = {
      firstStep: BigInt(step),
      level: BigInt(expected.list.tree.depth),
      leaves: BigInt(expected.places.length),
    };
    const rounds = [
      roundOf(job, "Tensors", list),
      roundOf(job, "TensorNodes", { ...list, level: 4n, index: 3n }),
    ];
    for (let number = 2; number < expected.places.length; number += 29) {
      const tree = expected.tree(number);
      const about = { firstStep: BigInt(step), place: BigInt(number), leaves: BigInt(tree.geometry.leaves) };
      rounds.push(
        roundOf(job, "Hashes", about),
        roundOf(job, "HashNodes", about),
        roundOf(job, "OpenLeaf", { ...about, index: BigInt(tree.geometry.leaves - 1) }),
        roundOf(job, "Link", about),
        roundOf(job, "Witness", about),
      );
      const { products, isNarrowed } = new OpenNode(expected, number, () => []);
      if (isNarrowed) rounds.push(roundOf(job, "Sums", { ...about, out: 1n, to: BigInt(products) }));
    }
    const mean = expected.numberOf(1, 0);
    const sums = { firstStep: BigInt(step), place: BigInt(mean), out: 4n };
    rounds.push(
      roundOf(job, "Sums", { ...sums, to: BigInt(microBatches) }),
      roundOf(job, "Sums", { ...sums, from: 5n, to: 9n }),
    );
    const seen = new Map<string, number>();
    for (const round of rounds) {
      const [made, right] = [
        await nextMove({ role: "provider", run }, round).catch((error: Error) => error.name),
        await nextMove({ role: "provider", run: told }, round).catch((error: Error) => error.name),
      ];
      // Of an ACCUMULATE no exponent is defended, and nobody has anything to say.
      assert.deepEqual(made, right, `${stageOf(round)} of ${round.position.place}`);
      if (typeof made === "object") seen.set(stageOf(round), (seen.get(stageOf(round)) ?? 0) + 1);
    }
    assert.deepEqual([...seen.keys()].sort(), [
      "HashNodes",
      "Hashes",
      "Link",
      "OpenLeaf",
      "Sums",
      "TensorNodes",
      "Tensors",
      "Witness",
    ]);
  });

  it("opens every kind of element with the same bytes as one that has all tensors in memory", async () => {
    const { run } = executed(job);
    const expected = await told.step(step);
    const proofsIn = (computed: ComputedStep) => (place: number) => siblingsOf(computed.list.tree, place);
    let opened = 0;
    for (const number of expected.places.keys()) {
      const { microBatch } = expected.places[number]!;
      if (microBatch !== 0 && microBatch !== microBatches - 2) continue;
      const right = new OpenNode(expected, number, proofsIn(expected));
      const { products, node } = right;
      const out = 2 % node.output.shape.reduce((product, length) => product * length, 1);
      const about = {
        firstStep: BigInt(step),
        place: BigInt(number),
        out: BigInt(out),
        to: BigInt(products),
      };
      for (const stage of ["Element", "Sum"] as const) {
        if (stage === "Sum" && products === 0) continue;
        const leaf = expected.tree(number).geometry.locate(out).leaf;
        const asked = askedIn(program, microBatches, roundOf(job, stage, { ...about, index: BigInt(leaf) }));
        const mine = await run.step(step, asked);
        const found = new OpenNode(mine, number, proofsIn(mine));
        if (["INPUT", "LOAD"].includes(node.opcode)) continue;
        if (stage === "Element") assert.deepEqual(found.whole(out), right.whole(out));
        else {
          for (const range of rangesOf({ from: 0, to: products })) {
            assert.equal(found.sum(out, range), right.sum(out, range));
            assert.deepEqual(found.range(out, range), right.range(out, range));
          }
          assert.deepEqual(found.rest(out), right.rest(out));
        }
        opened++;
      }
    }
    assert.ok(opened > 2 * tape.length, `${opened}`);
  });

  it("stops between two micro-batches once it is no longer wanted", async () => {
    const stop = new AbortController();
    let traced = 0;
    const executor: Executor = {
      ...nativeExecutor,
      async openTrace(...args) {
        const session = await nativeExecutor.openTrace(...args);
        return {
          async trace(...given) {
            if (++traced === 3) stop.abort(new Error("not wanted"));
            return await session.trace(...given);
          },
          close: () => session.close(),
        };
      },
    };
    const { order } = job;
    const run = new MemberRun({
      ...{ program, order, executor, leaves: [], signal: stop.signal },
      source: new MemoryObjects(
        "objects",
        order.objectBytes,
        new Uint8Array(job.objects.flatMap((each) => [...each])),
      ),
      options: { objectBytes: order.objectBytes, microBatches },
      nearest: async () => ({ step: 0, state: initialState(program, order.seed) }),
    });
    closers.push(() => run.close());
    await assert.rejects(run.step(0), /not wanted/);
    assert.equal(traced, 3);
  });
});

describe("a mean over 1,024 micro-batches, executed again", () => {
  it("is disputed with the moves that convicted on a chain", async () => {
    const name = "a mean over 1,024 micro-batches of which a part is wrong twice";
    const recorded: RecordedPlay[] = readRecord("dispute-plays");
    const { moves } = recorded.find(({ play }) => play === name)!;
    const { honest, claimed, options } = await plays[name]!();
    const { run, traced } = executed(honest.job, referenceExecutor);
    for (const move of moves.filter(({ isPicked }) => !isPicked)) {
      await makesMove(move, { own: run, claimed, sample: options.sample });
    }
    assert.ok(traced.microBatches >= 1_024);
  });
});

describe("the memory of a step that is executed again", () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  /** What an engine has let go of is freed a turn later. */
  async function collect(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      gc();
      await setImmediate();
    }
  }

  async function keptOf(microBatches: number): Promise<{ heap: number; outside: number; count: number }> {
    const { run } = executed(many(microBatches));
    // What is loaded once is not what a micro-batch takes.
    await run.state(0);
    await collect();
    const before = process.memoryUsage();
    const step = await run.step(0);
    step.list.tree.root;
    await collect();
    const now = process.memoryUsage();
    const count = step.tensors.length;
    return {
      heap: now.heapUsed - before.heapUsed,
      outside: now.arrayBuffers - before.arrayBuffers,
      count,
    };
  }

  it("attack: is that of the commitments, however many micro-batches whoever ordered the job chose", async () => {
    await keptOf(16);
    const [few, lots] = [await keptOf(64), await keptOf(1_024)];
    const tensors = lots.count - few.count;
    const [heap, outside] = [(lots.heap - few.heap) / tensors, (lots.outside - few.outside) / tensors];
    assert.ok(heap < 10, `${heap} bytes of the heap for each tensor`);
    assert.ok(outside < 80, `${outside} bytes outside the heap for each tensor`);
    assert.ok(outside > 60, "nothing was measured");
  });
});
