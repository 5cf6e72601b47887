/** A process of `QueryPool`: is told first what to read, then one query after the other. */
import { once } from "node:events";
import { type DocumentNode, type ExecutionResult, execute, parse } from "graphql";
import { Database } from "../store/database.ts";
import { EntityStore } from "../store/entity-store.ts";
import { EntityReader } from "../store/select.ts";
import { AnswerTooLongError, QueryPlan } from "./plan.ts";
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
const parts = { ...source, store, failed: () => store.stoppedAt() !== undefined };
const schema = executableSchema(parts);
const planParts = { ...parts, api: schema, reader: new EntityReader(database, source.schema) };

/** A document with the plans of its operations. */
type Parsed = { readonly document: DocumentNode; readonly plans: Map<string | null, QueryPlan | undefined> };
const documents = new Map<string, Parsed>();

/** The server has validated it already. */
function parsed(text: string): Parsed {
  let known = documents.get(text);
  if (known === undefined) {
    known = { document: parse(text), plans: new Map() };
    if (documents.size >= documentsKept) documents.delete(documents.keys().next().value!);
    if (text.length <= longestKept) documents.set(text, known);
  }
  return known;
}

function planOf({ document, plans }: Parsed, operation: string | null): QueryPlan | undefined {
  const isThere = document.definitions.some(
    (each) => each.kind === "OperationDefinition" && (operation === null || each.name?.value === operation),
  );
  if (!isThere) return undefined;
  if (!plans.has(operation)) plans.set(operation, QueryPlan.of(planParts, document, operation));
  return plans.get(operation);
}

/** As `graphql` answers it, errors with it. */
function executed({ document }: Parsed, { operation, variables }: QueryRequest): string {
  // The resolvers are synchronous, and so is the execution.
  const result = execute({
    schema,
    document,
    operationName: operation ?? null,
    variableValues: variables ?? null,
  }) as ExecutionResult;
  return JSON.stringify(
    result.errors === undefined ? result : { ...result, errors: result.errors.map(shownError) },
  );
}

const tooLong = failedAnswer(`the answer has more than ${setup.answer} characters; ask for less`);

/** Everything that one query reads is of one state of the database. */
function answer(request: QueryRequest): Uint8Array {
  const query = parsed(request.text);
  const plan = planOf(query, request.operation ?? null);
  try {
    const json = database.read(
      () => plan?.answer(request.variables, setup.answer) ?? executed(query, request),
    );
    return json.length <= setup.answer ? Buffer.from(json) : tooLong;
  } catch (error) {
    if (error instanceof AnswerTooLongError) return tooLong;
    throw error;
  }
}

process.on("message", (request: QueryRequest) => process.send!(answer(request)));
process.send!("ready");
