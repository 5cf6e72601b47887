/** The parts of ffjavascript 0.3.1 that Assay uses; the package has no types of its own. */
declare module "ffjavascript" {
  /** Curve operations on points held as bytes, coordinates little-endian in Montgomery form. */
  export interface CurveGroup {
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    timesFr(point: Uint8Array, scalar: Uint8Array): Uint8Array;
    toAffine(point: Uint8Array): Uint8Array;
    /** Points affine, scalars 32 bytes each, little-endian, not in Montgomery form. */
    multiExpAffine(points: Uint8Array, scalars: Uint8Array): Promise<Uint8Array>;
  }

  /** Elements as 32 bytes, little-endian in Montgomery form. */
  export interface ScalarField {
    /** `w[k]` generates the subgroup of order 2^k. */
    readonly w: Uint8Array[];
    e(value: bigint): Uint8Array;
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    mul(a: Uint8Array, b: Uint8Array): Uint8Array;
    neg(a: Uint8Array): Uint8Array;
    random(): Uint8Array;
  }

  export type Parameter = { var: number } | { val: number };

  /** One step of a task that a WASM thread runs to its end. */
  export type Step =
    | { cmd: "ALLOCSET"; var: number; buff: Uint8Array }
    | { cmd: "ALLOC"; var: number; len: number }
    | { cmd: "CALL"; fnName: string; params: Parameter[] }
    | { cmd: "GET"; out: number; var: number; len: number };

  export interface ThreadManager {
    /** The curve's WASM module; set on single-threaded curves only. */
    readonly code: Uint8Array;
    /** Addresses of the generators in its memory. */
    readonly pG1gen: number;
    readonly pG2gen: number;
    queueAction(task: Step[]): Promise<Uint8Array[]>;
  }

  export interface Curve {
    readonly G1: CurveGroup;
    readonly G2: CurveGroup;
    readonly Fr: ScalarField;
    readonly tm: ThreadManager;
    terminate(): Promise<void>;
  }

  /** Loads the curve, on all cores unless told otherwise. The multi-threaded curve is one for the whole process. */
  export function getCurveFromName(name: "bn128", singleThread?: boolean): Promise<Curve>;
}
