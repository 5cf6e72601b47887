/** Names that a challenger gives because it wants to, not because anything is wrong there. */
import {
  checkpointSteps,
  descent,
  type Move,
  type Round,
} from "../../../../keepers/src/training/dispute/moves.ts";
import { levelsDown } from "../../../../keepers/src/training/dispute/nodes.ts";
import type { Story } from "./story.ts";
import { Tree } from "./tree.ts";

/** Names a tensor, or the way to it; as a link where it is a LOAD, or a STORE that is right by itself. */
export function towards(claimed: Story, round: Round, place: number, isLink?: boolean): Move {
  const level = Number(round.position.level);
  const down = levelsDown(level, Number(round.position.leaves));
  if (level === down) {
    const { tape, node } = claimed.job.places[place]!;
    const isStore =
      claimed.job.program.tapes[tape][node]!.opcode === "STORE" && isCopied(claimed, round, place);
    return nameTensor(claimed, round, place, isLink ?? (isStore ? true : undefined));
  }
  const { tree } = claimed.list(Number(round.position.firstStep));
  const at = place >> (level - down);
  const number = BigInt(at - (Number(round.position.index) << down));
  return descent("nameChild", number, tree.node(level - down, at), tree.proof(at, level - down, level));
}

/** Whether the tensor of a STORE is the one that it copies. */
function isCopied(claimed: Story, round: Round, place: number): boolean {
  const { commitments } = claimed.list(Number(round.position.firstStep));
  const [input] = claimed.job.inputsOf(claimed.job.places[place]!);
  return commitments[input!] === commitments[place];
}

export function nameStep(claimed: Story, { position: p }: Round, number: number): Move {
  const roots = checkpointSteps(Number(p.firstStep), Number(p.steps)).map((end) => claimed.roots[end]!);
  const tree = new Tree(roots);
  return descent("nameStep", {
    number: BigInt(number),
    before: number === 0 ? p.stateBefore : roots[number - 1],
    beforeSiblings: number === 0 ? [] : tree.proof(number - 1),
    next: roots[number],
    nextSiblings: tree.proof(number),
  });
}

function nameTensor(claimed: Story, { position: p }: Round, place: number, isLink?: boolean): Move {
  const { job } = claimed;
  const { tree, commitments } = claimed.list(Number(p.firstStep));
  const level = Number(p.level);
  const { tape, node } = job.places[place]!;
  const { opcode } = job.program.tapes[tape][node]!;
  return descent("nameTensor", {
    number: BigInt(place - (Number(p.index) << levelsDown(level, Number(p.leaves)))),
    commitment: commitments[place],
    siblings: tree.proof(place, 0, level),
    descriptor: job.descriptor(tape, node),
    descriptorSiblings: job.descriptorProof(tape, node),
    isLink: isLink ?? opcode === "LOAD",
  });
}
