import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, numberToHex } from "viem";
import { mislabelledMove } from "../../../../keepers/src/training/dispute/mislabelled-player.ts";
import type { Round, StageName } from "../../../../keepers/src/training/dispute/moves.ts";
import { stageOf, stages } from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../../keepers/src/training/dispute/next-move.ts";
import { type Answer, readAnswer, selectorOf } from "../../../../keepers/src/training/dispute/posted.ts";
import { mislabelled, mislabelledPlace } from "../../../contracts/disputes/game/mislabelled.ts";
import { plays } from "../../../contracts/disputes/game/planned.ts";
import { type RecordedPlay, readRecord } from "../../../contracts/disputes/game/recorded.ts";

const recorded: RecordedPlay[] = readRecord("dispute-plays");
const word = (value: number | bigint): Hex => numberToHex(value, { size: 32, signed: value < 0 });
const error = { name: "DisputeHistoryError" };

/** The round of a play that is at a stage, with all that was answered before it. */
function momentOf(play: string, stage: StageName) {
  const { moves } = recorded.find((each) => each.play === play)!;
  return moves.find(({ round }) => stageOf(round) === stage)!;
}

describe("a challenger that is told of a dispute that cannot have been", () => {
  for (const [stage, play, message] of [
    ["TraceName", "a part of a run, by a search", "The answer postTrace is missing."],
    ["Step", "one step of forty", "The states are missing."],
    ["Node", "a wrong mantissa of RELU", "The answer postTensors or postNodes is missing."],
    ["Leaf", "a wrong mantissa of RELU", "The answer postHashes or postNodes is missing."],
    ["Element", "a wrong mantissa of RELU", "The answer postLeaf is missing."],
    ["Sum", "the total of a long sum", "The answer postSums or answerWitnessSums is missing."],
  ] as const) {
    it(`says which answer is missing at ${stage}`, async () => {
      const { own } = await plays[play]!();
      const { round } = momentOf(play, stage);
      await assert.rejects(nextMove({ role: "challenger", own, answers: [] }, round), { ...error, message });
    });
  }

  it("moves again once the answers are there", async () => {
    const { own } = await plays["a wrong mantissa of RELU"]!();
    const { round, answers, move } = momentOf("a wrong mantissa of RELU", "Element");
    assert.equal((await nextMove({ role: "challenger", own, answers }, round))?.name, move?.name);
  });

  it("has no move where nothing that was posted is wrong, and none from a state that is not its own", async () => {
    const { claimed } = await plays["one step of forty"]!();
    const { round, answers } = momentOf("one step of forty", "Step");
    // Whoever computes as the provider did finds nothing.
    const own = claimed;
    assert.equal(await nextMove({ role: "challenger", own, answers }, round), undefined);
    const position = { ...round.position, stateBefore: word(1) };
    const { own: honest } = await plays["one step of forty"]!();
    assert.equal(
      await nextMove({ role: "challenger", own: honest, answers }, { ...round, position }),
      undefined,
    );
  });
});

describe("an answer that nobody can have made", () => {
  const { round } = momentOf("a wrong mantissa of RELU", "Element");
  /** Bytes of a round, and of the one offset behind it. */
  const offset = word(36 * 32);
  const posted = (selector: Hex, rest: Hex) => () =>
    readAnswer({ round, selector, arguments: rest } as Answer);
  const nodes = selectorOf("postNodes");

  it("is refused: another move, a list longer than the call, a call longer than any network takes", () => {
    assert.throws(posted("0x12345678", offset), error);
    assert.throws(posted(selectorOf("nameChild"), offset), error);
    assert.throws(posted("0x1234567890" as Hex, offset), error);
    assert.throws(posted(nodes, concatHex([offset, word(2n ** 255n - 1n)])), error);
    assert.throws(posted(nodes, concatHex([offset, word(1_000)])), error);
    assert.throws(posted(nodes, `0x${"00".repeat(2 ** 18 + 1)}`), error);
    assert.deepEqual(posted(nodes, `0x${offset.slice(2)}${"00".repeat(2 ** 18 - 32)}`)(), {
      move: "postNodes",
      nodes: [],
    });
  });

  it("is not one that ends too early: it is read as the EVM reads it, with zeros", () => {
    assert.deepEqual(posted(nodes, concatHex([offset, word(1), "0x01"]))(), {
      move: "postNodes",
      nodes: [`0x01${"00".repeat(31)}`],
    });
    assert.deepEqual(posted(selectorOf("postLeaf"), concatHex([offset, word(5), "0x0102"]))(), {
      move: "postLeaf",
      leaf: "0x0102000000",
    });
  });

  it("is not one whose offset leads into the round: that is read too", () => {
    // An offset that is missing is zero: it leads to the round, whose stage says how long the list is.
    const stage = stages.indexOf("States");
    const early: Round = { ...round, stage, interval: 9n };
    const answer = { round: early, selector: selectorOf("postHashes"), arguments: word(-7) };
    assert.deepEqual(readAnswer(answer), { move: "postHashes", exponent: -7n, nodes: [word(9)] });
  });
});

describe("a sample that no class fits", () => {
  it("is shown in the challenger's turns alone", async () => {
    const { own, order } = mislabelled(5, 2);
    const sample = { ...mislabelledPlace, order };
    const { round, answers } = momentOf("a sample that no class fits, by a search", "Tensors");
    assert.equal(await mislabelledMove(own, sample, answers, round), undefined);
  });
});
