/** The parts of ffjavascript 0.3.1 that Assay uses; the package has no types of its own. */
declare module "ffjavascript" {
  /** Curve operations on affine or projective points held as bytes, coordinates little-endian in Montgomery form. */
  export interface CurveGroup {
    readonly g: Uint8Array;
    toObject(point: Uint8Array): bigint[] | bigint[][];
    fromObject(point: unknown): Uint8Array;
    timesScalar(point: Uint8Array, scalar: bigint): Uint8Array;
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    toAffine(point: Uint8Array): Uint8Array;
    toRprLEM(target: Uint8Array, offset: number, point: Uint8Array): void;
  }

  export interface WasmThread {
    /** The curve's WASM module. */
    readonly code: Uint8Array;
    /** Addresses of the generators in its memory. */
    readonly pG1gen: number;
    readonly pG2gen: number;
  }

  export interface Curve {
    readonly G1: CurveGroup;
    readonly G2: CurveGroup;
    readonly tm: WasmThread;
    terminate(): Promise<void>;
  }

  export function getCurveFromName(name: "bn128", options?: { singleThread?: boolean }): Promise<Curve>;
}
