import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TaintedRunError } from "../../../../keepers/src/training/cluster/errors.ts";
import { StateForm } from "../../../../keepers/src/training/cluster/forms.ts";
import { MemoryRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { type ClusterOptions, ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { StepOutput } from "../../../../keepers/src/training/executors/types.ts";
import { type Fixture, fixture, hash, plain } from "../executors/support.ts";
import { bent, type Conduct, honest, work } from "./support.ts";

const microBatches = 8;
const stepCount = 6;

/** State and witnesses of a lone run. */
async function alone({ program, objectBytes, state, steps }: Fixture) {
  const session = await nativeExecutor.open(program, { objectBytes, microBatches });
  await session.setState(state);
  const outputs = await session.run(steps(stepCount, microBatches));
  const result = {
    state: hash(await session.getState()),
    witnesses: outputs.map(({ witness }) => plain(witness)),
  };
  await session.close();
  return result;
}

/** The same by workers that behave like this. */
async function together(
  { program, objectBytes, state, steps }: Fixture,
  conducts: readonly Conduct[],
  {
    calls = [4, 2],
    names,
    ...changes
  }: Partial<ClusterOptions> & { calls?: readonly number[]; names?: readonly string[] } = {},
) {
  const records = new MemoryRecords();
  const engine = { objectBytes, microBatches };
  const session = await ClusterSession.open(nativeExecutor, program, engine, {
    chunkSize: 1,
    copies: 1,
    checkShare: 0,
    secret: new Uint8Array(32).fill(1),
    records,
    firstStep: 0,
    patience: 200,
    ...changes,
  });
  const worker = await nativeExecutor.openSums(program, {
    objectBytes,
    microBatches: changes.chunkSize ?? 1,
  });
  const stop = new AbortController();
  const crew = conducts.map((conduct, i) =>
    work(session, worker, names?.[i] ?? `worker${i}`, stop.signal, conduct),
  );
  try {
    await session.setState(state);
    const inputs = steps(stepCount, microBatches);
    const outputs: StepOutput[] = [];
    for (const steps of calls) {
      outputs.push(...(await session.run(inputs.slice(outputs.length, outputs.length + steps))));
    }
    const result = {
      state: hash(await session.getState()),
      witnesses: outputs.map(({ witness }) => plain(witness)),
    };
    return { result, records };
  } finally {
    stop.abort();
    await Promise.all(crew);
    await session.close();
    await worker.close();
  }
}

const mlp = fixture("mlp", 8, 4);
const expected = await alone(mlp);

describe("a cluster", () => {
  for (const count of [1, 2, 4, 8]) {
    it(`of ${count} honest workers gives the state and the witnesses of a lone run`, async () => {
      const { result, records } = await together(
        mlp,
        Array.from({ length: count }, () => honest),
        { patience: 60_000 },
      );
      assert.deepEqual(result, expected);
      const taken = [...records.taken.values()].reduce((sum, results) => sum + results, 0);
      assert.equal(taken, stepCount * microBatches, "each chunk was paid once");
    });
  }

  it("gives them for larger chunks, other engines' tapes and E16", async () => {
    const { result } = await together(mlp, [honest, honest], { chunkSize: 4 });
    assert.deepEqual(result, expected);
    const lenet = fixture("lenet5", 16, 1);
    assert.deepEqual((await together(lenet, [honest, honest, honest])).result, await alone(lenet));
  });

  it("without any worker trains by itself", async () => {
    assert.deepEqual((await together(mlp, [])).result, expected);
  });

  it("takes what two agree on without computing it, and owes both", async () => {
    let computed = 0;
    const outcomes: string[] = [];
    const observer = {
      result: (outcome: string) => void outcomes.push(outcome),
      computed: () => void computed++,
    };
    const three = [honest, honest, honest];
    const { result, records } = await together(mlp, three, { copies: 2, patience: 60_000, observer });
    assert.deepEqual(result, expected);
    assert.equal(computed, 0);
    const taken = [...records.taken.values()].reduce((sum, results) => sum + results, 0);
    assert.equal(taken, 2 * stepCount * microBatches);
    assert.deepEqual(outcomes, Array(taken).fill("agreed"));
  });

  it("checks a lone worker's results when two would have to agree, and those of one owner under two names", async () => {
    for (const names of [["alice/a"], ["alice/a", "alice/b"], ["alice/a", "bob/a"]]) {
      const outcomes: string[] = [];
      const observer = {
        result: (outcome: string) => void outcomes.push(outcome),
        computed: () => undefined,
      };
      const crew = names.map(() => honest);
      const { result } = await together(mlp, crew, { copies: 2, patience: 60_000, observer, names });
      assert.deepEqual(result, expected);
      assert.ok(outcomes.length > 0 && outcomes.every((outcome) => outcome === "checked"), `${names}`);
    }
  });

  it("finds out without any check who gives something else than another, and owes it nothing", async () => {
    const crew = [honest, bent, honest];
    const { result, records } = await together(mlp, crew, { copies: 2, patience: 60_000 });
    assert.deepEqual(result, expected);
    assert.deepEqual(
      crew.map((_, i) => records.isBarred(`worker${i}`)),
      [false, true, false],
    );
    assert.equal(records.taken.get("worker1"), undefined);
  });

  it("undoes what liars in league agreed on when a check falls on it, and bars all of them", async () => {
    const changes = { copies: 2, checkShare: 0.04, calls: [stepCount], patience: 60_000 };
    const { result, records } = await together(mlp, [bent, bent], changes);
    assert.deepEqual(result, expected);
    for (const liar of ["worker0", "worker1"]) {
      assert.ok(records.isBarred(liar));
      assert.ok(records.taken.get(liar)! > 0, "lies were taken");
    }
    assert.equal(records.tainted(), undefined, "nothing counts on their word any more");
  });

  it("bars who agrees on nonsense", async () => {
    const { program, objectBytes, state, steps } = mlp;
    const records = new MemoryRecords();
    const session = await ClusterSession.open(
      nativeExecutor,
      program,
      { objectBytes, microBatches },
      {
        chunkSize: microBatches,
        copies: 2,
        checkShare: 0,
        secret: new Uint8Array(32),
        records,
        firstStep: 0,
        patience: 60_000,
      },
    );
    await session.setState(state);
    const running = session.run(steps(1, microBatches));
    const bytes = new Uint8Array(9);
    for (const name of ["one", "other"]) {
      const { chunk, isSender } = await session.take(name, undefined, new AbortController().signal);
      const digest = session.sums.digest(bytes);
      session.deliver(name, chunk, { digest, bytes: isSender ? bytes : undefined });
    }
    await running;
    assert.ok(records.isBarred("one") && records.isBarred("other"));
    assert.equal(records.taken.size, 0);
    await session.close();
  });

  it("attack: owes nothing to a worker that never sends the sums that it is asked for, and lets others have its chunks", async () => {
    const { program, objectBytes, state, steps } = mlp;
    const records = new MemoryRecords();
    const observed: string[] = [];
    const observer = {
      result: (outcome: string) => void observed.push(outcome),
      computed: () => void observed.push("computed"),
    };
    const engine = { objectBytes, microBatches };
    const session = await ClusterSession.open(nativeExecutor, program, engine, {
      ...{ chunkSize: 1, copies: 2, checkShare: 0, secret: new Uint8Array(32), records, firstStep: 0 },
      ...{ patience: 60_000, observer },
    });
    await session.setState(state);
    const worker = await nativeExecutor.openSums(program, { objectBytes, microBatches: 1 });
    const stop = new AbortController();
    const running = session.run(steps(stepCount, microBatches));
    const shirking = (async () => {
      for (;;) {
        const task = await session.take("shirker", undefined, stop.signal);
        const { chunk, isSender, bytes, objects } = task;
        const held = new StateForm(program).decode(bytes, task.state, undefined);
        const digest = session.sums.digest(session.sums.encode(await worker.compute(held, objects)));
        const verdict = session.deliver("shirker", chunk, { digest });
        if (isSender) assert.equal(verdict, "late");
      }
    })().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    const crew = ["one", "other"].map((name) => work(session, worker, name, stop.signal));
    await running;
    stop.abort();
    await Promise.all([...crew, shirking]);
    assert.equal(hash(await session.getState()), expected.state);
    assert.deepEqual(new Set(observed), new Set(["agreed"]));
    assert.ok(!records.isBarred("shirker"));
    await session.close();
    await worker.close();
  });

  it("bars a worker that lies in every chunk, and pays it nothing", async () => {
    const { result, records } = await together(mlp, [honest, bent], { checkShare: 1 });
    assert.deepEqual(result, expected);
    assert.ok(records.isBarred("worker1"));
    assert.equal(records.taken.get("worker1"), undefined);
  });

  it("takes back what a liar gave unchecked before it was caught, in the same call", async () => {
    // Checks are drawn by the secret: the first that falls on the liar comes after lies that were taken.
    const { result, records } = await together(mlp, [bent], { checkShare: 0.04, calls: [stepCount] });
    assert.ok(records.isBarred("worker0"));
    assert.ok(records.taken.get("worker0")! > 0, "lies were taken");
    assert.deepEqual(result, expected);
  });

  it("refuses to go on when a liar gave something unchecked in an earlier call", async () => {
    const { program, objectBytes, state, steps } = mlp;
    const records = new MemoryRecords();
    records.accepted(["liar"], 2, false);
    const session = await ClusterSession.open(
      nativeExecutor,
      program,
      { objectBytes, microBatches },
      {
        chunkSize: 2,
        copies: 1,
        checkShare: 1,
        secret: new Uint8Array(32),
        records,
        firstStep: 3,
        patience: 200,
      },
    );
    await session.setState(state);
    const worker = await nativeExecutor.openSums(program, { objectBytes, microBatches: 2 });
    const stop = new AbortController();
    const lying = work(session, worker, "liar", stop.signal, bent);
    await assert.rejects(session.run(steps(2, microBatches)), (error) => {
      assert.ok(error instanceof TaintedRunError);
      assert.equal(error.step, 2);
      return true;
    });
    assert.equal(hash(await session.getState()), hash(state), "the state is that of before the call");
    stop.abort();
    await lying;
    await session.close();
    await worker.close();
  });

  it("gives what slow and vanishing workers have to others", async () => {
    const never = new AbortController();
    const sleeper: Conduct = async (part) => {
      await delay(1_000, undefined, { signal: never.signal }).catch(() => undefined);
      return part;
    };
    const vanishing: Conduct = (part, chunk) => (chunk > 5 ? undefined : part);
    const { result } = await together(mlp, [honest, sleeper, vanishing], { patience: 20 });
    never.abort();
    assert.deepEqual(result, expected);
  });

  it("is the same for seeded mixtures of liars, sleepers, deserters and honest workers", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      let drawn = seed * 7919;
      const random = (below: number) => {
        drawn = (drawn * 48271) % 2147483647;
        return drawn % below;
      };
      const conducts = Array.from({ length: 2 + random(4) }, (): Conduct => {
        const lies = random(3) === 0 ? 1 + random(4) : 0;
        const goes = random(4) === 0 ? random(30) : Infinity;
        const slow = random(3) === 0 ? random(60) : 0;
        return async (part, chunk) => {
          if (slow > 0 && random(4) === 0) await delay(slow);
          if (chunk >= goes) return undefined;
          return lies > 0 && random(lies) === 0 ? bent(part) : part;
        };
      });
      const changes = seed % 2 === 0 ? { checkShare: 1 } : { copies: 2, checkShare: 0.3, calls: [stepCount] };
      const { result } = await together(mlp, conducts, { patience: 20, ...changes });
      assert.deepEqual(result, expected, `seed ${seed}`);
    }
  });
});
