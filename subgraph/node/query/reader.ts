/** A process of `QueryPool`: is told first what to read, then one query after the other. */
import { once } from "node:events";
import { type DocumentNode, type ExecutionResult, execute, parse } from "graphql";
import { Kept } from "../kept.ts";
import { Database } from "../store/database.ts";
import { EntityStore } from "../store/entity-store.ts";
import { EntityReader } from "../store/select.ts";
import { fieldsOf } from "./limits.ts";
import { AnswerTooLongError, QueryPlan } from "./plan.ts";
import {
  failedAnswer,
  type NumberedAnswer,
  type NumberedQuery,
  type QueryRequest,
  type ReaderSetup,
} from "./pool.ts";
import { executableSchema, shownError } from "./resolvers.ts";

/**
 * What a document with its plans takes at most, in bytes of heap: measured for names of one letter, for filters without
 * conditions, and for lists that are asked of one entity after the other.
 */
const bytesPerCharacter = 320;
const bytesPerField = 1_100;

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
const documents = new Kept<Parsed>((setup.heap * 2 ** 20) / 16);

/** The server has validated it already. */
function parsed(text: string): Parsed {
  let known = documents.get(text);
  if (known === undefined) {
    const document = parse(text);
    known = { document, plans: new Map() };
    documents.set(text, known, text.length * bytesPerCharacter + fieldsOf(document) * bytesPerField);
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

/** A query that fails says so to its own client: the next one is another's. */
function answered(request: QueryRequest): Uint8Array {
  try {
    return answer(request);
  } catch {
    return failedAnswer("internal error");
  }
}

process.on("message", ({ number, request }: NumberedQuery) =>
  process.send!({ number, answer: answered(request) } satisfies NumberedAnswer),
);
process.send!("ready");
