import { ClientError, GraphQLClient } from "graphql-request";
import { z } from "zod";
import { IndexAnswerError } from "./errors.ts";
import { type FieldKind, type Kind, type KindName, kinds, type Row, type Value } from "./rows.ts";
import { shownUrl } from "./shown-url.ts";

export type IndexReaderOptions = {
  readonly url: string;
  /** Milliseconds for one answer, its body included; 15 seconds by default. */
  readonly timeout?: number;
  /** Bytes of one answer; 8 MiB by default. */
  readonly mostBytes?: number;
  readonly signal?: AbortSignal;
};

/** Up to which block an index tells. */
export type IndexPosition = {
  readonly number: bigint;
  readonly hash: string | undefined;
  readonly hasErrors: boolean;
};

/** Rows of one page: what Graph Node gives at most. */
const pageRows = 1_000;
const longestId = 200;
/** Parameters of an event are the longest text: a posted package fits in. */
const longestText = 1 << 20;

const id = z.string().max(longestId);
const fields: { readonly [K in FieldKind]: z.ZodType<Value> } = {
  value: z.union([z.string().max(longestText), z.number(), z.boolean(), z.null()]),
  one: z.union([z.object({ id }).transform((row) => row.id), z.null()]),
  many: z.array(z.object({ id }).transform((row) => row.id)).max(pageRows),
};

const metaSchema = z.object({
  _meta: z.object({
    block: z.object({ number: z.int().nonnegative(), hash: z.string().max(longestId).nullish() }),
    hasIndexingErrors: z.boolean(),
  }),
});

/**
 * Asks an index: any endpoint that speaks The Graph's dialect. Nothing that it answers is believed; here it is only kept from
 * doing harm by size, slowness or form. All methods throw `IndexAnswerError`.
 */
export class IndexReader {
  readonly #client: GraphQLClient;
  readonly #options: IndexReaderOptions;

  constructor(options: IndexReaderOptions) {
    this.#options = options;
    this.#client = new GraphQLClient(options.url, { fetch: bounded(options) });
  }

  async position(): Promise<IndexPosition> {
    const { _meta } = await this.#ask(
      "{ _meta { block { number hash } hasIndexingErrors } }",
      {},
      metaSchema,
    );
    const { number, hash } = _meta.block;
    return { number: BigInt(number), hash: hash?.toLowerCase(), hasErrors: _meta.hasIndexingErrors };
  }

  /**
   * Every row that meets a filter, as of a block; two that differ both come, although they have the same id.
   *
   * @param most rows that there can be: an endpoint that gives more is not asked any further
   */
  async rows(
    name: KindName,
    where: Readonly<Record<string, unknown>>,
    { block, most }: { readonly block: bigint; readonly most: number },
  ): Promise<Row[]> {
    const kind: Kind = kinds[name];
    const query = `query Audit($where: ${kind.type}_filter!, $block: Int!) {
      rows: ${name}(first: ${pageRows}, where: $where, orderBy: id, block: { number: $block }) {
        id ${Object.entries(kind.fields).map(selection).join(" ")}
      }
    }`;
    const schema = z.object({ rows: z.array(rowSchema(kind)).max(pageRows) });
    const found = new Map<string, Row>();
    let after: string | undefined;
    for (let pages = 0; pages <= Math.ceil(most / pageRows); pages++) {
      const page = await this.#ask(
        query,
        { where: after === undefined ? where : { and: [where, { id_gt: after }] }, block: Number(block) },
        schema,
      );
      const known = found.size;
      for (const row of page.rows) found.set(JSON.stringify(row), row);
      if (found.size > most) break;
      if (page.rows.length < pageRows) return [...found.values()];
      if (found.size === known)
        throw new IndexAnswerError(`it gives the same rows of "${name}" again and again`);
      after = page.rows.at(-1)!.id;
    }
    throw new IndexAnswerError(`it gives more than ${most} rows of "${name}", or pages without end`);
  }

  async #ask<T>(query: string, variables: Record<string, unknown>, schema: z.ZodType<T>): Promise<T> {
    let answer: unknown;
    try {
      answer = await this.#client.request(query, variables);
    } catch (cause) {
      this.#options.signal?.throwIfAborted();
      if (cause instanceof IndexAnswerError) throw cause;
      throw new IndexAnswerError(reasonOf(cause, this.#options.url), { cause });
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    throw new IndexAnswerError(
      `its answer has not the form that was asked for: ${path.join(".")}: ${message}`,
    );
  }
}

function selection([name, kind]: readonly [string, FieldKind]): string {
  return kind === "value" ? name : `${name} { id }`;
}

function rowSchema({ fields: wanted }: Kind): z.ZodType<Row> {
  const shape = Object.fromEntries(Object.entries(wanted).map(([name, kind]) => [name, fields[kind]]));
  return z.object({ id, ...shape }) as unknown as z.ZodType<Row>;
}

/** What an endpoint said itself is cut short, and keys in its address are left out: it goes into reports. */
function reasonOf(error: unknown, url: string): string {
  const shown = (text: string) =>
    [url, new URL(url).href].reduce((rest, each) => rest.replaceAll(each, shownUrl(url)), text).slice(0, 200);
  if (error instanceof ClientError) {
    // Nobody has checked the form of an answer that is an error.
    const errors: unknown = error.response.errors;
    const said: unknown = Array.isArray(errors) ? errors[0]?.message : undefined;
    return typeof said === "string"
      ? `it refused the query: ${shown(said)}`
      : `it answered with status ${error.response.status}`;
  }
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  if (name === "TimeoutError" || name === "AbortError") return "it did not answer in time";
  return `it gave no answer: ${shown(message.replaceAll(/\s+/g, " "))}`;
}

/** What a connection ends with that was refused, or broke before the answer was whole. */
const broken: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/**
 * `fetch` that ends after some time, body included, and reads no more than some bytes. A request whose connection broke is repeated
 * once in the same time: a busy machine, or a server that closes idle connections, says nothing about an index.
 */
function bounded({ timeout = 15_000, mostBytes = 8 << 20, signal }: IndexReaderOptions): typeof fetch {
  return async (input, init) => {
    const limit = AbortSignal.timeout(timeout);
    const ends = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const once = () => wholeAnswer(input, { ...init, redirect: "error", signal: ends }, mostBytes);
    try {
      return await once();
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: unknown } };
      if (!broken.has(cause?.code)) throw error;
      return await once();
    }
  };
}

async function wholeAnswer(
  input: Parameters<typeof fetch>[0],
  init: RequestInit,
  mostBytes: number,
): Promise<Response> {
  const response = await fetch(input, init);
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body !== null) {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > mostBytes) throw new IndexAnswerError(`its answer is larger than ${mostBytes} bytes`);
      chunks.push(chunk);
    }
  }
  const { status, statusText, headers } = response;
  const body = [204, 304].includes(status) ? null : Buffer.concat(chunks);
  const type = headers.get("content-type") ?? "text/plain";
  return new Response(body, { status, statusText, headers: { "content-type": type } });
}
