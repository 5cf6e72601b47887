import { z } from "zod";
import { MalformedMessageError, refusalCodes } from "./errors.ts";

/** One kind of request: the forms of what is asked and answered, and the limits on both. */
export type Method = {
  /** Fields of the request's header. */
  request: z.ZodType;
  /** Fields of the answer's header. */
  response: z.ZodType;
  /** The longest body of a request and of an answer, in bytes. */
  requestBody: number;
  responseBody: number;
  /** How long the answer's header may take, in milliseconds. */
  timeout: number;
  /** Whether asking twice does no harm, so that a broken call is repeated. */
  idempotent: boolean;
  /**
   * What one request costs of allowances, in tenths of a millisecond of the answering thread; where requests differ, a
   * function of one and of the length of its body in bytes.
   */
  cost: number | ((request: never, bodyLength: number) => number);
};

/** All kinds of requests of a protocol, by name. */
export type Methods = Readonly<Record<string, Method>>;

export type RequestOf<M extends Method> = z.output<M["request"]>;
export type ResponseOf<M extends Method> = z.output<M["response"]>;

/** A protocol: its libp2p name and its methods. */
export type Protocol<M extends Methods> = { id: string; methods: M };

/** Ties a protocol's name to its methods, keeping the type of each. */
export function defineProtocol<const M extends Methods>(id: string, methods: M): Protocol<M> {
  return { id, methods };
}

/** How long a peer may be silent inside a message, in milliseconds. */
export const defaultSilence = 15_000;
/** How long a stream stays open without a request, in milliseconds. */
export const defaultIdle = 120_000;

export const requestHeader = z.strictObject({
  method: z.string().max(64),
  params: z.unknown(),
  body: z.int().nonnegative(),
});

export const responseHeader = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(true), result: z.unknown(), body: z.int().nonnegative() }),
  z.strictObject({
    ok: z.literal(false),
    code: z.enum(refusalCodes),
    message: z.string().max(1024),
    body: z.literal(0),
  }),
]);

/** Checks a value from the wire. @throws MalformedMessageError that names the first field that is wrong */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new MalformedMessageError(
    `${what}: ${issue?.path.join(".") || "header"}: ${issue?.message ?? "invalid"}`,
  );
}
