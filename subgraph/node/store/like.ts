import type { Cell } from "./columns.ts";

type Token =
  | { readonly kind: "any" }
  | { readonly kind: "one" }
  | { readonly kind: "literal"; readonly character: string };

function tokens(pattern: string): Token[] {
  const characters = [...pattern];
  const found: Token[] = [];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === "%") found.push({ kind: "any" });
    else if (character === "_") found.push({ kind: "one" });
    else if (character === "\\" && i + 1 < characters.length)
      found.push({ kind: "literal", character: characters[++i]! });
    else found.push({ kind: "literal", character });
  }
  return found;
}

/**
 * Going back to the last `any` alone suffices, since an earlier one could only take what the last one can take as well:
 * |text| · |pattern| steps at most, whatever a client writes.
 */
function matches(text: readonly string[], pattern: readonly Token[]): boolean {
  let t = 0;
  let p = 0;
  let anyAt = -1;
  let taken = 0;
  while (t < text.length) {
    const token = pattern[p];
    if (token?.kind === "any") {
      anyAt = p++;
      taken = t;
    } else if (token !== undefined && (token.kind === "one" || token.character === text[t])) {
      p++;
      t++;
    } else if (anyAt >= 0) {
      p = anyAt + 1;
      t = ++taken;
    } else return false;
  }
  while (pattern[p]?.kind === "any") p++;
  return p === pattern.length;
}

let last: { written: string; pattern: readonly Token[] } | undefined;

/**
 * PostgreSQL's LIKE and ILIKE: % is anything, _ one character, a backslash takes the next character literally. 1 or 0;
 * null for null.
 */
export function like(text: Cell, written: Cell, ignoreCase: boolean): Cell {
  if (typeof text !== "string" || typeof written !== "string") return null;
  const wanted = ignoreCase ? written.toLowerCase() : written;
  // One query asks for the same pattern row after row.
  if (last?.written !== wanted) last = { written: wanted, pattern: tokens(wanted) };
  return matches([...(ignoreCase ? text.toLowerCase() : text)], last.pattern) ? 1 : 0;
}
