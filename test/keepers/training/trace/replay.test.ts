import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor, TrainingSession } from "../../../../keepers/src/training/executors/types.ts";
import { describePlace, nodeAt } from "../../../../keepers/src/training/trace/place.ts";
import { type IntervalReplay, replay } from "../../../../keepers/src/training/trace/replay.ts";
import type { RunFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { digits, newRun, options } from "../trainer/fixture.ts";
import { cheating, dishonest, type Flip } from "./dishonest.ts";

async function trained(run: RunFolder, executor: Executor = nativeExecutor, every = 1): Promise<RunFolder> {
  const session = await executor.open(run.program, options);
  await train({ run, session, source: digits.source, checkpoint: { every } });
  await session.close();
  return run;
}

async function replayed(
  run: RunFolder,
  range: { first?: number; end?: number } = {},
): Promise<IntervalReplay[]> {
  const found: IntervalReplay[] = [];
  const { source } = digits;
  for await (const interval of replay({ run, executor: nativeExecutor, options, source, ...range }))
    found.push(interval);
  return found;
}

describe("replaying a run", () => {
  it("finds every interval of an honest one right, from the start or from a checkpoint", async () => {
    const run = await trained(await newRun({ steps: 44, interval: 8 }), nativeExecutor, 16);
    const all = await replayed(run);
    assert.deepEqual(
      all.map(({ interval, steps, matches }) => [interval, steps, matches]),
      [
        [0, 8, true],
        [1, 8, true],
        [2, 8, true],
        [3, 8, true],
        [4, 8, true],
        [5, 4, true],
      ],
    );
    assert.deepEqual(
      (await replayed(run, { first: 3, end: 4 })).map(({ interval, matches }) => [interval, matches]),
      [[3, true]],
    );
    await assert.rejects(replayed(run, { first: 6, end: 7 }), { name: "TraceError" });
  });

  it("refuses data of another length, which may have the same root", async () => {
    const run = await trained(await newRun({ steps: 2, interval: 2 }));
    const source = { ...digits.source, count: 1798, objectBytes: 65, read: digits.source.read };
    const intervals = replay({ run, executor: nativeExecutor, options, source });
    await assert.rejects(intervals.next(), { name: "TraceError", message: /1798 objects of 65 bytes/ });
  });

  it("reads the objects of an interval piece by piece, not all at once", async () => {
    const objectBytes = 2 ** 20;
    const run = await newRun({ steps: 5, interval: 5, objectBytes });
    let largest = 0;
    const source = {
      name: "large digits",
      count: digits.source.count,
      objectBytes,
      async read(indices: ArrayLike<number>) {
        const short = await digits.source.read(indices);
        const objects = new Uint8Array(indices.length * objectBytes);
        for (let i = 0; i < indices.length; i++)
          objects.set(short.subarray(65 * i, 65 * (i + 1)), i * objectBytes);
        return objects;
      },
      close: async () => undefined,
    };
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, given) {
        const session = await nativeExecutor.open(program, given);
        const run: TrainingSession["run"] = (inputs) => {
          largest = Math.max(largest, inputs.length);
          return session.run(inputs);
        };
        return { ...session, run };
      },
    };
    const session = await nativeExecutor.open(run.program, { ...options, objectBytes });
    await train({ run, session, source, checkpoint: { every: 5 } });
    await session.close();
    const found: IntervalReplay[] = [];
    for await (const interval of replay({ run, executor, options: { ...options, objectBytes }, source }))
      found.push(interval);
    assert.deepEqual(
      found.map(({ steps, matches }) => [steps, matches]),
      [[5, true]],
    );
    assert.equal(largest, 2, "16 objects of 1 MiB in a step, 32 MiB at a time");
  });

  const flip: Flip = { afterStep: 5, slot: 0, element: 101, bit: 13 };

  it("names step, node and element of one flipped bit in one weight", async () => {
    const run = await trained(await newRun({ steps: 12, interval: 1 }), dishonest(nativeExecutor, flip));
    const found = await replayed(run);
    assert.deepEqual(
      found.map(({ matches }) => matches),
      [true, true, true, true, true, false],
    );
    const { interval, difference } = found.at(-1)!;
    assert.equal(interval, 5);
    assert.deepEqual([difference?.firstStep, difference?.lastStep], [5, 5]);
    const { place, element, slot, claimed, right, judgement } = difference!.element!;
    assert.equal(nodeAt(run.program, place).opcode, "SGD_WEIGHT");
    assert.equal(place.tape, 2);
    assert.equal(element, 101);
    assert.equal(slot, run.program.state[0]!.name);
    assert.equal(claimed.mantissa ^ right.mantissa, 1 << 13);
    assert.equal(judgement.right, false);
    assert.equal(judgement.expected.mantissa, BigInt(right.mantissa));
    assert.match(describePlace(run.program, place), /optimiser tape, node \d+ \(SGD_WEIGHT\)/);
  });

  it("names a flipped bit of a momentum as well", async () => {
    const slot = 6;
    const run = await trained(
      await newRun({ steps: 9, interval: 1 }),
      dishonest(nativeExecutor, { afterStep: 8, slot, element: 3, bit: 0 }),
    );
    assert.equal(run.program.state[slot]!.role, "momentum");
    const { difference } = (await replayed(run)).at(-1)!;
    assert.equal(difference?.firstStep, 8);
    assert.equal(difference.element?.element, 3);
    assert.equal(nodeAt(run.program, difference.element.place).opcode, "SGD_MOMENTUM");
    assert.equal(difference.element.judgement.right, false);
  });

  const at = 4;
  const cheats: [string, Parameters<typeof cheating>[1], string][] = [
    ["leaves a step out", (input, step) => (step === at ? undefined : input), "SGD_MOMENTUM"],
    [
      "takes a learning rate that the order does not name",
      (input, step) => (step === at ? { ...input, learningRate: input.learningRate + 1 } : input),
      "SGD_WEIGHT",
    ],
    [
      "takes its samples in another order of micro-batches and rows",
      (input, step) => (step === at ? { ...input, objects: rotated(input.objects) } : input),
      "",
    ],
    [
      "trains on one sample that is not in the batch",
      (input, step) =>
        step === at ? { ...input, objects: input.objects.with(20, 16 - input.objects[20]!) } : input,
      "SGD_MOMENTUM",
    ],
  ];
  for (const [what, tamper, opcode] of cheats) {
    it(`sees a worker who ${what}`, async () => {
      const run = await trained(await newRun({ steps: 8, interval: 1 }), cheating(nativeExecutor, tamper));
      const { interval, matches, difference } = (await replayed(run)).at(-1)!;
      assert.deepEqual([interval, matches], [at, false]);
      if (opcode === "") return;
      assert.equal(nodeAt(run.program, difference!.element!.place).opcode, opcode);
      assert.equal(difference!.element!.judgement.right, false);
    });
  }

  it("narrows the steps by the witnesses where an interval has several and keeps no state between", async () => {
    const run = await trained(
      await newRun({ steps: 32, interval: 8 }),
      dishonest(nativeExecutor, { afterStep: 19, slot: 3, element: 0, bit: 26 }),
      32,
    );
    const found = await replayed(run);
    assert.deepEqual(
      found.map(({ matches }) => matches),
      [true, true, false],
    );
    const { difference } = found.at(-1)!;
    assert.equal(difference?.firstStep, 16);
    assert.equal(difference.lastStep, 20);
    assert.equal(difference.element, undefined);
  });

  it("sees a trace whose leaf was changed afterwards, and witnesses that were", async () => {
    const change = async (name: string, line: number, edit: (text: string) => string) => {
      const run = await trained(await newRun({ steps: 24, interval: 8 }));
      const path = join(run.path, name);
      const lines = (await readFile(path, "utf8")).split("\n");
      lines[line] = edit(lines[line]!);
      await writeFile(path, lines.join("\n"));
      return await replayed(run);
    };
    const zero = `0x${"00".repeat(32)}`;
    const root = await change("trace.jsonl", 2, (text) =>
      text.replace(/"stateRoot":"0x\w+"/, `"stateRoot":"${zero}"`),
    );
    assert.deepEqual(
      root.map(({ matches }) => matches),
      [true, false],
    );
    assert.deepEqual([root[1]!.difference?.firstStep, root[1]!.difference?.lastStep], [8, 15]);
    const h = await change("trace.jsonl", 2, (text) => text.replace(/"h":"0x\w+"/, `"h":"${zero}"`));
    assert.deepEqual(
      h.map(({ matches }) => matches),
      [true, false],
    );
    assert.equal(h[1]!.difference, undefined);
  });

  it("does not begin at a checkpoint that the trace contradicts", async () => {
    const run = await trained(
      await newRun({ steps: 16, interval: 4 }),
      dishonest(nativeExecutor, { ...flip, afterStep: 6 }),
    );
    await rm(join(run.path, "trace.jsonl"));
    const honest = await trained(await newRun({ steps: 16, interval: 4 }));
    await writeFile(join(run.path, "trace.jsonl"), await readFile(join(honest.path, "trace.jsonl")));
    const [found] = await replayed(run, { first: 3, end: 4 });
    assert.equal(found?.found.stateRoot, found?.claimed.stateRoot);
  });
});

/** The second half of a step's objects before the first: the gradient is the same sum, the witness is not. */
function rotated(objects: Uint8Array): Uint8Array {
  return Buffer.concat([objects.subarray(objects.length / 2), objects.subarray(0, objects.length / 2)]);
}
