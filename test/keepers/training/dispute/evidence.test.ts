import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeMove } from "../../../../keepers/src/training/dispute/moves.ts";
import { ruledElement } from "../../../../keepers/src/training/dispute/ruled-element.ts";
import {
  digestOf,
  type EvidenceCase,
  type EvidenceJob,
  evidenceJobs,
  evidenceOf,
  type RecordedEvidence,
} from "../../../contracts/disputes/game/evidence-cases.ts";
import { readLines } from "../../../contracts/disputes/game/recorded.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";

const recorded = readLines<RecordedEvidence>("dispute-evidence");

describe("what opens an element, held to what the contracts took on a chain", () => {
  for (const [name, { about, make }] of Object.entries(evidenceJobs)) {
    let known: Promise<{ story: Story; cases: EvidenceCase[] }> | undefined;
    const casesOf = () => {
      known ??= (async () => {
        const story = new Story(make());
        return { story, cases: await evidenceOf(story, about) };
      })();
      return known;
    };

    it(`is the same for every kind of node of ${about}: whole, in a part of its sum, and beside the sum`, async () => {
      const { cases } = await casesOf();
      const expected = recorded.filter(({ job }) => job === name);
      assert.ok(expected.length > 5);
      assert.deepEqual(
        expected.map(({ node }) => ({ job: name as EvidenceJob, node, digest: digestOf(cases, node) })),
        expected,
      );
    });

    it(`is all that anybody needs to compute the element again: ${about}`, async () => {
      const { story, cases } = await casesOf();
      let ruled = 0;
      for (const { node, out, moves } of cases) {
        const [{ round, move }] = moves as [(typeof moves)[number]];
        const found = ruledElement(encodeMove(round, move));
        if (/^(INPUT|ACCUMULATE) /.test(node)) {
          assert.equal(found, undefined, "not from operands alone");
          continue;
        }
        const { firstStep, place } = round.position;
        const { exponent, mantissas } = story.tensors(Number(firstStep))[Number(place)]!;
        const right = {
          element: out,
          exponent,
          claimed: BigInt(mantissas[out]!),
          computed: BigInt(mantissas[out]!),
        };
        assert.deepEqual(
          found && {
            ...{ element: found.element, exponent: found.exponent },
            ...{ claimed: found.claimed, computed: found.computed },
          },
          right,
          `${node}, element ${out}`,
        );
        ruled++;
      }
      assert.ok(ruled > 50);
    });
  }
});
