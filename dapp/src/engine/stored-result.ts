import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { decodeLeaves, decodeState, type OpenedLeaf } from "../../../keepers/src/core/exact/result-files.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { stateRootOf } from "../../../keepers/src/training/trace/commitments.ts";

/** The leaves of a trace as they are stored; undefined for bytes that are none of that length. */
export function leavesOf(
  bytes: Uint8Array | undefined,
  run: { readonly steps: number; readonly interval: number },
): OpenedLeaf[] | undefined {
  try {
    return bytes === undefined ? undefined : decodeLeaves(bytes, run);
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}

/** A stored state, where it has the root that somebody stands for. */
export function stateOf(
  bytes: Uint8Array | undefined,
  { compiled: { program } }: JobProgram,
  stateRoot: string,
): Int32Array[] | undefined {
  try {
    const state = bytes === undefined ? undefined : decodeState(program, bytes);
    return state !== undefined && stateRootOf(program, state) === stateRoot ? state : undefined;
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}
