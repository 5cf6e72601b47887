import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { getPriority } from "node:os";
import { after, before, describe, it } from "node:test";
import { circuitArtifacts } from "../../../../circuits/setup/circuits.ts";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { compressProof } from "../../../../keepers/src/core/groth16/compress.ts";
import type { CircuitInput } from "../../../../keepers/src/core/groth16/inputs.ts";
import { Verifier } from "../../../../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey } from "../../../../keepers/src/core/groth16/verifying-key.ts";
import { ProcessProver } from "../../../../keepers/src/storage/prover/process-prover.ts";
import {
  ProverBusyError,
  ProverError,
  UnprovableError,
} from "../../../../keepers/src/storage/prover/prover.ts";
import { tinyInput } from "../../../circuits/samples.ts";
import { referencePoseidon } from "../../../circuits/tree.ts";

const tiny = circuitArtifacts("tiny");

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("the prover", () => {
  let input: CircuitInput;
  let prover: ProcessProver<"tiny" | "absent">;
  let verifier: Verifier;

  before(async () => {
    await setupCircuits({ only: ["tiny"] });
    input = tinyInput(await referencePoseidon(), "prover");
    verifier = await Verifier.create(decodeVerifyingKey(await readFile(tiny.verifyingKeyBytes)));
    prover = new ProcessProver({
      circuits: { tiny, absent: { wasm: "/nowhere/circuit.wasm", zkey: "/nowhere/circuit.zkey" } },
    });
  });
  after(() => prover.close());

  it("makes a proof that the verifier accepts", async () => {
    const { proof, publicSignals } = await prover.prove("tiny", input);
    assert.equal(publicSignals[1], input.root);
    assert.equal(verifier.verify(compressProof(proof), publicSignals), true);
  });

  it("answers in the order asked and counts what is pending", async () => {
    const order: number[] = [];
    const proofs = [0, 1, 2].map((i) => prover.prove("tiny", input).then(() => order.push(i)));
    assert.equal(prover.pending, 3);
    await Promise.all(proofs);
    assert.deepEqual(order, [0, 1, 2]);
    assert.equal(prover.pending, 0);
  });

  it("says that a tampered cell cannot be proved, and goes on to the next proof", async () => {
    const cells = input.cells as bigint[][];
    const tampered = { ...input, cells: cells.with(0, cells[0]!.with(3, 1n)) };
    const [bad, good] = await Promise.allSettled([
      prover.prove("tiny", tampered),
      prover.prove("tiny", input),
    ]);
    assert.ok(bad.status === "rejected" && bad.reason instanceof UnprovableError);
    assert.equal(good.status, "fulfilled");
  });

  it("says which files are missing before it starts anything", async () => {
    await assert.rejects(prover.prove("absent", input), ProverError);
  });

  it("takes an aborted proof out of the queue", async () => {
    const abort = new AbortController();
    const first = prover.prove("tiny", input);
    const second = prover.prove("tiny", input, { signal: abort.signal });
    abort.abort(new Error("epoch over"));
    await assert.rejects(second, /epoch over/);
    await first;
  });

  it("ends the process of an aborted proof and makes the next one", async () => {
    const fresh = new ProcessProver({ circuits: { tiny } });
    const abort = new AbortController();
    const aborted = fresh.prove("tiny", input, { signal: abort.signal });
    await until(() => fresh.processId !== undefined);
    const old = fresh.processId!;
    abort.abort(new Error("bundle given up"));
    await assert.rejects(aborted, /bundle given up/);
    await fresh.prove("tiny", input);
    assert.notEqual(fresh.processId, old);
    await until(() => !isAlive(old));
    await fresh.close();
  });

  it("attack: proofs that clients ask for without end make way for one that is due, and are made afterwards", async () => {
    const fresh = new ProcessProver({ circuits: { tiny }, mostForClients: 3 });
    const order: string[] = [];
    const asking = Array.from({ length: 20 }, (_, i) =>
      fresh.prove("tiny", input, { lane: "client" }).then(
        () => order.push(`client ${i}`),
        (error: unknown) => assert.ok(error instanceof ProverBusyError),
      ),
    );
    await until(() => fresh.clientProcessId !== undefined);
    const victim = fresh.clientProcessId!;
    await fresh.prove("tiny", input).then(() => order.push("due"));
    assert.deepEqual(order, ["due"]);
    assert.equal(fresh.stats.setAside, 1);
    await until(() => !isAlive(victim));
    await Promise.all(asking);
    assert.deepEqual(order, ["due", ...Array.from({ length: 3 }, (_, i) => `client ${i}`)]);
    await fresh.close();
  });

  it("attack: a busy machine does not keep it from a deadline: what is due has the keeper's own priority", async () => {
    const fresh = new ProcessProver({ circuits: { tiny } });
    const due = fresh.prove("tiny", input);
    await until(() => fresh.processId !== undefined);
    assert.equal(getPriority(fresh.processId), getPriority());
    await due;
    assert.equal(getPriority(fresh.processId), getPriority());
    await fresh.prove("tiny", input, { lane: "client" });
    assert.equal(getPriority(fresh.clientProcessId), 5);
    await fresh.close();
  });

  it("does not let a signal that aborts late end another proof", async () => {
    const abort = new AbortController();
    await prover.prove("tiny", input, { signal: abort.signal });
    const next = prover.prove("tiny", input);
    abort.abort();
    await next;
  });

  it("refuses a signal that is aborted already", async () => {
    await assert.rejects(
      prover.prove("tiny", input, { signal: AbortSignal.abort(new Error("too late")) }),
      /too late/,
    );
  });

  it("makes the proof all the same when its process is killed once", async () => {
    const fresh = new ProcessProver({ circuits: { tiny } });
    const proving = fresh.prove("tiny", input);
    await until(() => fresh.processId !== undefined);
    process.kill(fresh.processId!, "SIGKILL");
    const { proof, publicSignals } = await proving;
    assert.equal(verifier.verify(compressProof(proof), publicSignals), true);
    await fresh.close();
  });

  it("gives up with a clear error when the process is killed again and again", async () => {
    const fresh = new ProcessProver({ circuits: { tiny } });
    let done = false;
    const proving = fresh.prove("tiny", input).finally(() => {
      done = true;
    });
    const killing = until(() => {
      if (fresh.processId !== undefined) process.kill(fresh.processId, "SIGKILL");
      return done;
    });
    await assert.rejects(proving, (error: ProverError) => {
      assert.ok(error instanceof ProverError);
      assert.match(error.message, /died 2 times/);
      assert.match(error.next ?? "", /memory/);
      return true;
    });
    await killing;
    await fresh.close();
  });

  it("ends its idle process, and starts one again when asked", async () => {
    const brief = new ProcessProver({ circuits: { tiny }, idleTime: 1 });
    await brief.prove("tiny", input);
    await until(() => brief.processId === undefined);
    await brief.prove("tiny", input);
    await brief.close();
    assert.equal(brief.processId, undefined);
  });

  it("rejects what is queued and under way when it is closed", async () => {
    const closing = new ProcessProver({ circuits: { tiny } });
    const proofs = [closing.prove("tiny", input), closing.prove("tiny", input)];
    const settled = Promise.allSettled(proofs);
    await until(() => closing.processId !== undefined);
    const pid = closing.processId!;
    await closing.close();
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(isAlive(pid), false);
    await assert.rejects(closing.prove("tiny", input), ProverError);
  });
});
