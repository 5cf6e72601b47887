import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  digestOf,
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
    it(`is the same for every kind of node of ${about}: whole, in a part of its sum, and beside the sum`, async () => {
      const cases = await evidenceOf(new Story(make()), about);
      const expected = recorded.filter(({ job }) => job === name);
      assert.ok(expected.length > 5);
      assert.deepEqual(
        expected.map(({ node }) => ({ job: name as EvidenceJob, node, digest: digestOf(cases, node) })),
        expected,
      );
    });
  }
});
