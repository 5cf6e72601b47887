import type { Hex } from "viem";
import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import type { Place } from "./place.ts";
import { storeNode } from "./trace-step.ts";

/** Somebody who says what a run computed: a provider who answers, or the files that a run left. */
export interface Claimant {
  /** State root after a step (counted from 0), where it says one. */
  stateRoot(step: number): Promise<Hex | undefined>;
  /** Witness commitment of a step, where it says one. */
  witness(step: number): Promise<Hex | undefined>;
  /** A tensor of a step, where it says one. */
  tensor(step: number, place: Place): Promise<Tensor | undefined>;
}

/** What a run's files say: roots at leaves and checkpoints, and of a step that ends at a checkpoint what it stored. */
export type RunClaims = {
  readonly program: Program;
  /** State root after a step. */
  root(step: number): Hex | undefined;
  witness(step: number): Hex | undefined;
  /** The state after a step, of a checkpoint. */
  state(step: number): Promise<readonly Int32Array[] | undefined>;
};

/** The claimant that a run's folder is. */
export function claimantOf({ program, root, witness, state }: RunClaims): Claimant {
  const optimizer = program.tapes[2];
  /** The slot that a node's tensor becomes: a STORE's, and that of the node it copies. */
  const slotOf = (node: number): number | undefined =>
    program.state.findIndex((_, slot) => {
      const store = storeNode(optimizer, spaces.state, slot);
      return store === node || optimizer[store]?.inputs[0] === node;
    });
  return {
    stateRoot: (step) => Promise.resolve(root(step)),
    witness: (step) => Promise.resolve(witness(step)),
    async tensor(step, { tape, node }) {
      const slot = tape === 2 ? slotOf(node) : undefined;
      if (slot === undefined || slot < 0) return undefined;
      // A LOAD that is stored as it is belongs to the state before the step.
      if (optimizer[node]!.opcode === "LOAD") return undefined;
      const claimed = await state(step);
      if (claimed === undefined) return undefined;
      const { layout, exponent } = program.state[slot]!;
      return { layout, exponent, mantissas: claimed[slot]! };
    },
  };
}
