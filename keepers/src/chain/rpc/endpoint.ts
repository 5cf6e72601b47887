import { RpcRequestError } from "viem";
import { BadInputError } from "../../core/errors.ts";
import { InconsistentAnswerError, RateLimitedError, RpcUnavailableError } from "./errors.ts";

export type RpcRequest = { method: string; params?: unknown };

/** One source of answers. `name` is safe to log: paths and credentials of a URL, where API keys live, are left out. */
export type Endpoint = {
  readonly name: string;
  request(request: RpcRequest, signal: AbortSignal): Promise<unknown>;
};

/** Anything that speaks EIP-1193: an embedded chain, say. */
export type Eip1193 = { request(request: { method: string; params?: never }): Promise<unknown> };

/** More than any honest answer: logs in the tens of megabytes are refused by nodes themselves. */
const maximumAnswerBytes = 64 * 1024 * 1024;
/** The same for what holds neither many logs nor whole transactions of a block. */
const maximumSmallAnswerBytes = 4 * 1024 * 1024;
/** Bytes of an answer below which it may consist of whatever it likes. */
const unweighedBytes = 1024 * 1024;
/** Bytes that a value takes at least on average in larger ones: logs and transactions are hashes for the most part. */
const leastBytesPerValue = 16;

function limitOf({ method, params }: RpcRequest): number {
  const [, isFull] = Array.isArray(params) ? (params as unknown[]) : [];
  const isLarge = method === "eth_getLogs" || (method.startsWith("eth_getBlockBy") && isFull === true);
  return isLarge || method.startsWith("debug_") ? maximumAnswerBytes : maximumSmallAnswerBytes;
}

/** Refuses an answer of millions of tiny values before it is parsed: each takes many times its bytes in memory. */
function refuseDense(bytes: Uint8Array): void {
  if (bytes.length <= unweighedBytes) return;
  const most = bytes.length / leastBytesPerValue;
  let values = 0;
  // Commas, brackets and braces.
  for (const byte of bytes) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) values++;
  if (values > most) throw new RpcUnavailableError("an RPC answer holds too many values for its size");
}

async function readLimited(response: Response, limit: number): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limit) throw new RpcUnavailableError(`an RPC answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  refuseDense(bytes);
  return bytes.toString("utf8");
}

function parse(text: string, name: string): { id?: unknown; result?: unknown; error?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Handled below: the text itself may be an error page of a gateway and is not worth showing.
  }
  throw new RpcUnavailableError(`the RPC endpoint ${name} did not answer with JSON`);
}

function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1000 : 5_000;
}

/** An endpoint reached by HTTP(S). Redirects are refused; answers are limited in size and must match their request. */
export function httpEndpoint(url: string, options: { maximumBytes?: number } = {}): Endpoint {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new BadInputError("an RPC endpoint is not an http or https URL");
  }
  const target = new URL(url);
  const name = target.host;
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (target.username !== "" || target.password !== "") {
    const user = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
    headers.authorization = `Basic ${Buffer.from(user).toString("base64")}`;
    target.username = "";
    target.password = "";
  }
  let lastId = 0;

  return {
    name,
    async request({ method, params = [] }, signal) {
      const id = ++lastId;
      const body = { jsonrpc: "2.0", id, method, params };
      let response: Response;
      let text: string;
      try {
        response = await fetch(target, {
          method: "POST",
          headers,
          body: JSON.stringify(body),
          signal,
          redirect: "error",
        });
        text = await readLimited(response, options.maximumBytes ?? limitOf({ method, params }));
      } catch (cause) {
        if (cause instanceof RpcUnavailableError) throw cause;
        throw new RpcUnavailableError(`the RPC endpoint ${name} cannot be reached`, { cause });
      }
      if (response.status === 429) throw new RateLimitedError(name, retryAfter(response));
      // Nodes put JSON-RPC errors into responses with any status; a gateway's error page is not JSON.
      const answer = parse(text, `${name} (HTTP ${response.status})`);
      if (typeof answer.error === "object" && answer.error !== null) {
        const { code, message, data } = answer.error as { code?: unknown; message?: unknown; data?: unknown };
        const error = { code: Number(code ?? -32603), message: String(message ?? "").slice(0, 2048), data };
        if (error.code === -32005 && /rate|requests per/i.test(error.message))
          throw new RateLimitedError(name, 5_000);
        throw new RpcRequestError({ body: { method }, error, url: target.origin });
      }
      if (!response.ok)
        throw new RpcUnavailableError(`the RPC endpoint ${name} answered HTTP ${response.status}`);
      if (answer.id !== id) {
        throw new InconsistentAnswerError(
          `the RPC endpoint ${name} answered another request than it was asked`,
        );
      }
      return answer.result;
    },
  };
}

/** An EIP-1193 provider as an endpoint. */
export function providerEndpoint(provider: Eip1193, name = "embedded"): Endpoint {
  return { name, request: (request) => provider.request(request as { method: string; params?: never }) };
}
