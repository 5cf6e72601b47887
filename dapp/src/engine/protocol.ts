import type { Engines, Method } from "./methods.ts";

/** How far a call is; `total` is left out while nobody knows it. */
export type Progress = {
  readonly stage: "reading" | "encoding" | "sending" | "loading" | "computing" | "checking";
  readonly done: number;
  readonly total?: number;
  readonly unit: "objects" | "bytes" | "bundles" | "steps" | "samples" | "parts";
};

/** What the page asks of the worker. */
export type Request =
  | { readonly kind: "call"; readonly id: number; readonly method: Method; readonly input: unknown }
  | { readonly kind: "cancel"; readonly id: number };

/** What the worker answers. */
export type Response =
  | { readonly kind: "progress"; readonly id: number; readonly progress: Progress }
  | { readonly kind: "done"; readonly id: number; readonly output: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure };

/** An error on its way between threads: what it says is kept, its class is only named. */
export type Failure = {
  readonly name: string;
  readonly message: string;
  readonly kept?: string;
  readonly next?: string;
  /** Where in a model, for errors that name a place. */
  readonly node?: string;
  readonly operator?: string;
};

/** What a method is given beside its input. */
export type CallContext = {
  readonly signal: AbortSignal;
  progress(progress: Progress): void;
};

/** The methods themselves, as the worker has them. */
export type Handlers = {
  readonly [M in Method]: (input: Engines[M]["input"], context: CallContext) => Promise<Engines[M]["output"]>;
};
