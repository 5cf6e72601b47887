/** The parts of snarkjs 0.7.6 that Assay uses; the package has no types of its own. */
declare module "snarkjs" {
  import type { Curve } from "ffjavascript";
  import type { SnarkjsProof, SnarkjsVerifyingKey } from "../keepers/src/core/groth16/snarkjs.ts";

  /** A file by path, by bytes, or a memory file that a call fills. */
  export type File = string | Uint8Array | { type: "mem"; data?: Uint8Array };

  export type Signals = { [signal: string]: unknown };

  export interface Logger {
    debug(message: string): void;
    info(message: string): void;
    warn(message: string): void;
    error(message: string): void;
  }

  export type ProofResult = { proof: SnarkjsProof; publicSignals: string[] };

  export const groth16: {
    fullProve(
      input: Signals,
      wasm: File,
      zkey: File,
      logger?: Logger,
      witnessOptions?: object,
      proverOptions?: { singleThread?: boolean },
    ): Promise<ProofResult>;
    prove(
      zkey: File,
      witness: File,
      logger?: Logger,
      options?: { singleThread?: boolean },
    ): Promise<ProofResult>;
    verify(
      key: SnarkjsVerifyingKey,
      publicSignals: readonly string[],
      proof: SnarkjsProof,
      logger?: Logger,
    ): Promise<boolean>;
  };

  export const wtns: {
    calculate(input: Signals, wasm: File, witness: File, options?: object): Promise<void>;
    exportJson(witness: File): Promise<bigint[]>;
  };

  export const powersOfTau: {
    newAccumulator(curve: Curve, power: number, file: File, logger?: Logger): Promise<Uint8Array>;
    contribute(
      source: File,
      target: File,
      name: string,
      entropy: string,
      logger?: Logger,
    ): Promise<Uint8Array>;
    beacon(
      source: File,
      target: File,
      name: string,
      beaconHex: string,
      iterationsExponent: number,
      logger?: Logger,
    ): Promise<Uint8Array>;
    preparePhase2(source: File, target: File, logger?: Logger): Promise<void>;
    verify(file: File, logger?: Logger): Promise<boolean>;
  };

  export const zKey: {
    newZKey(r1cs: File, powersOfTau: File, target: File, logger?: Logger): Promise<Uint8Array | -1>;
    contribute(
      source: File,
      target: File,
      name: string,
      entropy: string,
      logger?: Logger,
    ): Promise<Uint8Array>;
    beacon(
      source: File,
      target: File,
      name: string,
      beaconHex: string,
      iterationsExponent: number,
      logger?: Logger,
    ): Promise<Uint8Array>;
    verifyFromInit(initial: File, powersOfTau: File, key: File, logger?: Logger): Promise<boolean>;
    verifyFromR1cs(r1cs: File, powersOfTau: File, key: File, logger?: Logger): Promise<boolean>;
    exportVerificationKey(key: File, logger?: Logger): Promise<SnarkjsVerifyingKey>;
  };
}
