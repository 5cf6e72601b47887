/** A value that JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * JSON with sorted keys and no white space (RFC 8785, JSON Canonicalization Scheme): keys by UTF-16 code units, numbers
 * and strings as ECMAScript writes them. Keys whose value is undefined are left out.
 */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members: string[] = [];
  const entries = value as { readonly [key: string]: JsonValue };
  for (const key of Object.keys(entries).sort()) {
    const member = entries[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}
