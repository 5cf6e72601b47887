import assert from "node:assert/strict";
import { it } from "node:test";
import { type DocumentNode, visit } from "graphql";
import { listedAtOnce } from "../../dapp/src/order/offered.ts";
import { rowsAsked } from "../../dapp/src/pages/parts/page-of-list.ts";
import { publishedSchema } from "../../subgraph/generate-queries.ts";
import { maximumFirst } from "../../subgraph/node/query/arguments.ts";
import { costError, defaultLimits } from "../../subgraph/node/query/limits.ts";
import * as documents from "../../subgraph/queries/documents.ts";

/** The most rows that the page asks for by each variable that says how many. */
const largest: Readonly<Record<string, number>> = {
  first: Math.max(listedAtOnce, rowsAsked),
  days: 30,
  audits: maximumFirst,
  payments: maximumFirst,
};

it("every query of the page is one that the node answers, with the largest numbers that the page asks for", () => {
  const schema = publishedSchema();
  const all = Object.entries(documents as Readonly<Record<string, DocumentNode>>);
  assert.ok(all.length > 20);
  for (const [name, document] of all) {
    const variables: Record<string, number> = {};
    visit(document, {
      Argument: ({ name: { value: argument }, value }) => {
        if (argument !== "first" || value.kind !== "Variable") return;
        const most = largest[value.name.value];
        assert.ok(most !== undefined, `${name}: what does the page give $${value.name.value} at most?`);
        variables[value.name.value] = most;
      },
    });
    assert.equal(costError(schema, document, defaultLimits, variables)?.message, undefined, name);
  }
});
