import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { CircuitInput } from "../../core/groth16/inputs.ts";
import type { CircuitFiles, ProveReply, ProveRequest } from "./messages.ts";
import type { ProveResult } from "./prover.ts";
import { ProverError, UnprovableError } from "./prover.ts";
import { TimeLimit } from "./time-limit.ts";

export type LaneOptions<Circuit extends string> = {
  circuits: Record<Circuit, CircuitFiles>;
  /** How long an idle process is kept for the next proof, in milliseconds; it starts in about half a second. */
  idleTime?: number;
  /** Milliseconds that a process gets for a proof at least, before it counts as hanging; see {@link TimeLimit}. */
  leastTimeLimit?: number;
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

/**
 * ffjavascript's threads are of web-worker, which hands what a task throws to `console.error` and goes on: whoever waits for the
 * task would wait for ever. Thrown from there, it ends the thread, and with it the process.
 */
const threadGuard = `import { isMainThread } from "node:worker_threads";
if (!isMainThread) console.error = (error) => { throw error; };`;

type Job<Circuit> = {
  circuit: Circuit;
  input: CircuitInput;
  signal: AbortSignal | undefined;
  resolve: (result: ProveResult) => void;
  reject: (reason: unknown) => void;
};

const script = fileURLToPath(new URL("./prover-process.ts", import.meta.url));
const defaultIdleTime = 10_000;

/** A process that is lost under a proof is replaced this many times before the proof is given up. */
const retries = 1;

/** Enough of a dead process' last words to recognise why it died. */
const keptErrorOutput = 2000;

/** How a process was lost under a proof, the details, and what its owner may do about it. */
type Lost = { readonly lost: keyof typeof remedies; readonly why: string };
const remedies = {
  died: "A proof needs about 400 MB of memory: see whether the system ended the process for want of it.",
  "gave no answer":
    "See what else keeps the machine busy, and whether it has the 400 MB of memory that a proof needs.",
  "could not be started":
    "See whether the limits on processes, open files and memory leave room for one more process.",
} as const;

/** The reason with which a proof stops that is made again later. */
const setAside = Symbol("set aside");

/** Proofs that one child process makes, one after the other; it is started when there is work and ended when there is none. */
export class ProvingLane<Circuit extends string> {
  readonly #options: LaneOptions<Circuit>;
  readonly #queue: Job<Circuit>[] = [];
  /** This lane's own: what strangers have proved says nothing about what is due. */
  readonly #limits = new Map<Circuit, TimeLimit>();
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
      const reply = await this.#ask({ id: this.#nextId++, files, input }, this.#limitOf(circuit));
      if ("proof" in reply) {
        this.#options.onPeakMemory?.(reply.peakMemory);
        return { proof: reply.proof, publicSignals: reply.publicSignals };
      }
      if ("lost" in reply) {
        if (attempt < retries) continue;
        const how = `${reply.lost} ${attempt + 1} times (${reply.why})`;
        throw new ProverError(`The proving process ${how}.`, { next: remedies[reply.lost] });
      }
      if (reply.failure === "witness") throw new UnprovableError(circuit, reply.message);
      // What has spoilt this proof, such as a thread that could not be made, may be there still for the next one.
      void this.#stop();
      throw new ProverError(`The proof of ${circuit} failed: ${reply.message}`);
    }
  }

  #limitOf(circuit: Circuit): TimeLimit {
    const known = this.#limits.get(circuit);
    if (known !== undefined) return known;
    const limit = new TimeLimit(this.#options.leastTimeLimit);
    this.#limits.set(circuit, limit);
    return limit;
  }

  /** Settles when the child answers, fails in whatever way, has had its time, or is told to stop. */
  #ask(request: ProveRequest, limit: TimeLimit): Promise<ProveReply | Lost> {
    const started = performance.now();
    const time = limit.milliseconds;
    let child: ChildProcess;
    try {
      child = this.#start();
    } catch (error) {
      return Promise.resolve({ lost: "could not be started", why: (error as Error).message });
    }
    return new Promise((resolve, reject) => {
      let errorOutput = "";
      const onErrorOutput = (chunk: Buffer): void => {
        errorOutput = (errorOutput + chunk.toString()).slice(-keptErrorOutput);
      };
      const settle = (action: () => void): void => {
        this.#abortCurrent = undefined;
        clearTimeout(overdue);
        child.off("message", onMessage);
        child.off("exit", onExit);
        child.off("error", onError);
        child.stderr?.off("data", onErrorOutput);
        this.#holdOpen(child, false);
        action();
      };
      const lose = (lost: Lost["lost"], why: string): void => settle(() => resolve({ lost, why }));
      const onMessage = (reply: ProveReply): void => {
        if (reply.id !== request.id) return;
        if ("proof" in reply) limit.made(performance.now() - started);
        settle(() => resolve(reply));
      };
      const onExit = (code: number | null, signal: string | null): void => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        lose("died", errorOutput === "" ? how : `${how}: ${errorOutput.trim()}`);
      };
      const onError = (error: Error): void => {
        lose(child.pid === undefined ? "could not be started" : "died", error.message);
        if (child.pid !== undefined) child.kill("SIGKILL");
      };
      const overdue = setTimeout(() => {
        limit.overrun();
        lose("gave no answer", `the last time within ${time / 1000} s`);
        void this.#stop();
      }, time);
      this.#abortCurrent = (reason) => {
        settle(() => reject(reason));
        void this.#stop();
      };
      child.on("message", onMessage);
      child.on("exit", onExit);
      child.on("error", onError);
      child.stderr?.on("data", onErrorOutput);
      this.#holdOpen(child, true);
      if (child.pid === undefined) return;
      try {
        // Whoever cannot be asked is of no use: its end is what decides.
        child.send(request, (error) => error !== null && child.kill("SIGKILL"));
      } catch (error) {
        // What cannot be sent at all is the fault of whoever asked.
        settle(() => reject(error));
      }
    });
  }

  /** @throws the system's error, where it refuses a process at once; other refusals follow as an event of a child without an id */
  #start(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = fork(script, [String(this.#options.niceness)], {
      execArgv: ["--expose-gc", "--import", `data:text/javascript,${encodeURIComponent(threadGuard)}`],
      env: { ...process.env, ...allocatorSettings },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const forget = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    child.once("exit", forget);
    child.on("error", forget);
    if (child.pid !== undefined) this.#child = child;
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
      const ended = new Promise<void>((resolve) => {
        child.once("exit", () => resolve());
        child.once("error", () => resolve());
      });
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
