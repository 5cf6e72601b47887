import { bytesToHex, type Hex } from "viem";
import { encodeDescriptor, programLeafIndex, programTree } from "../../core/exact/tape/descriptor.ts";
import { VoidModelError } from "../../training/compiler/errors.ts";

/** What shows that a program is void: `IDisputeGame.showVoid`. */
export type VoidEvidence = {
  readonly tape: bigint;
  readonly index: bigint;
  readonly descriptor: Hex;
  readonly siblings: readonly Hex[];
};

/**
 * The void node behind a refusal, where there is one and the order commits to the program that it stands in.
 *
 * @param error what compiling the order's package threw, with its causes
 * @param root `programRoot` of the order
 */
export function voidEvidence(error: unknown, root: Hex): VoidEvidence | undefined {
  let found = error;
  while (found instanceof Error && !(found instanceof VoidModelError)) found = found.cause;
  if (!(found instanceof VoidModelError)) return undefined;
  const { program, place } = found;
  const { tape, node } = place;
  const tree = programTree(program);
  // A tape as a whole can break a rule, too: the contract judges nodes alone.
  if (tape === undefined || node === undefined || bytesToHex(tree.root) !== root) return undefined;
  return {
    tape: BigInt(tape),
    index: BigInt(node),
    descriptor: bytesToHex(encodeDescriptor(program, tape, node)),
    siblings: tree.proof(programLeafIndex(program, tape, node)).map((sibling) => bytesToHex(sibling)),
  };
}
