import { EngineFailure, EngineStoppedError } from "./errors.ts";
import type { Engines, Method } from "./methods.ts";
import type { Progress, Request, Response } from "./protocol.ts";

export type CallOptions = {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
};

type Pending = {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
};

/** The page's side of the worker that computes. It starts with the first call, and again after it has stopped. */
export class Engine {
  #worker: Worker | undefined;
  #next = 0;
  readonly #pending = new Map<number, Pending>();
  /** How many need what they have opened in the worker. */
  #holders = 0;
  /** Whether the last of them has left, and nobody has asked for anything since. */
  #isLeft = false;

  /**
   * Asks the worker. A call that is cancelled fails at once with the signal's reason; the worker stops at its next step.
   * @throws EngineFailure with what the method said; EngineStoppedError
   */
  call<M extends Method>(
    method: M,
    input: Engines[M]["input"],
    { signal, onProgress }: CallOptions = {},
  ): Promise<Engines[M]["output"]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    this.#isLeft = false;
    const id = this.#next++;
    const worker = this.#started();
    return new Promise<Engines[M]["output"]>((resolve, reject) => {
      const cancel = () => {
        this.#pending.delete(id);
        this.#send(worker, { kind: "cancel", id });
        reject(signal?.reason);
        this.#endIfLeft();
      };
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", cancel);
          then(value);
        };
      this.#pending.set(id, {
        resolve: settle<unknown>((output) => resolve(output as Engines[M]["output"])),
        reject: settle(reject),
        onProgress,
      });
      signal?.addEventListener("abort", cancel, { once: true });
      this.#send(worker, { kind: "call", id, method, input });
    });
  }

  /**
   * Keeps what is opened in the worker until the function that this gives is called. When nobody holds it any more the worker
   * ends, once nothing is computed: programs, data and models are large, and memory of WebAssembly is never given back otherwise.
   */
  hold(): () => void {
    this.#holders++;
    this.#isLeft = false;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders--;
      this.#isLeft = this.#holders === 0;
      this.#endIfLeft();
    };
  }

  /** Ends the worker; what is under way fails. */
  close(): void {
    this.#stop("the page closed it");
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "engine" });
    worker.addEventListener("message", ({ data }: MessageEvent<Response>) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#stop(event.message || "its code could not be loaded");
    });
    worker.addEventListener("messageerror", () => this.#stop("it could not be understood"));
    this.#worker = worker;
    return worker;
  }

  #send(worker: Worker, request: Request): void {
    worker.postMessage(request);
  }

  #receive(response: Response): void {
    const pending = this.#pending.get(response.id);
    // One that was cancelled is not waited for.
    if (pending === undefined) return;
    if (response.kind === "progress") {
      pending.onProgress?.(response.progress);
      return;
    }
    this.#pending.delete(response.id);
    if (response.kind === "done") pending.resolve(response.output);
    else pending.reject(new EngineFailure(response.failure));
    this.#endIfLeft();
  }

  #endIfLeft(): void {
    if (!this.#isLeft || this.#pending.size > 0) return;
    this.#isLeft = false;
    this.close();
  }

  #stop(reason: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new EngineStoppedError(reason));
  }
}
