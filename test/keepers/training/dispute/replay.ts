/** Moves that were recorded on a chain, made again without one. */
import assert from "node:assert/strict";
import { leafGeometry } from "../../../../keepers/src/core/exact/packing.ts";
import type { ClaimedRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import type { MislabelledSample } from "../../../../keepers/src/training/dispute/mislabelled-player.ts";
import {
  encodeMove,
  type Move,
  ownerOf,
  type Round,
  stageOf,
} from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove, type Player } from "../../../../keepers/src/training/dispute/next-move.ts";
import type { OwnRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import { ruledElement } from "../../../../keepers/src/training/dispute/ruled-element.ts";
import { type RecordedMove, recordMove } from "../../../contracts/disputes/game/recorded.ts";

/** What both sides play from. */
export type Sides = {
  readonly own: OwnRun;
  readonly claimed: ClaimedRun;
  readonly sample?: MislabelledSample | undefined;
};

/** Holds the player whose turn it was to the move that it made on a chain, and the other one to waiting. */
export async function makesMove(recorded: RecordedMove, { own, claimed, sample }: Sides): Promise<void> {
  const { round, answers, move, isPicked } = recorded;
  const provider: Player = { role: "provider", run: claimed };
  const challenger: Player = { role: "challenger", own, answers, ...(sample && { sample }) };
  const isProviders = ownerOf(round) === "provider";
  assert.equal(await nextMove(isProviders ? challenger : provider, round), undefined);
  if (isPicked) return;
  const made = await nextMove(isProviders ? provider : challenger, round);
  assert.deepEqual(recordMove(round, answers, made).move, move, stageOf(round));
  if (made !== undefined) await saysWhatItRules(made, round, own, claimed);
}

/** A ruling says what was claimed and what is right, as the two runs have it. */
async function saysWhatItRules(made: Move, round: Round, own: OwnRun, claimed: ClaimedRun): Promise<void> {
  const ruled = ruledElement(encodeMove(round, made));
  const { firstStep, place, exponent, index } = round.position;
  const [step, number] = [Number(firstStep), Number(place)];
  // At a leaf it is the exponent that is wrong, not an element.
  const isRuling = made.name === "ruleElement" && stageOf(round) === "Element";
  const opcode = isRuling ? (await own.step(step)).node(number).opcode : undefined;
  if (opcode === undefined || ["INPUT", "LOAD", "ACCUMULATE"].includes(opcode)) {
    assert.equal(ruled, undefined);
    return;
  }
  const [{ out }] = made.args as [{ out: bigint }];
  const element = Number(out);
  const [right, wrong] = [await own.step(step), await claimed.step(step)];
  const { first, count } = leafGeometry(right.tensors[number]!.layout).leafElements(Number(index));
  assert.deepEqual(ruled, {
    ...{ opcode, step, element, leafFirst: first, leafElements: count, exponent: Number(exponent) },
    claimed: BigInt(wrong.tensors[number]!.mantissas[element]!),
    computed: BigInt(right.tensors[number]!.mantissas[element]!),
  });
}
