import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Engine } from "../../dapp/src/engine/client.ts";
import type { Request, Response } from "../../dapp/src/engine/protocol.ts";

/** A worker that computes nothing: what it is asked is answered when a test says so. */
class IdleWorker extends EventTarget {
  static started: IdleWorker[] = [];
  isEnded = false;
  asked: Request[] = [];

  constructor() {
    super();
    IdleWorker.started.push(this);
  }

  postMessage(request: Request): void {
    this.asked.push(request);
  }

  terminate(): void {
    this.isEnded = true;
  }

  answer(response: Response): void {
    this.dispatchEvent(new MessageEvent("message", { data: response }));
  }
}

const model = { model: 1 };
const running = () => IdleWorker.started.filter(({ isEnded }) => !isEnded);

describe("the worker that computes", () => {
  const original = globalThis.Worker;

  beforeEach(() => {
    IdleWorker.started = [];
    globalThis.Worker = IdleWorker as unknown as typeof Worker;
  });

  afterEach(() => {
    globalThis.Worker = original;
  });

  it("ends with the last who needs what is open in it, and starts again for the next", async () => {
    const engine = new Engine();
    const [first, second] = [engine.hold(), engine.hold()];
    const done = engine.call("exportModel", model);
    IdleWorker.started[0]!.answer({ kind: "done", id: 0, output: new Uint8Array(1) });
    assert.equal((await done).length, 1);
    first();
    first();
    assert.equal(running().length, 1);
    second();
    assert.equal(running().length, 0);
    void engine.call("exportModel", model);
    assert.equal(running().length, 1);
  });

  it("ends nothing that is still computed, and ends when it is done or given up", async () => {
    const engine = new Engine();
    const [release, controller] = [engine.hold(), new AbortController()];
    const done = engine.call("exportModel", model);
    const givenUp = engine.call("exportModel", model, { signal: controller.signal });
    release();
    assert.equal(running().length, 1);
    IdleWorker.started[0]!.answer({ kind: "done", id: 0, output: new Uint8Array(2) });
    assert.equal((await done).length, 2);
    assert.equal(running().length, 1);
    controller.abort();
    await assert.rejects(givenUp);
    assert.equal(running().length, 0);
  });

  it("stays when somebody came meanwhile, and where nobody opened anything", async () => {
    const engine = new Engine();
    const done = engine.call("exportModel", model);
    engine.hold()();
    const release = engine.hold();
    IdleWorker.started[0]!.answer({ kind: "done", id: 0, output: new Uint8Array(3) });
    await done;
    assert.equal(running().length, 1);
    const started = engine.call("exportModel", model);
    release();
    const later = engine.call("exportModel", model);
    for (const id of [1, 2]) IdleWorker.started[0]!.answer({ kind: "done", id, output: new Uint8Array(3) });
    await Promise.all([started, later]);
    assert.equal(running().length, 1);
    const other = new Engine();
    const computed = other.call("exportModel", model);
    IdleWorker.started[1]!.answer({ kind: "done", id: 0, output: new Uint8Array(4) });
    await computed;
    assert.equal(running().length, 2);
  });
});
