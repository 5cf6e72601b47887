import type { Program, Tensor } from "../../core/exact/tape/types.ts";

/** What one step reads besides the state. */
export type StepInput = {
  /** M × N whole objects, one after another, in the order of the batch; the program's INPUT nodes pick their bytes. */
  readonly objects: Uint8Array;
  /** LR of this step, an unsigned 16-bit integer over 2^rL. */
  readonly learningRate: number;
};

/** What one step puts out besides the state. */
export type StepOutput = {
  /** The tensor that the program marks as witness, of the last micro-batch. */
  readonly witness: Tensor;
};

/** A state kept by an engine while it trains: state never passes through JavaScript between steps of one `run`. */
export interface TrainingSession {
  readonly program: Program;
  /** Replaces the whole state: one array per slot, in order. */
  setState(state: readonly Int32Array[]): Promise<void>;
  /** Runs consecutive steps. After a failure the state is that of before the call. */
  run(steps: readonly StepInput[]): Promise<StepOutput[]>;
  /** A copy of the whole state, one array per slot. */
  getState(): Promise<Int32Array[]>;
  close(): Promise<void>;
}

export type ExecutorOptions = {
  /** Bytes of one object of the dataset. */
  readonly objectBytes: number;
  /** Micro-batches of one step (M). */
  readonly microBatches: number;
  /** Threads the engine may use; 1 by default. The bits do not depend on it. */
  readonly threads?: number;
  /** Graph optimisation of the engine, where it has one; the bits do not depend on it. */
  readonly optimization?: "all" | "basic" | "disabled";
  /** Bytes of memory that the program may take by `estimateMemory`; no limit by default. */
  readonly memoryLimit?: number;
};

/** Tape 0 of one program in an engine, for as many micro-batches as are asked for: the graph is loaded once. */
export interface TraceSession {
  /**
   * Every tensor of tape 0 for one micro-batch, by node. The tensors are the caller's.
   *
   * @param objects N whole objects
   * @throws BadInputError for a state or objects that are none of the program's, EngineError
   */
  trace(state: readonly Int32Array[], objects: Uint8Array): Promise<Tensor[]>;
  close(): Promise<void>;
}

/** One engine: `native` (onnxruntime-node), `wasm` (onnxruntime-web), `reference` (bigint). */
export interface Executor {
  readonly name: string;
  open(program: Program, options: ExecutorOptions): Promise<TrainingSession>;
  /**
   * Opens what gives every tensor of tape 0, from the open lowering: for disputes and tests.
   *
   * @throws BadInputError for options that no engine takes, ModelTooLargeError, EngineError
   */
  openTrace(program: Program, options: ExecutorOptions): Promise<TraceSession>;
  /** Forward only: the witness tensor of one micro-batch. */
  predict(
    program: Program,
    state: readonly Int32Array[],
    objects: Uint8Array,
    options: ExecutorOptions,
  ): Promise<Tensor>;
}
