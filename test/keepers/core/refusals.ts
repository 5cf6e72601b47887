/** What code says when it refuses something: whole sentences, kept beside the tests, because users act on them. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { AssayError } from "../../../keepers/src/core/errors.ts";

const folder = join(import.meta.dirname, "refusals");
/** Set to anything, what is said now is kept as what is to be said: look at the difference before it is committed. */
const isRecording = process.env.ASSAY_RECORD_REFUSALS !== undefined;

function sentenceOf(error: unknown): string {
  const { name, message } = error as Error;
  const { kept, next } = error instanceof AssayError ? error : {};
  const rest = [kept && `Kept: ${kept}`, next && `Next: ${next}`].filter((each) => each !== undefined);
  // What the engine itself says of bad JSON is another text in another version.
  return [`${name}: ${message.replace(/(not JSON: ).*/s, "$1…")}`, ...rest].join(" | ");
}

/**
 * `assert.throws` that also takes nothing but sentences on record.
 * @param name of the test file, below `test/keepers/core`
 */
export function recordedRefusals(name: string) {
  const path = join(folder, `${name.replaceAll("/", "-")}.json`);
  const known = new Set(existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as string[]) : []);
  const said = new Set<string>();
  if (isRecording) {
    after(() => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, `${JSON.stringify([...said].sort(), null, 2)}\n`);
    });
  }
  return (action: () => unknown, expected: assert.AssertPredicate = Error, where?: string): AssayError => {
    let thrown: unknown;
    const noted = () => {
      try {
        action();
      } catch (error) {
        thrown = error;
        throw error;
      }
    };
    assert.throws(noted, expected, where);
    const sentence = sentenceOf(thrown);
    said.add(sentence);
    if (!isRecording) assert.ok(known.has(sentence), `no refusal on record says: ${sentence}`);
    return thrown as AssayError;
  };
}
