import { bytesToHex, type Hex, hexToBytes } from "viem";
import {
  DataRootHasher,
  intervalSalt,
  StateHasher,
  stateRoot,
  tensorCommitment,
  traceLeaf,
  traceRoot,
  witnessHash,
} from "../../core/exact/commitment.ts";
import type { Program, Tensor } from "../../core/exact/tape/types.ts";

/** Root of a state, for a program whose states are hashed now and then. */
export function stateRootOf(program: Program, state: readonly Int32Array[]): Hex {
  return bytesToHex(stateRoot(program, state));
}

/** Hashes the states and witnesses of one program, again and again. */
export class RunHasher {
  readonly #states: StateHasher;
  readonly #witness: DataRootHasher;

  constructor(program: Program) {
    this.#states = new StateHasher(program);
    this.#witness = new DataRootHasher(program.tapes[0][program.witness]!.output);
  }

  state(state: readonly Int32Array[]): Hex {
    return bytesToHex(this.#states.root(state));
  }

  witness({ mantissas, exponent }: Tensor): Hex {
    return bytesToHex(tensorCommitment(this.#witness.root(mantissas), exponent));
  }
}

/** h of an interval, which hides its witness commitments until the salt is opened. */
export function intervalHash(secret: Hex, interval: number, witnesses: readonly Hex[]): Hex {
  const salt = intervalSalt(hexToBytes(secret), interval);
  return bytesToHex(
    witnessHash(
      salt,
      witnesses.map((witness) => hexToBytes(witness)),
    ),
  );
}

/** Root of a whole trace. */
export function traceRootOf(
  leaves: readonly { readonly stateRoot: Hex; readonly h: Hex }[],
  { steps, interval }: { readonly steps: number; readonly interval: number },
): Hex {
  const hashes = leaves.map((leaf) => traceLeaf(hexToBytes(leaf.stateRoot), hexToBytes(leaf.h)));
  return bytesToHex(traceRoot(hashes, steps, interval));
}
