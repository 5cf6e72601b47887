import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { droppedOf } from "../../dapp/src/compute/dropped.ts";

type Entry = { readonly name: string; readonly below?: readonly Entry[] };

/** An entry as browsers give it: a folder's come some at a time, then none. */
function entryOf({ name, below }: Entry): FileSystemEntry {
  const left = [...(below ?? [])];
  return {
    name,
    isDirectory: below !== undefined,
    createReader: () => ({
      readEntries: (take: (entries: FileSystemEntry[]) => void) => take(left.splice(0, 1).map(entryOf)),
    }),
    file: (take: (file: File) => void) => take(new File(["x"], name)),
  } as unknown as FileSystemEntry;
}

/** What was dropped: entries of files, and text, which has none. */
function transferOf(...items: readonly (Entry | "text")[]): DataTransfer {
  return {
    items: items.map((item) => ({ webkitGetAsEntry: () => (item === "text" ? null : entryOf(item)) })),
  } as unknown as DataTransfer;
}

const file = (name: string): Entry => ({ name });
const folder = (name: string, ...below: readonly Entry[]): Entry => ({ name, below });

describe("what is dropped", () => {
  it("is a folder with all below it, a file, or several", async () => {
    const { folder: name, files } = await droppedOf(
      transferOf(folder("digits", file("a.png"), folder("more", file("b.png")))),
      true,
    );
    assert.equal(name, "digits");
    assert.deepEqual(
      files.map(({ path }) => path),
      ["a.png", "more/b.png"],
    );
    const single = await droppedOf(transferOf("text", file("own.onnx")), false);
    assert.deepEqual([single.folder, single.files.map(({ path }) => path)], [undefined, ["own.onnx"]]);
  });

  it("is refused in words where there is no file in it", async () => {
    await assert.rejects(droppedOf(transferOf("text"), false), /That is no file/);
    await assert.rejects(droppedOf(transferOf(), true), /That is no file/);
    await assert.rejects(
      droppedOf(transferOf(folder("empty", folder("too"))), true),
      /no file in that folder/,
    );
  });

  it("is refused where one file is taken and there are more", async () => {
    await assert.rejects(droppedOf(transferOf(file("a"), file("b")), false), /These are 2 files/);
    assert.equal((await droppedOf(transferOf(file("a"), file("b")), true)).files.length, 2);
  });
});
