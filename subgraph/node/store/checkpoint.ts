/** Thread that takes the log of a database over into its pages, as far as nobody reads older ones, and ends. */
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { workerData } from "node:worker_threads";

const file = pathToFileURL(workerData as string);
// A database that was removed meanwhile is not made anew.
file.search = "mode=rw";
const handle = new DatabaseSync(file);
handle.exec("PRAGMA wal_checkpoint(PASSIVE)");
handle.close();
