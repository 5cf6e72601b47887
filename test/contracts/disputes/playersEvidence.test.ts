import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { type Hex, keccak256, toHex } from "viem";
import { type Book, encodeMove, type Move, type Round } from "../../../keepers/src/training/dispute/moves.ts";
import { createArena } from "./game/arena.ts";
import {
  digestOf,
  type EvidenceJob,
  evidenceJobs,
  evidenceOf,
  type RecordedEvidence,
} from "./game/evidence-cases.ts";
import { isRecording, writeLines } from "./game/recorded.ts";
import { Story } from "./game/story.ts";

const arena = await createArena();
const { element, sum, range, input, descent } = arena.contracts;
const addresses: { readonly [B in Book]: Hex } = {
  descent: descent.address,
  element: element.address,
  sum: sum.address,
  range: range.address,
  input: input.address,
};

/** What a contract says of a move in a round, whoever would be to make it. */
async function judged(round: Round, move: Move): Promise<string> {
  const data = encodeMove(round, move);
  return await arena.publicClient.call({ to: addresses[move.book], data }).then(
    () => "shown",
    (error) =>
      /(0x[0-9a-f]{8})/.exec(String(error.walk?.((each: { data?: Hex }) => each.data)?.data ?? error))?.[1] ??
      String(error),
  );
}

const nothingShown = keccak256(toHex("NothingShown()")).slice(0, 10);

describe("what opens an element", () => {
  const recorded: RecordedEvidence[] = [];
  after(() => {
    if (isRecording) writeLines("dispute-evidence", recorded);
  });

  for (const [name, { about, make }] of Object.entries(evidenceJobs)) {
    it(`is what the contract asks for, and shows nothing where nothing is wrong: ${about}`, async () => {
      const story = new Story(make());
      const claim = arena.claimOf(story);
      const cases = await evidenceOf(story, about);
      for (const { node, out, moves } of cases) {
        for (const { round, move } of moves) {
          const found = await judged({ ...round, claim }, move);
          assert.equal(found, nothingShown, `${move.name} of ${node}, element ${out}`);
        }
      }
      const nodes = [...new Set(cases.map(({ node }) => node))];
      assert.ok(nodes.length > 5, nodes.join());
      recorded.push(
        ...nodes.map((node) => ({ job: name as EvidenceJob, node, digest: digestOf(cases, node) })),
      );
    });
  }
});
