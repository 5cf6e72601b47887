import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { circuitArtifacts } from "../../../../circuits/setup/circuits.ts";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import type { CircuitInput } from "../../../../keepers/src/core/groth16/inputs.ts";
import { ProcessProver } from "../../../../keepers/src/storage/prover/process-prover.ts";
import { ProverError } from "../../../../keepers/src/storage/prover/prover.ts";
import { tinyInput } from "../../../circuits/samples.ts";
import { referencePoseidon } from "../../../circuits/tree.ts";

const tiny = circuitArtifacts("tiny");

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Stops every process that proves, as one that hangs, until told to end. @returns how many there were */
function hangAll(processId: () => number | undefined): () => number {
  const stopped = new Set<number>();
  const timer = setInterval(() => {
    const id = processId();
    if (id === undefined || stopped.has(id)) return;
    stopped.add(id);
    process.kill(id, "SIGSTOP");
  }, 5);
  return () => {
    clearInterval(timer);
    return stopped.size;
  };
}

describe("a proving process that fails", { timeout: 240_000 }, () => {
  let input: CircuitInput;
  let folder: string;

  before(async () => {
    await setupCircuits({ only: ["tiny"] });
    input = tinyInput(await referencePoseidon(), "prover");
    folder = await mkdtemp(join(tmpdir(), "assay-prover-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("by hanging is ended after its time, and the proof is made by another one", async () => {
    const prover = new ProcessProver({ circuits: { tiny }, leastTimeLimit: 10_000 });
    const proving = prover.prove("tiny", input);
    await until(() => prover.processId !== undefined);
    const hanging = prover.processId!;
    process.kill(hanging, "SIGSTOP");
    await proving;
    assert.notEqual(prover.processId, hanging);
    await prover.close();
  });

  it("by hanging each time ends in a clear error, and the next proof is made", async () => {
    const prover = new ProcessProver({ circuits: { tiny }, leastTimeLimit: 1_500 });
    const end = hangAll(() => prover.processId);
    await assert.rejects(prover.prove("tiny", input), (error: ProverError) => {
      assert.ok(error instanceof ProverError);
      assert.match(error.message, /gave no answer 2 times \(the last time within 3 s\)/);
      assert.match(error.next ?? "", /busy/);
      return true;
    });
    assert.equal(end(), 2);
    assert.equal(prover.pending, 0);
    await prover.prove("tiny", input);
    await prover.close();
  });

  it("attack: a busy machine gets the time that honest proofs take there, however short it was at first", async () => {
    const prover = new ProcessProver({ circuits: { tiny }, leastTimeLimit: 50 });
    const outcomes: string[] = [];
    while (outcomes.at(-1) !== "made" && outcomes.length < 8) {
      outcomes.push(
        await prover.prove("tiny", input).then(
          () => "made",
          (error: Error) => error.name,
        ),
      );
    }
    assert.equal(outcomes.at(-1), "made", "the time doubles until it is enough");
    assert.ok(outcomes.slice(0, -1).every((each) => each === "ProverError"));
    const made = prover.processId;
    await prover.prove("tiny", input);
    assert.equal(prover.processId, made, "what was measured is given again");
    await prover.close();
  });

  it("attack: strangers' proofs that hang leave the time of what is due as it is", async () => {
    const prover = new ProcessProver({ circuits: { tiny }, leastTimeLimit: 500 });
    const endClients = hangAll(() => prover.clientProcessId);
    const endDuties = hangAll(() => prover.processId);
    for (const seconds of [1, 4]) {
      const asked = prover.prove("tiny", input, { lane: "client" });
      await assert.rejects(asked, new RegExp(`the last time within ${seconds} s`));
    }
    await assert.rejects(prover.prove("tiny", input), /the last time within 1 s/);
    assert.deepEqual([endClients(), endDuties()], [4, 2]);
    await prover.close();
  });

  it("by not starting at all ends in a clear error, and the next proof is made", async () => {
    const prover = new ProcessProver({ circuits: { tiny } });
    const { execPath } = process;
    process.execPath = "/nowhere/node";
    try {
      await assert.rejects(prover.prove("tiny", input), (error: ProverError) => {
        assert.ok(error instanceof ProverError);
        assert.match(error.message, /could not be started 2 times \(.*ENOENT/);
        assert.match(error.next ?? "", /limits/);
        return true;
      });
    } finally {
      process.execPath = execPath;
    }
    // The longest text that a process may be started with is 128 KiB.
    process.env.ASSAY_TOO_LONG = "x".repeat(2 ** 18);
    try {
      await assert.rejects(prover.prove("tiny", input), /could not be started 2 times \(.*E2BIG/);
    } finally {
      delete process.env.ASSAY_TOO_LONG;
    }
    assert.equal(prover.processId, undefined);
    await prover.prove("tiny", input);
    await prover.close();
  });

  it("for want of file descriptors leaves the keeper alive, and the next proof is made", async () => {
    const script = fileURLToPath(new URL("./fixtures/starved.ts", import.meta.url));
    const flags = "--disable-warning=ExperimentalWarning";
    const keeper = spawn("sh", ["-c", 'ulimit -n 1024; exec "$0" "$@"', process.execPath, flags, script], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    const ended = once(keeper, "exit");
    await once(keeper, "message");
    const answer = once(keeper, "message");
    keeper.send({ files: { wasm: tiny.wasm, zkey: tiny.zkey }, input });
    const [outcome] = await Promise.race([answer, ended]);
    assert.deepEqual(await ended, [0, null]);
    const { starved, fed } = outcome as { starved: string; fed: string };
    assert.match(starved, /^ProverError: The proving process could not be started 2 times \(.*EMFILE/);
    assert.equal(fed, "made");
  });

  for (const how of ["throw", "exit", "compile"]) {
    it(`in a thread (${how}) dies at once, and the proof is made by another one`, async () => {
      const mark = join(folder, how);
      await writeFile(mark, "");
      const preload = new URL("./fixtures/failing-thread.ts", import.meta.url).href;
      const { NODE_OPTIONS } = process.env;
      Object.assign(process.env, {
        NODE_OPTIONS: `${NODE_OPTIONS ?? ""} --import ${preload}`,
        FAILING_THREAD: how,
        FAILING_THREAD_ONCE: mark,
      });
      const prover = new ProcessProver({ circuits: { tiny } });
      try {
        const proving = prover.prove("tiny", input);
        await until(() => prover.processId !== undefined);
        const failing = prover.processId!;
        await proving;
        assert.notEqual(prover.processId, failing);
      } finally {
        for (const name of ["NODE_OPTIONS", "FAILING_THREAD", "FAILING_THREAD_ONCE"])
          delete process.env[name];
        if (NODE_OPTIONS !== undefined) process.env.NODE_OPTIONS = NODE_OPTIONS;
        await prover.close();
      }
    });
  }
});
