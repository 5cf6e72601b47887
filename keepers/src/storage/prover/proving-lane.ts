import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CircuitInput } from "../../core/groth16/inputs.ts";
import type { CircuitFiles, ProveReply, ProveRequest } from "./messages.ts";
import type { ProveResult } from "./prover.ts";
import { ProverError, UnprovableError } from "./prover.ts";

export type LaneOptions<Circuit extends string> = {
  circuits: Record<Circuit, CircuitFiles>;
  /** How long an idle process is kept for the next proof, in milliseconds; it starts in about half a second. */
  idleTime?: number;
  /** Told the highest resident memory of the proving process so far, in bytes, after each proof. */
  onPeakMemory?: (bytes: number) => void;
  /** How much lower than the keeper's own the process' priority is: 0 to 19, as `nice` has it. */
  niceness: number;
  /** Told when there is nothing left to be done. */
  onIdle?: () => void;
};

/**
 * glibc raises its threshold for giving memory straight back to the system with every large buffer that is freed. Fixed at
 * 1 MB it keeps the peak of a series of proofs at that of one. Other C libraries ignore these.
 */
const allocatorSettings = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "1048576" };

type Job<Circuit> = {
  circuit: Circuit;
  input: CircuitInput;
  signal: AbortSignal | undefined;
  resolve: (result: ProveResult) => void;
  reject: (reason: unknown) => void;
};

const script = fileURLToPath(new URL("./prover-process.ts", import.meta.url));
const defaultIdleTime = 10_000;

/** A process that dies under a proof is replaced this many times before the proof is given up. */
const retries = 1;

/** Enough of a dead process' last words to recognise why it died. */
const keptErrorOutput = 2000;

/** The reason with which a proof stops that is made again later. */
const setAside = Symbol("set aside");

