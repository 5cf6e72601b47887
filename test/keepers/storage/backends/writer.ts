/** A process that stores blobs until it is killed: `node writer.ts <kind> <directory>`. */
import { openBackend } from "../../../../keepers/src/storage/backends/open.ts";
import { generator } from "../random.ts";

const [kind, directory] = process.argv.slice(2);
const store = await openBackend(
  kind === "helia"
    ? { kind: "helia", directory: directory!, listen: [] }
    : { kind: "fs", directory: directory! },
);
for (let seed = 1; ; seed++) {
  const writing = Promise.all(
    [1, 2, 3].map((part) => store.put(generator(seed * 4 + part).bytes(2_000_000 * part))),
  );
  // After the first round the parent is told to kill this process, which by then is in the middle of the next.
  if (seed === 2) console.log("writing");
  await writing;
}
