/** A process of `QueryPool`: is told first what to read, then one query after the other. */
import { once } from "node:events";
import { type DocumentNode, type ExecutionResult, execute, parse } from "graphql";
import { Database } from "../store/database.ts";
import { EntityStore } from "../store/entity-store.ts";
import { failedAnswer, type QueryRequest, type ReaderSetup } from "./pool.ts";
import { executableSchema, shownError } from "./resolvers.ts";

/** Documents that are kept once they were parsed, and the longest of them. */
const documentsKept = 500;
const longestKept = 16_384;

process.on("disconnect", () => process.exit());
const [setup] = (await once(process, "message")) as [ReaderSetup];
const { source } = setup;
const database = Database.openToRead(source.path);
const store = new EntityStore(database, source.schema);
const schema = executableSchema({ ...source, store, failed: () => store.stoppedAt() !== undefined });
const documents = new Map<string, DocumentNode>();

/** The server has validated it already. */
function documentOf(text: string): DocumentNode {
  let document = documents.get(text);
  if (document === undefined) {
    document = parse(text);
    if (documents.size >= documentsKept) documents.delete(documents.keys().next().value!);
    if (text.length <= longestKept) documents.set(text, document);
  }
  return document;
}

/** Everything that one query reads is of one state of the database. */
function answer({ text, operation, variables }: QueryRequest): string {
  // The resolvers are synchronous, and so is the execution.
  const result = database.read(() =>
    execute({
      schema,
      document: documentOf(text),
      operationName: operation ?? null,
      variableValues: variables ?? null,
    }),
  ) as ExecutionResult;
  const json = JSON.stringify(
    result.errors === undefined ? result : { ...result, errors: result.errors.map(shownError) },
  );
  return json.length <= setup.answer
    ? json
    : failedAnswer(`the answer has more than ${setup.answer} characters; ask for less`);
}

process.on("message", (request: QueryRequest) => process.send!(answer(request)));
process.send!("ready");