/** Proofs that one child process makes, one after the other; it is started when there is work and ended when there is none. */
export class ProvingLane<Circuit extends string> {
  readonly #options: LaneOptions<Circuit>;
  readonly #queue: Job<Circuit>[] = [];
  #child: ChildProcess | undefined;
  #current: Job<Circuit> | undefined;
  #abortCurrent: ((reason: unknown) => void) | undefined;
  #ending: Promise<void> = Promise.resolve();
  #closed = false;
  #paused = false;
  #nextId = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions<Circuit>) {
    this.#options = options;
  }

  /** Proofs asked for and not yet answered. */
  get pending(): number {
    return this.#queue.length + (this.#current === undefined ? 0 : 1);
  }

  /** The proving process, while there is one. */
  get processId(): number | undefined {
    return this.#child?.pid;
  }

  prove(circuit: Circuit, input: CircuitInput, signal: AbortSignal | undefined): Promise<ProveResult> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw closedError();
      const job: Job<Circuit> = { circuit, input, signal, resolve, reject };
      signal?.addEventListener("abort", () => this.#drop(job, signal.reason), { once: true });
      this.#queue.push(job);
      void this.#work();
    });
  }

  /** Stops at once; the proof under way is made again from its beginning after {@link resume}. @returns whether there was one */
  pause(): boolean {
    this.#paused = true;
    const stop = this.#abortCurrent;
    stop?.(setAside);
    return stop !== undefined;
  }

  resume(): void {
    this.#paused = false;
    void this.#work();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const reason = closedError();
    for (const job of this.#queue.splice(0)) job.reject(reason);
    this.#abortCurrent?.(reason);
    await this.#stop();
  }

  async #work(): Promise<void> {
    if (this.#current !== undefined || this.#paused) return;
    clearTimeout(this.#idle);
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      this.#current = job;
      try {
        job.resolve(await this.#run(job));
      } catch (error) {
        if (error === setAside && !this.#closed) this.#queue.unshift(job);
        else job.reject(error === setAside ? closedError() : error);
      }
    }
    this.#current = undefined;
    if (this.#queue.length === 0) this.#options.onIdle?.();
    if (this.#child === undefined) return;
    this.#idle = setTimeout(() => void this.#stop(), this.#options.idleTime ?? defaultIdleTime);
    this.#idle.unref();
  }

  #next(): Job<Circuit> | undefined {
    return this.#paused ? undefined : this.#queue.shift();
  }

  async #run({ circuit, input, signal }: Job<Circuit>): Promise<ProveResult> {
    const files = this.#options.circuits[circuit];
    await assertReadable(circuit, files);
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      if (this.#closed) throw closedError();
      if (this.#paused) throw setAside;
      const reply = await this.#ask({ id: this.#nextId++, files, input });
      if ("proof" in reply) {
        this.#options.onPeakMemory?.(reply.peakMemory);
        return { proof: reply.proof, publicSignals: reply.publicSignals };
      }
      if ("died" in reply) {
        if (attempt < retries) continue;
        throw new ProverError(`The proving process died ${attempt + 1} times (${reply.died}).`, {
          next: "A proof needs about 400 MB of memory: see whether the system ended the process for want of it.",
        });
      }
      if (reply.failure === "witness") throw new UnprovableError(circuit, reply.message);
      throw new ProverError(`The proof of ${circuit} failed: ${reply.message}`);
    }
  }

  /** Settles when the child answers, dies, or is told to stop. */
  #ask(request: ProveRequest): Promise<ProveReply | { died: string }> {
    const child = this.#start();
    return new Promise((resolve, reject) => {
      let errorOutput = "";
      const onError = (chunk: Buffer): void => {
        errorOutput = (errorOutput + chunk.toString()).slice(-keptErrorOutput);
      };
      const settle = (action: () => void): void => {
        this.#abortCurrent = undefined;
        child.off("message", onMessage);
        child.off("exit", onExit);
        child.stderr?.off("data", onError);
        this.#holdOpen(child, false);
        action();
      };
      const onMessage = (reply: ProveReply): void => {
        if (reply.id === request.id) settle(() => resolve(reply));
      };
      const onExit = (code: number | null, signal: string | null): void => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        settle(() => resolve({ died: errorOutput === "" ? how : `${how}: ${errorOutput.trim()}` }));
      };
      this.#abortCurrent = (reason) => {
        settle(() => reject(reason));
        void this.#stop();
      };
      child.on("message", onMessage);
      child.on("exit", onExit);
      child.stderr?.on("data", onError);
      this.#holdOpen(child, true);
      // A failure to send is followed by the exit event, which decides.
      child.send(request, () => {});
    });
  }

  #start(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = fork(script, [String(this.#options.niceness)], {
      execArgv: ["--expose-gc"],
      env: { ...process.env, ...allocatorSettings },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }

  /** A proof under way keeps the keeper alive; an idle process must not. */
  #holdOpen(child: ChildProcess, hold: boolean): void {
    const change = hold ? "ref" : "unref";
    child[change]();
    child.channel?.[change]();
  }

  /** Kills rather than asks: WASM in full swing does not listen. Settles when every process told to end has ended. */
  #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit").then(() => {});
      this.#ending = Promise.all([this.#ending, ended]).then(() => {});
      child.ref();
      child.kill("SIGKILL");
    }
    return this.#ending;
  }

  #drop(job: Job<Circuit>, reason: unknown): void {
    const position = this.#queue.indexOf(job);
    if (position >= 0) {
      this.#queue.splice(position, 1);
      job.reject(reason);
    } else if (this.#current === job) {
      this.#abortCurrent?.(reason);
    }
  }
}

export function closedError(): ProverError {
  return new ProverError("The prover was closed before the proof was made.");
}

async function assertReadable(circuit: string, files: CircuitFiles): Promise<void> {
  try {
    await Promise.all([access(files.wasm), access(files.zkey)]);
  } catch (cause) {
    throw new ProverError(`The files of the circuit ${circuit} are not there.`, {
      next: "Run the set-up (`npm start` does), or install the production keys.",
      cause,
    });
  }
}
