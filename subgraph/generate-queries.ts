// Writes the typed documents of subgraph/queries and their page in the docs: `node subgraph/generate-queries.ts`.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typedDocumentPlugin from "@graphql-codegen/typed-document-node";
import * as operationsPlugin from "@graphql-codegen/typescript-operations";
import { parse, printSchema } from "graphql";
import { apiSchema } from "./node/schema/api-schema.ts";
import { readEntitySchema } from "./node/schema/entity-schema.ts";
import { readyMadeQueries } from "./ready-made.ts";

const folder = import.meta.dirname;
const queries = join(folder, "queries");

/** What clients query, as Graph Node derives it from the entities. */
export const publishedSchema = () =>
  apiSchema(readEntitySchema(readFileSync(join(folder, "schema.graphql"), "utf8")));

/** Text of `queries/documents.ts`. */
export async function typedDocuments(): Promise<string> {
  const scalars = {
    BigInt: "string",
    BigDecimal: "string",
    Bytes: "string",
    Int8: "string",
    Timestamp: "string",
  };
  const text = await codegen({
    filename: "documents.ts",
    schema: parse(printSchema(publishedSchema())),
    documents: readyMadeQueries().map(({ name, text: source }) => ({
      location: `${name}.graphql`,
      document: parse(source, { noLocation: true }),
    })),
    config: {
      scalars,
      enumsAsTypes: true,
      useTypeImports: true,
      skipTypename: true,
      onlyOperationTypes: true,
    },
    plugins: [{ operations: {} }, { documents: {} }],
    pluginMap: { operations: operationsPlugin, documents: typedDocumentPlugin },
  });
  return `// Generated from the .graphql files beside it: node subgraph/generate-queries.ts\n${text}`;
}

/** Text of `docs/audit-queries.md`. */
export function queriesPage(): string {
  const sections = readyMadeQueries().map(
    ({ question, text }) => `## ${question}\n\n\`\`\`graphql\n${text}\n\`\`\``,
  );
  return `# Ready-made audit queries

Questions that auditors ask, as queries of the [subgraph](subgraph.md). Paste one into GraphiQL, give it to
\`assay subgraph query --file\`, or use its typed document from \`subgraph/queries/documents.ts\` with any GraphQL client.
Every one of them is run by a test. Amounts are in the token's smallest unit, times in seconds since 1970; ids of datasets,
bundles and operators are hexadecimal.

A subgraph is an index that somebody runs: what it answers can be checked against the events of the chain, whose transactions
it names.

${sections.join("\n\n")}
`;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  writeFileSync(join(queries, "documents.ts"), await typedDocuments());
  writeFileSync(resolve(folder, "../docs/audit-queries.md"), queriesPage());
}
