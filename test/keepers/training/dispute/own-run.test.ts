import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes } from "viem";
import { commitTensor } from "../../../../keepers/src/core/exact/commitment.ts";
import { runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import { samplesOf } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../../../keepers/src/core/exact/schedule.ts";
import { cheatingWorker } from "../../../../keepers/src/roles/embedded/cheating-worker.ts";
import { FolderRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import { findWrongInterval } from "../../../../keepers/src/training/dispute/find-interval.ts";
import { MemberRun } from "../../../../keepers/src/training/dispute/member-run.ts";
import { ExecutedRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import type { OpenSession, StateAt } from "../../../../keepers/src/training/dispute/replayer.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { readSteps } from "../../../../keepers/src/training/trainer/batches.ts";
import { readLogs } from "../../../../keepers/src/training/trainer/progress.ts";
import type { RunFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { digits, model, newRun, options } from "../trainer/fixture.ts";

const { source } = digits;
const { program } = model;
const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function trained(run: RunFolder, open: OpenSession): Promise<RunFolder> {
  const session = await open(0);
  await train({ run, session, source, checkpoint: { every: 16, keep: 1 } });
  await session.close();
  return run;
}

const honestSession: OpenSession = () => nativeExecutor.open(program, options);
const run = await trained(await newRun({ steps: 43 }), honestSession);
const { order } = run;
const logs = await readLogs(run);

function executed(start: StateAt = { step: 0, state: initialState(program, order.seed) }): ExecutedRun {
  const nearest = async () => start;
  const own = new ExecutedRun({ program, order, source, executor: nativeExecutor, options, nearest });
  closers.push(() => own.close());
  return own;
}

function folder(of: RunFolder, open = honestSession): FolderRun {
  const claimed = new FolderRun({ run: of, source, executor: nativeExecutor, options, open });
  closers.push(() => claimed.close());
  return claimed;
}

describe("an own run", () => {
  it("finds the roots and witnesses that training found, whatever it is asked first", async () => {
    const own = executed();
    const leaves = [43, 0, 40, 8, 16, 8];
    const expected = leaves.map((step) => logs.trace.find((entry) => entry.step === step)!.stateRoot);
    assert.deepEqual(await own.stateRoots(leaves), expected);
    assert.deepEqual(await own.witnesses(5), logs.witnesses[5]);
    assert.deepEqual(await own.witnesses(2), logs.witnesses[2]);
    assert.deepEqual(await own.stateRoots([16]), [logs.trace[2]!.stateRoot]);
  });

  it("attack: keeps no step and no state once its engine is closed, and computes them again", async () => {
    let traces = 0;
    let opened = 0;
    const nearest = async () => ({ step: 0, state: initialState(program, order.seed) });
    const counting: Executor = {
      ...nativeExecutor,
      open: (...args) => {
        opened++;
        return nativeExecutor.open(...args);
      },
      openTrace: (...args) => {
        traces++;
        return nativeExecutor.openTrace(...args);
      },
    };
    const own = new ExecutedRun({ program, order, source, executor: counting, options, nearest });
    closers.push(() => own.close());
    const [first, again] = [await own.step(9), await own.step(9)];
    assert.equal(again, first);
    assert.deepEqual([traces, opened], [1, 1]);
    await own.close();
    const afterwards = await own.step(9);
    assert.notEqual(afterwards, first);
    assert.deepEqual([traces, opened], [2, 2]);
    assert.deepEqual(afterwards.list.tree.root, first.list.tree.root);
    assert.equal(afterwards.list.tree.root.length, 32);
  });

  it("answers many at once, one after another", async () => {
    const own = executed();
    const asked = await Promise.all([
      own.stateRoots([24]),
      own.witnesses(1),
      own.step(9).then((step) => step.step),
      own.slots(8).then((slots) => slots.length),
      own.stateRoots([8]),
    ]);
    assert.deepEqual(asked, [
      [logs.trace[3]!.stateRoot],
      logs.witnesses[1],
      9,
      program.state.length,
      [logs.trace[1]!.stateRoot],
    ]);
  });

  it("keeps the tensors of the two newest steps, and computes those of an older one again", async () => {
    const own = executed();
    const [third, fourth] = [await own.step(3), await own.step(4)];
    assert.equal(await own.step(3), third);
    assert.equal(await own.step(4), fourth);
    const fifth = await own.step(5);
    assert.equal(await own.step(5), fifth);
    assert.equal(await own.step(4), fourth);
    const again = await own.step(3);
    assert.notEqual(again, third);
    assert.deepEqual(again.list.commitments, third.list.commitments);
  });

  it("keeps the states of the newest leaves, and the one that was asked for last", async () => {
    const own = executed();
    const asked = await own.state(21);
    assert.equal(await own.state(21), asked);
    const leaf = await own.state(24);
    assert.equal(await own.state(24), leaf);
    await own.state(32);
    assert.equal(await own.state(24), leaf);
    await own.state(40);
    // Of the two leaves before, only the newer one is still there.
    const again = await own.state(24);
    assert.notEqual(again, leaf);
    assert.deepEqual(again, leaf);
    assert.notEqual(await own.state(21), asked);
  });

  it("opens what a row of a micro-batch holds of an object", async () => {
    const own = executed();
    const [step, microBatch, row] = [4, 1, 3];
    const { raw } = await own.object({ step, microBatch, row, offset: 2, width: 8 });
    const { objects } = await own.input(step);
    const first = (microBatch * order.microBatch + row) * order.objectBytes;
    assert.equal(raw, bytesToHex(objects.subarray(first + 2, first + 10)));
  });

  it("stops between steps once it is no longer wanted", async () => {
    const stop = new AbortController();
    const nearest = async () => ({ step: 0, state: initialState(program, order.seed) });
    const { signal } = stop;
    const own = new ExecutedRun({
      program,
      order,
      source,
      executor: nativeExecutor,
      options,
      nearest,
      signal,
    });
    closers.push(() => own.close());
    assert.deepEqual(await own.stateRoots([8]), [logs.trace[1]!.stateRoot]);
    stop.abort(new Error("not wanted"));
    await assert.rejects(own.stateRoots([16]), /not wanted/);
    // What is known already is not computed.
    assert.deepEqual(await own.stateRoots([8]), [logs.trace[1]!.stateRoot]);
  });

  it("has the tensors that the definition gives, in the order of the list", async () => {
    const own = executed();
    const step = 3;
    const state = await own.state(step);
    const [objects] = await readSteps({ source, order: samplesOf(order) }, step, step + 1);
    const learningRate = learningRateAt(order.schedule, step);
    const { objectBytes } = order;
    const found = runStep({ program, state, objects: objects!, objectBytes, learningRate });
    const tensors = [...found.microBatches.flat(), ...found.reduction, ...found.optimizer];
    const { list } = await own.step(step);
    assert.deepEqual(
      list.commitments,
      tensors.map((tensor) => bytesToHex(commitTensor(tensor, { min: -(2 ** 53), max: 2 ** 53 }))),
    );
  });

  it("goes on from the state of any leaf, and says so where it would have to go back", async () => {
    const own = executed({ step: 24, state: await executed().state(24) });
    const leaves = await folder(run).leaves();
    assert.equal(await findWrongInterval(own, leaves, { first: 3 }), undefined);
    const wrong = leaves.map((leaf, i) => (i === 5 ? { ...leaf, stateRoot: leaves[0]!.stateRoot } : leaf));
    assert.deepEqual(await findWrongInterval(own, wrong, { first: 3 }), { interval: 4, differs: "state" });
    assert.deepEqual(await own.witnesses(3), logs.witnesses[3]);
    await assert.rejects(own.stateRoots([23]), { name: "RunEvidenceError" });
    await assert.rejects(own.witnesses(2), { name: "RunEvidenceError" });
    assert.deepEqual(await own.stateRoots([40]), [logs.trace[5]!.stateRoot]);
  });

  it("names no interval of a run that it bears out, its witnesses included where the salts are known", async () => {
    const own = executed();
    const claimed = folder(run);
    const leaves = await claimed.leaves();
    const seen: number[] = [];
    const salt = (interval: number) => claimed.salt(interval);
    const found = await findWrongInterval(own, leaves, { salt, onInterval: (each) => seen.push(each) });
    assert.equal(found, undefined);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5]);
  });

  it("names the first interval with a wrong state, or with witnesses that the salt does not bear out", async () => {
    const own = executed();
    const leaves = await folder(run).leaves();
    const other: Hex = `0x${"ab".repeat(32)}`;
    const changed = (leaf: number, change: object) =>
      leaves.map((each, i) => (i === leaf ? { ...each, ...change } : each));
    const salt = (interval: number) => folder(run).salt(interval);
    const wrongState = changed(4, { stateRoot: other });
    assert.deepEqual(await findWrongInterval(own, wrongState), { interval: 3, differs: "state" });
    assert.equal(await findWrongInterval(own, wrongState, { end: 3 }), undefined);
    const wrongHash = changed(2, { h: other });
    assert.equal(await findWrongInterval(own, wrongHash), undefined);
    assert.deepEqual(await findWrongInterval(own, wrongHash, { salt }), {
      interval: 1,
      differs: "witnesses",
    });
    await assert.rejects(findWrongInterval(own, leaves.slice(1)), { name: "BadInputError" });
    await assert.rejects(findWrongInterval(own, changed(0, { stateRoot: other })), { name: "BadInputError" });
  });
});

describe("the run of a member of a committee", () => {
  it("is its own, with the leaves that it attested to, and without the salts of the provider", async () => {
    const leaves = await folder(run).leaves();
    const nearest = async () => ({ step: 0, state: initialState(program, order.seed) });
    const own = new MemberRun({ program, order, source, executor: nativeExecutor, options, nearest, leaves });
    closers.push(() => own.close());
    assert.equal(await own.leaves(), leaves);
    assert.deepEqual(await own.witnesses(1), logs.witnesses[1]);
    assert.throws(() => own.salt(3), {
      name: "RunEvidenceError",
      message: "A member of a committee does not know the salt of interval 3.",
    });
  });
});

describe("the run of a folder", () => {
  it("is the one that was committed to, from whatever checkpoint is left", async () => {
    const claimed = folder(run);
    const own = executed();
    for (const step of [42, 20, 3]) {
      const [mine, theirs] = [await own.step(step), await claimed.step(step)];
      assert.deepEqual(theirs.list.commitments, mine.list.commitments);
    }
    assert.deepEqual(await claimed.stateRoots([8, 9, 43]), await own.stateRoots([8, 9, 43]));
    assert.deepEqual(await claimed.witnesses(5), logs.witnesses[5]);
    assert.deepEqual(await claimed.slots(20), await own.slots(20));
    assert.deepEqual(await claimed.state(20), await own.state(20));
    assert.deepEqual(await claimed.input(20), await own.input(20));
    await assert.rejects(claimed.witnesses(6), { name: "RunEvidenceError" });
  });

  it("answers with what was stored where that is not what the step gives", async () => {
    const flip = { step: 21, slot: 1, element: 3, bit: 11 };
    const open: OpenSession = async (first) => {
      const honest = await honestSession(first);
      return first > flip.step ? honest : cheatingWorker(honest, { ...flip, step: flip.step - first });
    };
    const cheated = await trained(await newRun({ steps: 43 }), open);
    const claimed = folder(cheated, open);
    const own = executed();
    const { trace } = await readLogs(cheated);
    assert.deepEqual(
      await claimed.stateRoots([16, 24, 43]),
      [2, 3, 6].map((leaf) => trace[leaf]!.stateRoot),
    );
    const [before] = await own.stateRoots([21]);
    assert.deepEqual(await claimed.stateRoots([21]), [before]);
    const [mine, theirs] = [await own.step(21), await claimed.step(21)];
    const wrong = theirs.tensors.flatMap((tensor, number) =>
      theirs.list.commitments[number] === mine.list.commitments[number]
        ? []
        : [{ tensor, number, opcode: theirs.node(number).opcode }],
    );
    assert.deepEqual(
      wrong.map(({ opcode }) => opcode),
      ["SGD_WEIGHT", "STORE"],
    );
    for (const { tensor, number } of wrong) {
      const right = mine.tensors[number]!.mantissas;
      const differing = [...tensor.mantissas.keys()].filter((i) => tensor.mantissas[i] !== right[i]);
      assert.deepEqual(differing, [flip.element]);
      assert.equal(tensor.mantissas[flip.element]! ^ right[flip.element]!, 1 << flip.bit);
    }
    const [, slot] = await claimed.slots(22);
    assert.equal(slot, theirs.list.commitments[wrong[1]!.number]);
    assert.equal(hexToBytes(slot!).length, 32);
  });
});
