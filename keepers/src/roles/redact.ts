const hidden = "[redacted]";

/** Names of fields whose values are secret wherever they occur; compared without case, dashes and underscores. */
const secretField =
  /(password|passphrase|secret|mnemonic|seedphrase|privatekey|signingkey|encryptionkey|decryptionkey|datasetkey|apikey|accesskey|secretkey|accesstoken|sessiontoken|authtoken|credentials?|authorization|cookie|signature)$/;
const isSecretField = (name: string) => secretField.test(name.replace(/[-_]/g, "").toLowerCase());

/**
 * Secrets in the middle of text: credentials of a URL, and HTTP authorisation. Each begins with a fixed text, so that strangers' words
 * take time by their length: a scheme could begin at every letter.
 */
const patterns: [RegExp, string][] = [
  [/:\/\/[^/\s"'@]+@/g, `://${hidden}@`],
  [/\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{6,}/g, `$1 ${hidden}`],
];

const deepest = 8;
const longestList = 100;

/** Keeps secrets out of everything that leaves the process as a log, a metric or a health report. */
export type Redactor = {
  /** From now on this value, in the spellings it may take, is cut out of every text. */
  protect(secret: string): void;
  /** A text without secrets. */
  text(text: string): string;
  /** A copy that can be written as JSON: secret fields hidden, errors and big integers spelled out. */
  value(value: unknown): unknown;
};

const spellings = (secret: string): string[] => {
  const bare = secret.replace(/^0x/i, "");
  const all = [secret, bare, bare.toLowerCase(), bare.toUpperCase(), encodeURIComponent(secret)];
  const inJson = (text: string) => JSON.stringify(text).slice(1, -1);
  const encoded = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  // Escaped twice when JSON was put into a message, which is JSON again in the line.
  return [...new Set([...all, encoded, inJson(secret), inJson(inJson(secret))])];
};

export function createRedactor(): Redactor {
  /** Longest first: a secret that contains another one must not leave its rest behind. */
  let secrets: string[] = [];

  const text = (input: string): string => {
    let output = input;
    for (const secret of secrets) output = output.replaceAll(secret, hidden);
    for (const [pattern, replacement] of patterns) output = output.replace(pattern, replacement);
    return output;
  };

  const errorValue = (error: Error, depth: number): unknown => {
    // Only what our errors define: libraries hang requests, headers and keys on theirs.
    const { name, message, stack, cause } = error;
    const { kept, next, code } = error as { kept?: unknown; next?: unknown; code?: unknown };
    const described = { type: name, message, kept, next, code, stack, cause };
    return Object.fromEntries(
      Object.entries(described).flatMap(([key, each]) =>
        each === undefined ? [] : [[key, visit(each, depth + 1)]],
      ),
    );
  };

  const visit = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return text(value);
    if (typeof value === "bigint") return value.toString();
    if (typeof value === "function" || typeof value === "symbol") return undefined;
    if (typeof value !== "object" || value === null) return value;
    if (depth >= deepest) return "[deep]";
    if (value instanceof Error) return errorValue(value, depth);
    if (value instanceof Date) return value;
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return value.slice(0, longestList).map((each) => visit(each, depth + 1));
    if (value instanceof Map) return visit(Object.fromEntries(value), depth);
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, isSecretField(key) ? hidden : visit(each, depth + 1)]),
    );
  };

  return {
    protect(secret) {
      // One or two letters protect nothing, and cutting them out would make every text unreadable.
      if (secret.length < 3) return;
      secrets = [...new Set([...secrets, ...spellings(secret)])].sort((a, b) => b.length - a.length);
    },
    text,
    value: (value) => visit(value, 0),
  };
}
