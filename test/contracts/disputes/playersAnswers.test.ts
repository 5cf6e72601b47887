import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AbiFunction,
  concatHex,
  decodeAbiParameters,
  type Hex,
  keccak256,
  size,
  slice,
  toFunctionSelector,
} from "viem";
import { moveAbi } from "../../../keepers/src/training/dispute/abi.ts";
import { encodeMove, type Round } from "../../../keepers/src/training/dispute/moves.ts";
import { readAnswer, selectorOf } from "../../../keepers/src/training/dispute/posted.ts";
import { createArena } from "./game/arena.ts";
import { oddJob } from "./game/hand-made.ts";
import { hardToRead, roundBytes, word } from "./game/hard-to-read.ts";
import { mlpJob, otherMantissa } from "./game/scenes.ts";
import { nameStep, towards } from "./game/shams.ts";
import { Story } from "./game/story.ts";

const arena = await createArena();
describe("answers of a provider", () => {
  it("come in moves that the contracts have", () => {
    const { descent, element, sum, range, input } = arena.contracts;
    // The game itself opens the leaves of a challenge: nobody plays that.
    const known = new Set(
      [descent, element, sum, range, input].flatMap(({ abi }) =>
        (abi as readonly { type: string }[])
          .filter((item): item is AbiFunction => item.type === "function")
          .filter(({ name }) => name !== "openLeaves")
          .map((item) => toFunctionSelector(item)),
      ),
    );
    const own = moveAbi.filter((item) => item.type === "function").map((item) => toFunctionSelector(item));
    assert.deepEqual(new Set(own), known);
  });

  for (const [name, job, place, delta] of [
    ["a product", mlpJob(), 5, 0n],
    ["a long sum", oddJob(4_096), 4, 1n],
  ] as const) {
    it(`are read however they are encoded, in a dispute over ${name}`, async () => {
      const honest = new Story(job);
      const wrong = otherMantissa(honest.tensors(0)[place]!);
      const liar = new Story(job, { step: 0, place, change: () => wrong }, honest);
      const id = 700n + delta;
      await arena.open(liar, id);
      const opened = await arena.challenge(liar, 0, id);
      const { answers } = await arena.disputeOf(opened.id);
      assert.deepEqual(answers, []);
      const played = await arena.playOut(opened.id, honest, liar, {
        pick(round, stage) {
          if (stage === "Step") return nameStep(liar, round, 0);
          return stage === "Node" ? towards(liar, round, place) : undefined;
        },
        tilt: delta,
        encode: hardToRead,
      });
      assert.equal(played.ending, "convicted");
      for (const answer of (await arena.disputeOf(opened.id)).answers) {
        assert.match(answer.arguments, /ee{63}/);
      }
    });
  }

  it("are read even when they lead into the round itself", async () => {
    const story = new Story(mlpJob());
    await arena.open(story, 800n);
    const opened = await arena.challenge(story, 0, 800n);
    const base = await arena.roundOf(opened.id);
    // 512 products are cut into 64 ranges of 8: their sums have 512 bytes, as the word "to" of the round says.
    const round: Round = { ...base, stage: 11, position: { ...base.position, from: 0n, to: 512n } };
    const usual = encodeMove(round, { book: "range", name: "postSums", args: ["0x"] });
    const to = 32 * 19;
    assert.equal(BigInt(slice(usual, 4 + to, 4 + to + 32)), 512n);
    const data = concatHex([slice(usual, 0, 4 + roundBytes), word(to)]);
    const { range } = arena.contracts;
    const result = await arena.publicClient.call({ to: range.address, data });
    const roundType = moveAbi.find((item) => item.type === "function")!.inputs[0]!;
    const [, next] = decodeAbiParameters([{ type: "uint8" }, roundType], result.data!);
    const answer = { round, selector: selectorOf("postSums"), arguments: word(to) };
    const posted = readAnswer(answer);
    assert.ok(posted.move === "postSums");
    assert.equal(keccak256(posted.sums), next.position.sums);
    assert.equal(size(posted.sums), 512);
  });

  it("that nobody can have made are refused", async () => {
    const story = new Story(mlpJob());
    await arena.open(story, 801n);
    const round = await arena.roundOf((await arena.challenge(story, 0, 801n)).id);
    const posted = (selector: Hex, rest: Hex) => () => readAnswer({ round, selector, arguments: rest });
    const error = { name: "DisputeHistoryError" };
    const nodes = selectorOf("postNodes");
    const offset = word(roundBytes + 32);
    assert.throws(posted("0x12345678", offset), error);
    assert.throws(posted(selectorOf("nameChild"), offset), error);
    assert.throws(posted(nodes, concatHex([offset, word(2n ** 255n - 1n)])), error);
    assert.throws(posted(nodes, concatHex([offset, word(10_000)])), error);
    assert.throws(posted(nodes, `0x${"00".repeat(2 ** 18 + 1)}`), error);
    // What ends too early is read as the EVM does, with zeros.
    assert.deepEqual(posted(nodes, concatHex([offset, word(1), "0x01"]))(), {
      move: "postNodes",
      nodes: [`0x01${"00".repeat(31)}`],
    });
    // An offset that is missing is zero: it leads to the round, whose stage is 1.
    assert.deepEqual(posted(selectorOf("postHashes"), word(-7))(), {
      move: "postHashes",
      exponent: -7n,
      nodes: [word(round.interval)],
    });
  });
});
