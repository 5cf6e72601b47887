import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Output, table } from "../../../keepers/src/cli/output.ts";
import { assertNewPath, assertRelativePath } from "../../../keepers/src/core/dataset/names.ts";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { sourceName } from "../../../keepers/src/storage/readers/pieces.ts";

/** Clears the screen, turns the rest around, hides a letter, and moves to the line's beginning. */
const hostile = "a\x1b[2J\u202eb\u200bc\rd\x9b1m";
const escaped = "a\\u{1b}[2J\\u{202e}b\\u{200b}c\\u{d}d\\u{9b}1m";

function said(json: boolean, act: (output: Output) => void): string {
  let text = "";
  const stream = { write: (more: string) => (text += more) };
  act(new Output({ out: stream, err: stream, terminal: false }, { json, verbose: false }));
  return text;
}

describe("text of strangers on a terminal", () => {
  it("attack: is escaped in results, remarks, progress and failures", () => {
    for (const act of [
      (output: Output) => output.result({}, hostile),
      (output: Output) => output.result({}, [hostile]),
      (output: Output) => output.note(hostile),
    ])
      assert.equal(said(false, act), `${escaped}\n`);
    assert.equal(
      said(false, (output) => output.progress({ stage: hostile, done: 1 })),
      `${escaped}: 1\n`,
    );
    const failed = said(false, (output) =>
      output.failure(new BadInputError(`${hostile}\nassay: all is well`)),
    );
    assert.ok(failed.startsWith(`assay: ${escaped}\n    assay: all is well`), failed);
  });

  it("attack: is escaped in JSON, too, which says the same", () => {
    const text = said(true, (output) => output.result({ name: hostile }, ""));
    assert.doesNotMatch(text.trimEnd(), /[\p{Cc}\p{Cf}]/u);
    assert.deepEqual(JSON.parse(text), { name: hostile });
  });

  it("attack: makes no row of a table of its own", () => {
    assert.deepEqual(table(["name", "size"], [["a\nb\x1b", "1"]]), [
      "name           size",
      "a\\u{a}b\\u{1b}  1",
    ]);
  });

  it("is no name in a new dataset, and is read in one that is anchored", () => {
    for (const name of ["a\x1b", "a\u202eb", "a\u200bb", "a\nb", "a\x9b"]) {
      assert.throws(() => assertNewPath(name), BadInputError);
      assert.equal(sourceName({ name }), "dataset");
    }
    for (const name of ["a\u202eb", "a\u200bb", "a\x9b"]) assertRelativePath(name);
    assertNewPath("Bücher/読書 👍.txt");
  });
});
