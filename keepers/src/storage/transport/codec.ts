import { MalformedMessageError } from "./errors.ts";

/**
 * The form of every message: `uint32 headerLength ‖ header ‖ body`, big-endian. The header is a JSON object in UTF-8
 * whose field `body` is the length of the body in bytes; the body is raw.
 */
export const maxHeaderBytes = 64 * 1024;
export const prefixBytes = 4;

export type MessageHeader = { body: number; [field: string]: unknown };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The first bytes of a message, up to its body. @throws MalformedMessageError when the header is too long */
export function encodeHeader(header: MessageHeader): Uint8Array {
  const json = encoder.encode(JSON.stringify(header));
  if (json.length > maxHeaderBytes) {
    throw new MalformedMessageError(
      `a header of ${json.length} bytes, at most ${maxHeaderBytes} are allowed`,
    );
  }
  const bytes = new Uint8Array(prefixBytes + json.length);
  new DataView(bytes.buffer).setUint32(0, json.length);
  bytes.set(json, prefixBytes);
  return bytes;
}

/** Reads the length of the header that follows. @throws MalformedMessageError when nothing or too much follows */
export function decodePrefix(prefix: Uint8Array): number {
  const length = new DataView(prefix.buffer, prefix.byteOffset, prefixBytes).getUint32(0);
  if (length < 2 || length > maxHeaderBytes) {
    throw new MalformedMessageError(`a header of ${length} bytes, 2 to ${maxHeaderBytes} are allowed`);
  }
  return length;
}

/** Reads a header. Its fields other than `body` are for the caller to check. @throws MalformedMessageError */
export function decodeHeader(json: Uint8Array): MessageHeader {
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(json));
  } catch (cause) {
    throw new MalformedMessageError("the header is not JSON", { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header) || !("body" in header)) {
    throw new MalformedMessageError("the header is not an object with a body length");
  }
  const { body } = header;
  if (typeof body !== "number" || !Number.isSafeInteger(body) || body < 0) {
    throw new MalformedMessageError("the body length is not a natural number");
  }
  return { ...header, body };
}
