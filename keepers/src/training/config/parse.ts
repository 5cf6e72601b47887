import { type Document, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { TrainingConfigError } from "./errors.ts";
import { configSchema, type TrainingConfig } from "./schema.ts";

/** Longest configuration, in UTF-16 code units. */
const maxLength = 1 << 20;

/**
 * Reads a configuration in YAML or JSON (which is YAML).
 *
 * @param name of the file, for messages
 * @throws TrainingConfigError that names the line, or the key and why it is refused
 */
export function parseConfig(text: string, name: string): TrainingConfig {
  if (text.length > maxLength)
    throw new TrainingConfigError(`${name} is longer than ${maxLength} characters.`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lineCounter.linePos(problem.pos[0]);
    throw new TrainingConfigError(`${name}, line ${line}: ${problem.message}.`);
  }
  return checkConfig(toValue(document, name), name);
}

function toValue(document: Document, name: string): unknown {
  try {
    // A few aliases are enough for people; more are a bomb.
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new TrainingConfigError(`${name}: ${(cause as Error).message}.`, { cause });
  }
}

/** @throws TrainingConfigError */
export function checkConfig(value: unknown, name: string): TrainingConfig {
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { key, reason } = deepest(parsed.error.issues[0]!, []);
  throw new TrainingConfigError(`${name}: ${key === "" ? "it" : `the key ${key}`} is refused: ${reason}.`);
}

/** The problem of the alternative that got furthest: that is the one that was meant. */
function deepest(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
): { key: string; reason: string; depth: number } {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const found = issue.errors
      .filter((issues) => issues.length > 0)
      .map((issues) => ({ ...deepest(issues[0]!, path), count: issues.length }));
    found.sort((a, b) => b.depth - a.depth || a.count - b.count);
    const best = found[0];
    if (best !== undefined && best.depth > path.length) return best;
    return { key: keyOf(path), reason: joined(found.map(({ reason }) => reason)), depth: path.length };
  }
  if (issue.code === "unrecognized_keys") {
    const key = keyOf([...path, issue.keys[0] ?? ""]);
    return { key, reason: "there is no such key", depth: path.length };
  }
  return { key: keyOf(path), reason: issue.message, depth: path.length };
}

/** Alternatives that expect another type each become one sentence. */
function joined(reasons: readonly string[]): string {
  const types = reasons.map((reason) => /^Invalid input: expected ([\w ]+), received (\S+)$/.exec(reason));
  const [first] = types;
  if (first != null && types.every((type) => type?.[2] === first[2])) {
    const expected = [...new Set(types.map((type) => type![1]))];
    return `Invalid input: expected ${expected.join(" or ")}, received ${first[2]}`;
  }
  return [...new Set(reasons)].join("; or ");
}

function keyOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}
